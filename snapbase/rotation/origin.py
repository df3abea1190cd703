"""Pure: what made a resource, and how strong the evidence for that is.

A server-set field and AWS's reserved `aws:` tags cannot be written by whoever can create a snapshot; tags, labels and
names can. Only the strongest sort of evidence that a resource has is looked at: a borrowed tag adds nothing to it.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from snapbase.model import Cloud, Resource, ResourceType, Scope


class Evidence(StrEnum):
    """From what nobody can forge to nothing at all."""

    FIELD = "server-set field"
    RESERVED = "reserved tag"
    ACTOR = "audit actor"
    TAG = "user tag"
    NAME = "name"
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 for the strongest."""
        return _RANKS[self]

    @property
    def strong(self) -> bool:
        """Whoever makes a snapshot by hand cannot produce it."""
        return self.rank <= Evidence.ACTOR.rank


_RANKS = {evidence: rank for rank, evidence in enumerate(Evidence)}


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """One thing that makes snapshots again and again: a lifecycle policy, a backup plan, a schedule, a habit."""

    id: str
    evidence: str
    strain: str = ""
    """Which of its rules or schedules, where the cloud says so: each has a rhythm and a retention of its own."""

    @property
    def strong(self) -> bool:
        return _RANKS[Evidence(self.evidence)] <= _RANKS[Evidence.ACTOR]

    @property
    def is_proof(self) -> bool:
        """The cloud itself says it: no log need bear it out."""
        return _RANKS[Evidence(self.evidence)] < _RANKS[Evidence.ACTOR]


_STATES = frozenset({"recycle-bin", "image-export"})
"""Said in `Resource.origin`, but by no schedule: somebody deleted, somebody exported."""
_RESERVED = ("dlm:", "aws-backup")
"""AWS origins read from tags in the reserved namespace (EC2 User Guide: `aws:` keys cannot be edited or deleted)."""
_STRAINS = {"tags": "aws:dlm:lifecycle-schedule-name", "facts": "plan_rule"}
_TAGS = {
    "velero.io/schedule-name": True,
    "velero.io/backup": False,
    "ebs.csi.aws.com/cluster": False,
    "csi.storage.k8s.io/volumesnapshot/namespace": True,
    "dlm:managed": False,
    "created-by": True,
    "createdby": True,
    "managed-by": True,
    "managedby": True,
    "pipeline": True,
}
"""Tags and labels that tools put on what they make; whether the value tells one maker from another."""
_NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+", re.IGNORECASE)
_PREFIX = re.compile(r"[a-z][a-z._/-]{3,}#|[^#]*[a-z]{4,}[^#]*#", re.IGNORECASE)
_APPLICATION = "azure-app:"
ACTOR = "actor:"
"""What the id of an origin begins with that only an audit log names."""
_AZURE_BACKUP = "/resourcegroups/azurebackuprg_"
"""The resource group in which Azure Backup keeps its instant-restore points; anybody can make one of that name."""


def origins_of(scope: Scope, resource: Resource, actor: str = "") -> tuple[Origin, ...]:
    """Every origin that the strongest evidence about a resource allows; `actor`: the service that made it by itself, by
    an audit log.

    More than one only where the evidence is weak. What a tag or a name claims keeps its name when a log bears it out,
    so that it stays one cohort whether the log was read or not.
    """
    if resource.type != ResourceType.SNAPSHOT:
        return ()
    if said := said_by(scope, resource.origin):
        return (Origin(said, _evidence(scope, resource), _strain(resource)),)
    if resource.origin:
        return ()
    if maker := _application(scope, resource):
        return (Origin(f"{_APPLICATION}{scope.kind}:{maker}", Evidence.FIELD),)
    claimed = _tagged(scope, resource) or _named(scope, resource)
    if actor:
        borne_out = tuple(replace(each, evidence=Evidence.ACTOR) for each in claimed)
        return borne_out or (Origin(f"{ACTOR}{scope.kind}:{actor}", Evidence.ACTOR),)
    return claimed


def said_by(scope: Scope, origin: str | None) -> str:
    """The id of the origin that the cloud itself names; empty where it names none.

    A word that several services use is told apart by the kind it is said of.
    """
    if not origin or origin in _STATES:
        return ""
    return origin if ":" in origin else f"{scope.kind}:{origin}"


def _application(scope: Scope, resource: Resource) -> str:
    """The identity that ARM says made it, where that is software (ARM `systemData`, which no request can set)."""
    if scope.cloud != Cloud.AZURE or resource.attributes.get("created_by_type") != "Application":
        return ""
    return str(resource.facts.get("created_by") or "")


def is_named(origin: str) -> bool:
    """Whether the cloud names it in a field of its own, `Resource.origin`; else only each resource by itself tells."""
    return not origin.startswith((_APPLICATION, ACTOR, "tag:", "name:"))


def _evidence(scope: Scope, resource: Resource) -> str:
    reserved = scope.cloud == Cloud.AWS and str(resource.origin).startswith(_RESERVED)
    listed = str(resource.attributes.get("type") or "").casefold().replace("_", "") == "awsbackup"
    return Evidence.RESERVED if reserved and not listed else Evidence.FIELD


def _strain(resource: Resource) -> str:
    return str(resource.tags.get(_STRAINS["tags"]) or resource.facts.get(_STRAINS["facts"]) or "")


def _tagged(scope: Scope, resource: Resource) -> tuple[Origin, ...]:
    found = []
    for key, value in sorted(resource.tags.items()):
        tells = _TAGS.get(key.casefold())
        if tells is not None:
            text = f"{key.casefold()}={value}" if tells else key.casefold()
            found.append(Origin(f"tag:{scope.kind}:{text}", Evidence.TAG))
    return tuple(found)


def _named(scope: Scope, resource: Resource) -> tuple[Origin, ...]:
    if _AZURE_BACKUP in resource.address.casefold():
        return (Origin(f"name:{scope.kind}:azurebackuprg", Evidence.NAME),)
    pattern = _NUMBERS.sub("#", resource.name or "")
    if pattern == resource.name or not _PREFIX.match(pattern):
        return ()
    return (Origin(f"name:{scope.kind}:{pattern}", Evidence.NAME),)
