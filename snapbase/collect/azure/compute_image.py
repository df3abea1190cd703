"""Managed images (`Microsoft.Compute/images`): whoever may read one may start a machine of their own from it."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import flag, items, labels, lower, moment, number, section, text
from snapbase.collect.azure.managed import containers, incarnation, made_at, observe_each
from snapbase.collect.azure.roles import IMAGE
from snapbase.collect.azure.session import Subscription
from snapbase.collect.azure.urls import bare
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

LIST_IMAGES = "Microsoft.Compute/images/read"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every managed image of the subscription."""
    pages = subscription.pages(LIST_IMAGES, subscription.compute.images.list)
    return observe_each(subscription, IMAGE, (resource_of(each, scope.account) for page in pages for each in page))


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """An image as ARM describes it (Compute REST API, Image). An image's content never changes: a source that does is
    another image, also where ARM does not say when it was made."""
    properties = section(listed.get("properties"))
    storage = section(properties.get("storageProfile"))
    system = section(storage.get("osDisk"))
    disks = [section(each) for each in items(storage.get("dataDisks"))]
    address = text(listed.get("id")) or ""
    return Resource(
        uid=incarnation(address, made_at(listed)),
        address=address,
        name=text(listed.get("name")),
        created_at=moment(made_at(listed)),
        owner=account,
        source=lower(section(properties.get("sourceVirtualMachine")).get("id")) or _disk_source(system),
        encrypted=True,
        key=lower(section(system.get("diskEncryptionSet")).get("id")),
        guards=containers(address, account),
        attributes={
            "location": lower(listed.get("location")),
            "os_type": text(system.get("osType")),
            "os_state": text(system.get("osState")),
            "size_gb": number(system.get("diskSizeGB")),
            "data_disks": len(disks),
            "hyper_v_generation": text(properties.get("hyperVGeneration")),
            "zone_resilient": flag(storage.get("zoneResilient")),
        },
        facts={"disks": sorted(filter(None, (_disk_source(each) for each in (system, *disks))))},
        tags=labels(listed.get("tags")),
    )


def _disk_source(disk: Mapping[str, Any]) -> str | None:
    for name in ("snapshot", "managedDisk"):
        if found := lower(section(disk.get(name)).get("id")):
            return found
    return bare(disk.get("blobUri"))


COLLECTOR = Collector(
    kind="azure.compute.image",
    title="Managed images",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_IMAGES, *PERMISSIONS),
    calls=f"1 per page of images + {CALLS}",
    blind=(
        "That an image was made again from the same source, where ARM does not say when it was made; machines started "
        "from it."
    ),
)
