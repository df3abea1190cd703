"""Images written to S3 buckets (ExportImage, CreateStoreImageTask): copies of disks outside EC2."""

from collections.abc import Iterator

from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Observation, Principal, PrincipalKind, Resource, Scope

_FAILED = frozenset({"failed", "deleting", "deleted", "cancelled"})


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """One per image that AWS remembers to have been written out; both lists are read before any is told of."""
    ways: dict[str, set[Grant]] = {}
    for image_id, grant in (*_exports(region), *_stores(region)):
        ways.setdefault(image_id, set()).add(grant)
    for image_id, grants in sorted(ways.items()):
        yield Observation(_resource(region, image_id), frozenset(grants))


def _exports(region: Region) -> Iterator[tuple[str, Grant]]:
    for task in region.pages("ec2", "DescribeExportImageTasks", "ExportImageTasks", MaxResults=500):
        bucket = (task.get("S3ExportLocation") or {}).get("S3Bucket")
        if bucket and task.get("ImageId") and str(task.get("Status")).lower() not in _FAILED:
            yield task["ImageId"], _grant(bucket, "ec2:ExportImage")


def _stores(region: Region) -> Iterator[tuple[str, Grant]]:
    for task in region.pages("ec2", "DescribeStoreImageTasks", "StoreImageTaskResults", MaxResults=200):
        if task.get("Bucket") and str(task.get("StoreTaskState")).lower() not in _FAILED:
            yield task["AmiId"], _grant(task["Bucket"], "ec2:CreateStoreImageTask")


def _grant(bucket: str, mechanism: str) -> Grant:
    """Whoever may read the bucket. EC2 does not say whose it is, and it can be another account's."""
    return Grant(Principal(PrincipalKind.OTHER, f"s3://{bucket}"), Access.READ, mechanism)


def _resource(region: Region, image_id: str) -> Resource:
    arn = f"arn:{region.partition}:ec2:{region.region}::image/{image_id}"
    return Resource(
        uid=f"{arn}/exports",
        address=arn,
        name=f"{image_id} in S3",
        owner=region.account,
        source=arn,
        origin="image-export",
        subject=arn,
    )


COLLECTOR = Collector(
    kind="aws.ec2.image-export",
    title="images written to S3",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:DescribeExportImageTasks", "ec2:DescribeStoreImageTasks"),
    calls="1 per 500 + 1 per 200",
    blind=(
        "Whose the bucket is and who may read it; tasks that AWS has forgotten (CreateStoreImageTask's after 31 days), "
        "whose objects may still be there; exports of instances."
    ),
)
