"""Image versions in compute galleries: the data that a gallery's shares give away."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.compute_gallery import LIST_GALLERIES, galleries_of
from snapbase.collect.azure.compute_gallery import resource_of as gallery_of
from snapbase.collect.azure.errors import Unread, is_gone
from snapbase.collect.azure.fields import flag, items, labels, lower, moment, section, text
from snapbase.collect.azure.managed import group_and_name, incarnation, observe_each
from snapbase.collect.azure.roles import GALLERY
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

LIST_IMAGES = "Microsoft.Compute/galleries/images/read"
LIST_VERSIONS = "Microsoft.Compute/galleries/images/versions/read"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every image version of every gallery of the subscription."""
    holders = (gallery_of(each, scope.account) for each in galleries_of(subscription))
    versions = (resource_of(each, holder) for holder in holders for each in _versions(subscription, holder.address))
    yield from observe_each(subscription, GALLERY, versions, _definition)


def _definition(version: Resource) -> tuple[str]:
    """Its image definition, which is shared by role like a gallery or a version (Share gallery resources using RBAC)
    and holds no data beside its versions."""
    return (version.address.lower().rpartition("/versions/")[0],)


def _versions(subscription: Subscription, gallery: str) -> Iterator[Mapping[str, Any]]:
    compute = subscription.compute
    place = group_and_name(gallery)
    images = partial(compute.gallery_images.list_by_gallery, *place)
    for image in _there(subscription, LIST_IMAGES, images):
        name = text(image.get("name")) or ""
        yield from _there(
            subscription, LIST_VERSIONS, partial(compute.gallery_image_versions.list_by_gallery_image, *place, name)
        )


def _there(subscription: Subscription, operation: str, listing: Any) -> Iterator[Mapping[str, Any]]:
    """A list inside something that may have been deleted since it was listed."""
    try:
        for page in subscription.pages(operation, listing):
            yield from page
    except Unread as error:
        if not is_gone(error):
            raise


def resource_of(listed: Mapping[str, Any], gallery: Resource) -> Resource:
    """A version as ARM describes it (Compute REST API, Gallery Image Version). Its gallery is one of its guards, so
    that a share of the gallery tells how many it gives away."""
    properties = section(listed.get("properties"))
    publishing = section(properties.get("publishingProfile"))
    storage = section(properties.get("storageProfile"))
    safety = section(properties.get("safetyProfile"))
    address = text(listed.get("id")) or ""
    regions = [section(each) for each in items(publishing.get("targetRegions"))]
    return Resource(
        uid=incarnation(address, publishing.get("publishedDate")),
        address=address,
        name="/".join(address.strip("/").split("/")[9::2]) or text(listed.get("name")),
        created_at=moment(publishing.get("publishedDate")),
        owner=gallery.owner,
        source=_source(storage),
        encrypted=True,
        key=_key(regions),
        guards=(gallery.uid, *gallery.guards),
        attributes={
            "location": lower(listed.get("location")),
            "regions": sorted(filter(None, (text(each.get("name")) for each in regions))),
            "exclude_from_latest": flag(publishing.get("excludeFromLatest")),
            "deletion_protection": flag(safety.get("blockDeletionBeforeEndOfLife")) or False,
        },
        tags=labels(listed.get("tags")),
    )


def _source(storage: Mapping[str, Any]) -> str | None:
    system = section(section(storage.get("osDiskImage")).get("source"))
    source = section(storage.get("source"))
    for each in (source.get("id"), source.get("virtualMachineId"), system.get("id"), system.get("storageAccountId")):
        if found := lower(each):
            return found
    return None


def _key(regions: list[Mapping[str, Any]]) -> str | None:
    for region in regions:
        system = section(section(region.get("encryption")).get("osDiskImage"))
        if found := lower(system.get("diskEncryptionSetId")):
            return found
    return None


COLLECTOR = Collector(
    kind="azure.compute.gallery-version",
    title="Image versions in compute galleries",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_GALLERIES, LIST_IMAGES, LIST_VERSIONS, *PERMISSIONS),
    calls=f"1 per gallery (shared with the galleries) + 1 per gallery + 1 per image definition + {CALLS}",
    blind="Versions that were deleted and can still be brought back; machines started from one.",
)
