"""What snapshots and images have in common: names, times, encryption, lineage, and the policy read for each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from snapbase.collect.gcp.errors import CallFailed, ListTruncated, miss
from snapbase.collect.gcp.policy import grants
from snapbase.collect.gcp.roles import Reach
from snapbase.collect.gcp.session import Project
from snapbase.model import Limits, Observation, Resource

POLICY_VERSION = 3
"""Older versions of a policy come without their conditions (IAM documentation, policy versions)."""
_PASSING = frozenset({"CREATING", "UPLOADING", "PENDING", "READY", "DELETING"})
_CUSTOMER_SUPPLIED = Limits(unknown="encrypted with a customer-supplied key, which a reader must hold as well")
_LONGEST_DESCRIPTION = 256


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a snapshot or an image is encrypted; Google always does."""

    name: str
    """`google`, `cmek` (a key in Cloud KMS) or `csek` (a key that only the customer holds)."""
    key: str | None = None
    limits: Limits | None = None

    @classmethod
    def of(cls, key: Any) -> "Encryption":
        """From a `CustomerEncryptionKey`; without the key's version, which every rotation changes."""
        if key.kms_key_name:
            return cls("cmek", str(key.kms_key_name).partition("/cryptoKeyVersions/")[0])
        if key.sha256 or key.raw_key or key.rsa_encrypted_key:
            return cls("csek", limits=_CUSTOMER_SUPPLIED)
        return cls("google")


def observe(
    project: Project,
    location: str,
    operation: str,
    ask: Callable[[str], Any],
    reach: Reach,
    resources: Iterable[Resource],
) -> Iterator[Observation]:
    """Every resource with what its own policy grants; `ask(name)` fetches the policy.

    A policy that cannot be read is a miss of that resource alone; a resource that vanished meanwhile is left out.
    A list that breaks off is raised once everything listed until then has been yielded.
    """
    broken: list[CallFailed | ListTruncated] = []

    def listed() -> Iterator[Resource]:
        try:
            yield from resources
        except (CallFailed, ListTruncated) as error:
            broken.append(error)

    def read(resource: Resource) -> Observation | None:
        name = resource.name or ""
        try:
            policy = project.call(operation, location, lambda: ask(name))
        except CallFailed as error:
            if error.not_found:
                return None
            return Observation(resource, grants=None, miss=miss(error))
        return Observation(resource, grants(policy, reach))

    yield from (seen for seen in project.runtime.map(read, listed()) if seen is not None)
    if broken:
        raise broken[0]


def full_name(link: str) -> str | None:
    """`//compute.googleapis.com/projects/…` from a link or a partial path; None from nothing."""
    _, found, path = link.partition("projects/")
    return f"//compute.googleapis.com/projects/{path}" if found else link or None


def instant(text: str) -> datetime | None:
    """An RFC 3339 time in UTC; None where it cannot be read."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def guards(project: Project, key: str | None) -> tuple[str, ...]:
    """Whose state decides what a grant is worth: the project, whose bindings reach it too, and the key."""
    return (project.uid, key) if key else (project.uid,)


def failed(status: str) -> str | None:
    """A status worth keeping; None for those that every resource passes through."""
    return None if not status or status in _PASSING else status


def described(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_DESCRIPTION]


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the cloud did not say."""
    return {name: value for name, value in values.items() if value not in (None, "", [], 0, False)}
