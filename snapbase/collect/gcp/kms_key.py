"""`gcp.kms.key`: the keys that snapshots, images, machine images and disks name, and who may use them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.cloud import regions
from snapbase.collect.gcp.errors import CallFailed, ListTruncated, Unread, miss
from snapbase.collect.gcp.key_policies import RINGS, Key, KeyPolicies
from snapbase.collect.gcp.resource import Api, Encryption, aggregated, instant, known, listed
from snapbase.collect.gcp.session import Project
from snapbase.model import Limits, Miss, Observation, Outcome, Resource, ResourceType, Scope

_GLOBAL = (
    (Api("SnapshotsClient", "snapshots"), "snapshot_encryption_key"),
    (Api("ImagesClient", "images"), "image_encryption_key"),
    (Api("MachineImagesClient", "machineImages"), "machine_image_encryption_key"),
)
_REGIONAL = Api("RegionSnapshotsClient", "regionSnapshots")
_GONE = "NOT_FOUND"
"""Instead of a version's state: something is encrypted with a key that is not there."""

_PASSING = (Outcome.THROTTLED, Outcome.FAILED)


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    """Every key that something in the project names, whichever project it lies in; raises at the end if any of the
    lists that name them, or of the policies that decide about them, could not be read completely. A key that could not
    be read just now is left out, so that it stays what it was last; of one that we may not read it is said why."""
    missed: list[Miss] = []
    names = {name for found in _lists(project, scope.location, missed) for name in found}
    keys = filter(None, map(Key.of, sorted(names)))
    for seen, failures in project.runtime.map(partial(_observe, project), keys):
        missed.extend(failures)
        if all(each.outcome not in _PASSING for each in failures):
            yield seen
    if missed:
        raise Unread(missed[0])


def _lists(project: Project, location: str, missed: list[Miss]) -> Iterator[set[str]]:
    """The names of keys in each list, as far as it can be read."""
    for api, field in _GLOBAL:
        yield _named(listed(project, api, location), field, missed)
    yield _named((disk for _, disk in _disks(project, location)), "disk_encryption_key", missed)
    try:
        places = regions(project)
    except (CallFailed, ListTruncated) as error:
        missed.append(miss(error))
        return

    def regional(region: str) -> set[str]:
        return _named(listed(project, _REGIONAL, region), "snapshot_encryption_key", missed)

    yield from project.runtime.map(regional, places)


def _disks(project: Project, location: str) -> Iterator[tuple[str, Any]]:
    return aggregated(project, location, Api("DisksClient", "disks"), "disks")


def _named(items: Iterable[Any], field: str, missed: list[Miss]) -> set[str]:
    names: set[str] = set()
    try:
        for item in items:
            if key := Encryption.of(getattr(item, field)).key:
                names.add(key)
    except (CallFailed, ListTruncated) as error:
        missed.append(miss(error))
    return names


def _observe(project: Project, key: Key) -> tuple[Observation, tuple[Miss, ...]]:
    session = project.session
    failures: tuple[Miss, ...] = ()
    found: Mapping[str, Any] = {}
    try:
        found = session.get(f"{RINGS}.cryptoKeys.get", key.project, key.location, "cloudkms", f"v1/{key.name}")
    except CallFailed as error:
        if error.not_found:
            gone = {"primary": {"state": _GONE}}
            return Observation(_resource(key, gone, Limits(unknown=f"there is no key {key.name}"))), ()
        failures = (miss(error),)
    limits, unread = KeyPolicies.of(session).limits(key)
    return Observation(_resource(key, found, limits)), (*failures, *unread)


def _resource(key: Key, found: Mapping[str, Any], limits: Limits) -> Resource:
    """Which version is the primary, and when the next one comes, changes with every rotation and is left out."""
    primary = found.get("primary", {})
    attributes = {
        "state": primary.get("state"),
        "protection_level": primary.get("protectionLevel"),
        "rotation_period": found.get("rotationPeriod"),
    }
    return Resource(
        uid=key.name,
        address=key.name,
        type=ResourceType.GUARDRAIL,
        name=key.name.rpartition("/")[2],
        created_at=instant(str(found.get("createTime", ""))),
        owner=key.project,
        limits=limits,
        attributes=known(attributes),
        facts=known({"destroy_time": primary.get("destroyTime")}),
        tags=dict(found.get("labels", {})),
    )


COLLECTOR = Collector(
    kind="gcp.kms.key",
    title="Cloud KMS keys that snapshots, images, machine images and disks name",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=(
        "cloudkms.cryptoKeys.get",
        "cloudkms.cryptoKeys.getIamPolicy",
        "cloudkms.keyRings.getIamPolicy",
        "compute.disks.list",
        "compute.images.list",
        "compute.machineImages.list",
        "compute.regions.list",
        "compute.snapshots.list",
        "iam.roles.get",
        "resourcemanager.folders.get",
        "resourcemanager.folders.getIamPolicy",
        "resourcemanager.organizations.getIamPolicy",
        "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy",
    ),
    calls="1 per 500 of each of 4 lists + 1 per region + 2 per key, 1 per key ring, 2 per project that holds keys, 2 "
    "per folder and 1 per organisation above",
    blind="Keys that nothing here names, and those of Cloud SQL backups and Backup and DR vaults; versions other than "
    "the primary; members of groups and of identity pools; what roles under a condition and unreadable custom roles "
    "let in (it counts as unknown); deny policies and access boundaries.",
    shares=False,
)
