"""Images of other accounts that are shared with this one, its organisation or its unit: what our machines may run."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from snapbase.collect.aws.session import Region, tags
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Those with a launch permission for us, not the public ones (EC2 API: ExecutableUsers `self`)."""
    listed = region.pages(
        "ec2", "DescribeImages", "Images", ExecutableUsers=["self"], IncludeDeprecated=True, MaxResults=1000
    )
    return (Observation(_resource(region, each)) for each in listed if each.get("OwnerId") != region.account)


def _resource(region: Region, image: dict[str, Any]) -> Resource:
    arn = f"arn:{region.partition}:ec2:{region.region}::image/{image['ImageId']}"
    return Resource(
        uid=f"{arn}@incoming:{region.account}",
        address=arn,
        name=image.get("Name"),
        created_at=datetime.fromisoformat(image["CreationDate"]) if image.get("CreationDate") else None,
        owner=image.get("OwnerId"),
        source=image.get("SourceImageId"),
        attributes={"direction": "incoming", "state": image.get("State"), "public": bool(image.get("Public"))},
        tags=tags(image.get("Tags")),
        subject=arn,
    )


COLLECTOR = Collector(
    kind="aws.ec2.incoming-image",
    title="images shared with us",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:DescribeImages",),
    calls="1 per 1,000",
    blind="Public images; images that the region's Allowed AMIs setting hides; whether anybody launched one.",
    shares=False,
)
