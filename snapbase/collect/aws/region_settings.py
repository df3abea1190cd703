"""What a region's own settings forbid: block public access of snapshots and images, encryption by default."""

from collections.abc import Iterator

from snapbase.collect.aws.errors import CallFailed
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Json, Limits, Observation, PrincipalKind, Resource, ResourceType, Scope

_SETTINGS = {
    "snapshot_block_public_access": ("GetSnapshotBlockPublicAccessState", "State"),
    "image_block_public_access": ("GetImageBlockPublicAccessState", "ImageBlockPublicAccessState"),
    "encryption_by_default": ("GetEbsEncryptionByDefault", "EbsEncryptionByDefault"),
    "default_key": ("GetEbsDefaultKmsKeyId", "KmsKeyId"),
}
_GUARD = "snapshot_block_public_access"
"""The setting that public grants of snapshots are behind: its uid is the region's `settings_uid`."""


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """One guardrail per setting, so that one which cannot be read does not read as taken down; then raises for it."""
    failed: list[CallFailed] = []
    for name, (operation, field) in _SETTINGS.items():
        try:
            answer = region.call("ec2", operation)
        except CallFailed as error:
            failed.append(error)
            continue
        managed = {f"{name}_managed_by": answer["ManagedBy"]} if answer.get("ManagedBy") else {}
        yield Observation(_resource(region, name, {name: answer.get(field), **managed}))
    if failed:
        raise failed[0]


def _resource(region: Region, name: str, attributes: dict[str, Json]) -> Resource:
    uid = region.settings_uid if name == _GUARD else f"{region.settings_uid}/{name.replace('_', '-')}"
    # block-new-sharing leaves what is public public (EnableSnapshotBlockPublicAccess).
    blocked = name == _GUARD and attributes[name] == "block-all-sharing"
    return Resource(
        uid=uid,
        address=uid,
        type=ResourceType.GUARDRAIL,
        name=f"{name.replace('_', ' ')} of {region.region}",
        owner=region.account,
        limits=Limits(blocks=(PrincipalKind.PUBLIC,) if blocked else ()) if name == _GUARD else None,
        attributes=attributes,
    )


COLLECTOR = Collector(
    kind="aws.ec2.region-settings",
    title="region settings",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=tuple(f"ec2:{operation}" for operation, _ in _SETTINGS.values()),
    calls="4",
    blind="Who may change them.",
    shares=False,
)
