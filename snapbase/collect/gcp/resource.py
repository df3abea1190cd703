"""What Compute Engine's resources have in common: names, times, encryption, lineage, and the policy read for each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from snapbase.collect.gcp.errors import CallFailed, ListTruncated, miss
from snapbase.collect.gcp.policy import grants
from snapbase.collect.gcp.roles import Reach
from snapbase.collect.gcp.session import PAGE, UNRETRIED, Project
from snapbase.model import Json, Limits, Observation, Resource, ResourceType

POLICY_VERSION = 3
"""Older versions of a policy come without their conditions (IAM documentation, policy versions)."""
_PASSING = frozenset({"CREATING", "UPLOADING", "PENDING", "READY", "DELETING"})
_CUSTOMER_SUPPLIED = Limits(unknown="encrypted with a customer-supplied key, which a reader must hold as well")
_LONGEST_DESCRIPTION = 256
_ROOT = "//compute.googleapis.com/"


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a snapshot or an image is encrypted; Google always does."""

    name: str | None = None
    """`google`, `cmek` (a key in Cloud KMS) or `csek` (a key that only the customer holds); None: not told."""
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


@dataclass(frozen=True, slots=True)
class Api:
    """One of the APIs that serve a sort of resource: where its resources lie decides which."""

    client: str
    """Class of google-cloud-compute: `RegionSnapshotsClient`."""
    name: str
    """As in its operations: `regionSnapshots`."""


def compute_resource(
    project: Project,
    path: str,
    each: Any,
    encryption: Encryption,
    *,
    source: str,
    attributes: Mapping[str, Json],
    facts: Mapping[str, Json] | None = None,
    origin: str | None = None,
    sort: str = ResourceType.SNAPSHOT,
) -> Resource:
    """A disk or one of its copies: what all of them tell in the same fields, and beside it what only its kind tells."""
    return Resource(
        uid=f"{path}/{each.id}",
        address=f"{path}/{each.name}",
        type=sort,
        name=each.name,
        created_at=instant(each.creation_timestamp),
        owner=project.id,
        source=full_name(source),
        origin=origin,
        encrypted=True,
        key=encryption.key,
        guards=guards(project, encryption.key),
        limits=encryption.limits,
        attributes=known({"status": failed(each.status), **attributes, "encryption": encryption.name}),
        facts=known({"description": described(each.description), **(facts or {})}),
        tags=dict(each.labels),
    )


def policies(project: Project, apis: Mapping[str, Api]) -> Callable[[Resource], Any]:
    """What fetches a resource's own policy; `apis` by `global`, `regions` or `zones`. Raises `CallFailed`."""

    def fetch(resource: Resource) -> Any:
        _, _, kind, place = resource.address.removeprefix(_ROOT).split("/")[:4]
        api, location = apis[kind], "global" if kind == "global" else place
        request = {"project": project.id, "resource": resource.name, "options_requested_policy_version": POLICY_VERSION}
        if kind != "global":
            request[kind.removesuffix("s")] = place
        client = project.session.compute(api.client)
        operation = f"compute.{api.name}.getIamPolicy"
        return project.call(operation, location, lambda: client.get_iam_policy(request=request, **UNRETRIED))

    return fetch


def observe(
    project: Project, policy: Callable[[Resource], Any], reach: Reach, resources: Iterable[Resource]
) -> Iterator[Observation]:
    """Every resource with what its own policy grants; `policy(resource)` fetches it.

    A policy that cannot be read is a miss of that resource alone; a resource that vanished meanwhile is left out.
    A list that breaks off is raised once everything listed until then has been yielded.
    """
    broken: list[CallFailed | ListTruncated] = []

    def unbroken() -> Iterator[Resource]:
        try:
            yield from resources
        except (CallFailed, ListTruncated) as error:
            broken.append(error)

    def read(resource: Resource) -> Observation | None:
        try:
            found = policy(resource)
        except CallFailed as error:
            return None if error.not_found else Observation(resource, grants=None, miss=miss(error))
        try:
            return Observation(resource, grants(found, reach, project.session.roles.permissions))
        except CallFailed as error:
            return Observation(resource, grants=None, miss=miss(error))

    yield from (seen for seen in project.runtime.map(read, unbroken()) if seen is not None)
    if broken:
        raise broken[0]


def listed(project: Project, api: Api, location: str) -> Iterator[Any]:
    """Everything in the list of a project, or in that of one of its regions."""
    client = project.session.compute(api.client)
    where = {"project": project.id} if location == "global" else {"project": project.id, "region": location}

    def page(token: str) -> Any:
        return client.list(request={**where, "max_results": PAGE, "page_token": token}, **UNRETRIED)

    for answer in project.pages(f"compute.{api.name}.list", location, page):
        yield from answer.items


def aggregated(project: Project, location: str, api: Api, field: str) -> Iterator[tuple[str, Any]]:
    """Everything in all zones and regions of a project as (`zones/europe-west1-b`, item)."""
    client = project.session.compute(api.client)

    def page(token: str) -> Any:
        request = {"project": project.id, "max_results": PAGE, "page_token": token}
        return client.aggregated_list(request=request, **UNRETRIED)

    for answer in project.pages(f"compute.{api.name}.aggregatedList", location, page):
        for scope, part in sorted(answer.items.items()):
            yield from ((scope, each) for each in getattr(part, field))


def root(project: Project, place: str, collection: str) -> str:
    """What the full names of a project's resources of one sort begin with; `place` as in `regions/europe-west1`."""
    return f"{_ROOT}projects/{project.id}/{place}/{collection}"


def full_name(link: str) -> str | None:
    """`//compute.googleapis.com/projects/…` from a link or a partial path; None from nothing."""
    _, found, path = link.partition("projects/")
    return f"{_ROOT}projects/{path}" if found else link or None


def instant(text: str) -> datetime | None:
    """An RFC 3339 time in UTC; None where it cannot be read."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def guards(project: Project, key: str | None) -> tuple[str, ...]:
    """Whose state decides what a grant is worth: the project and all above it, whose bindings reach it, and the key."""
    return (project.uid, *project.above, *((key,) if key else ()))


def failed(status: str) -> str | None:
    """A status worth keeping; None for those that every resource passes through."""
    return None if not status or status in _PASSING else status


def described(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_DESCRIPTION]


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the cloud did not say."""
    return {name: value for name, value in values.items() if value not in (None, "", [], 0, False)}
