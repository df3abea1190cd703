"""What a region's own settings forbid: block public access of snapshots and images, encryption by default."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.errors import CallFailed
from snapbase.collect.aws.session import Region, missed
from snapbase.collect.collector import Collector, Where
from snapbase.model import Json, Limits, Observation, PrincipalKind, Resource, ResourceType, Scope

_SETTINGS = {
    "snapshot_block_public_access": ("GetSnapshotBlockPublicAccessState", "State"),
    "image_block_public_access": ("GetImageBlockPublicAccessState", "ImageBlockPublicAccessState"),
    "encryption_by_default": ("GetEbsEncryptionByDefault", "EbsEncryptionByDefault"),
    "default_key": ("GetEbsDefaultKmsKeyId", "KmsKeyId"),
}


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """One guardrail with all settings that could be read; then raises if one could not."""
    attributes: dict[str, Json] = {}
    failed: list[CallFailed] = []
    for name, (operation, field) in _SETTINGS.items():
        try:
            answer = region.call("ec2", operation)
        except CallFailed as error:
            failed.append(error)
            continue
        attributes[name] = answer.get(field)
        if name.endswith("block_public_access") and answer.get("ManagedBy"):
            attributes[f"{name}_managed_by"] = answer["ManagedBy"]
    if attributes:
        yield Observation(_resource(region, attributes, failed))
    if failed:
        raise failed[0]


def _resource(region: Region, attributes: dict[str, Json], failed: list[CallFailed]) -> Resource:
    return Resource(
        uid=region.settings_uid,
        address=region.settings_uid,
        type=ResourceType.GUARDRAIL,
        name=f"the settings of {region.region}",
        owner=region.account,
        limits=_limits(attributes.get("snapshot_block_public_access"), failed),
        attributes=attributes,
    )


def _limits(state: Any, failed: list[CallFailed]) -> Limits:
    if state is None and failed:
        return Limits(unknown=f"block public access was not read: {missed(failed[0]).reason}")
    # block-new-sharing leaves what is public public (EnableSnapshotBlockPublicAccess).
    return Limits(blocks=(PrincipalKind.PUBLIC,) if state == "block-all-sharing" else ())


COLLECTOR = Collector(
    kind="aws.ec2.region-settings",
    title="region settings",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=tuple(f"ec2:{operation}" for operation, _ in _SETTINGS.values()),
    calls="4",
    blind="Who may change them.",
    shares=False,
    events={"DisableSnapshotBlockPublicAccess": "public sharing allowed"},
)
