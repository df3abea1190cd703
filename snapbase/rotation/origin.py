"""Pure: what made a resource, and how strong the evidence for that is.

A server-set field and AWS's reserved `aws:` tags cannot be written by whoever can create a snapshot; tags, labels and
names can. Only the strongest sort of evidence that a resource has is looked at: a borrowed tag adds nothing to it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from snapbase.model import Cloud, Json, Resource, ResourceType, Scope


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


class Plan(NamedTuple):
    """What another view of a snapshot says of what made it."""

    origin: str
    """The backup plan; empty where none did: it was made on demand."""
    rule: str = ""


PLANNED = {"aws-backup": "aws.backup.recovery-point"}
"""Origins that name a service and not which of its plans, and the kind that does: its resources are other views of what
the service made, and say by which plan in a field that no request can set (AWS Backup API reference,
RecoveryPointCreator)."""
_PLAN = "backup-plan:"
IMAGED = "Created by CreateImage("
"""What EC2 begins the description of the snapshots behind an image with. Nobody can alter a description, nor give a
snapshot of their own both that and a reserved tag."""
_IMAGE = re.compile(re.escape(IMAGED) + r"[^)]*\) for (ami-[0-9a-f]+)")
_STATES = frozenset({"recycle-bin", "image-export", "rds-export"})
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


def origins_of(scope: Scope, resource: Resource, actor: str = "", plan: Plan | None = None) -> tuple[Origin, ...]:
    """Every origin that the strongest evidence about a resource allows; `actor`: the service that made it by itself, by
    an audit log; `plan`: what its other view says, where it has one.

    More than one only where the evidence is weak. What a tag or a name claims keeps its name when a log bears it out,
    so that it stays one cohort whether the log was read or not.
    """
    if resource.type != ResourceType.SNAPSHOT:
        return ()
    if plan and plan.origin and resource.origin in PLANNED:
        return (Origin(plan.origin, Evidence.FIELD, plan.rule),)
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


def plan_of(origin: str | None, facts: Mapping[str, Json]) -> Plan:
    """By what is recorded of another view."""
    return Plan(origin or "", str(facts.get(_STRAINS["facts"]) or "") if origin else "")


def viewed(uid: str, facts: Mapping[str, Json]) -> str:
    """Uid of what a recovery point is another view of: of a snapshot behind an image, that image."""
    image = _IMAGE.match(str(facts.get("description") or ""))
    return f"{uid.rpartition('snapshot/')[0]}image/{image[1]}" if image else uid


def teller(scope: Scope, origin: str) -> Scope | None:
    """Where it is told what a plan made in a scope, where that is another scope; `origin` is the plan."""
    kinds = [kind for kind in PLANNED.values() if origin.startswith(_PLAN) and scope.kind != kind]
    return replace(scope, kind=kinds[0]) if kinds else None


def is_plan(origin: str) -> bool:
    return origin.startswith(_PLAN)


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
