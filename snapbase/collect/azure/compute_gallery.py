"""Compute galleries: shared with subscriptions and tenants directly, with everybody as a community gallery."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.errors import Unread, is_gone
from snapbase.collect.azure.fields import choice, flag, items, labels, lower, moment, number, section, text
from snapbase.collect.azure.managed import containers, group_and_name, incarnation, made_at, observe, shared_of
from snapbase.collect.azure.roles import GALLERY
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import (
    Access,
    Grant,
    Limits,
    Miss,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Resource,
    ResourceType,
    Scope,
)

LIST_GALLERIES = "Microsoft.Compute/galleries/read"
COMMUNITY = Grant(Principal(PrincipalKind.PUBLIC, "community"), Access.LAUNCH, "azure.gallery/community")
_MODES = ("Private", "Groups", "Community")
_GROUPS = {"subscriptions": PrincipalKind.SUBSCRIPTION, "aadtenants": PrincipalKind.TENANT}


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every gallery of the subscription, with whom it is shared."""
    shared = shared_of(subscription)
    for gallery in galleries_of(subscription):
        resource = resource_of(gallery, scope.account)
        found = sharing_of(gallery)
        if isinstance(found, Miss):
            yield Observation(resource, None, found)
        else:
            words = "it is a community gallery, open to everyone" if COMMUNITY in found else ""
            yield observe(resource, GALLERY, shared, found, words)


def galleries_of(subscription: Subscription) -> list[Mapping[str, Any]]:
    """Every gallery as its own get answers it, asked once for all kinds: a list leaves the share groups out, and so
    does a get without `SharingProfile/Groups` (Compute REST API, Galleries)."""
    return subscription.runtime.once(("azure.galleries", subscription.id), lambda: list(_galleries(subscription)))


def _galleries(subscription: Subscription) -> Iterator[Mapping[str, Any]]:
    galleries = subscription.compute.galleries
    for page in subscription.pages(LIST_GALLERIES, galleries.list):
        for listed in page:
            group, name = group_and_name(text(listed.get("id")) or "")
            get = partial(galleries.get, group, name, expand="SharingProfile/Groups")
            try:
                yield subscription.get(LIST_GALLERIES, get)
            except Unread as error:
                if not is_gone(error):
                    raise


def sharing_of(gallery: Mapping[str, Any]) -> frozenset[Grant] | Miss:
    """Whom a gallery is shared with; a `Miss` where it says so in a way this version does not understand."""
    profile = section(section(gallery.get("properties")).get("sharingProfile"))
    mode = choice(profile.get("permissions"), *_MODES)
    groups = profile.get("groups")
    if mode not in (None, *_MODES) or not (groups is None or isinstance(groups, list)):
        return Miss(Outcome.FAILED, f"its sharing profile {str(mode)[:40]!r} is not one this version knows")
    found = {COMMUNITY} if mode == "Community" else set()
    for group in items(groups):
        kind = _GROUPS.get(lower(section(group).get("type")) or "", PrincipalKind.OTHER)
        for each in items(section(group).get("ids")):
            holder = Principal(kind, lower(each) or "unknown")
            found.add(Grant(holder, Access.LAUNCH, "azure.gallery/direct sharing"))
    return frozenset(found)


def resource_of(gallery: Mapping[str, Any], account: str) -> Resource:
    """A gallery; what lies in it are its image versions."""
    properties = section(gallery.get("properties"))
    profile = section(properties.get("sharingProfile"))
    deletion = section(properties.get("softDeletePolicy"))
    address = text(gallery.get("id")) or ""
    return Resource(
        uid=incarnation(address, made_at(gallery)),
        address=address,
        type=ResourceType.CONTAINER,
        name=text(gallery.get("name")),
        created_at=moment(made_at(gallery)),
        owner=account,
        guards=containers(address, account),
        limits=_limits(profile),
        attributes={
            "location": lower(gallery.get("location")),
            # Grants too; this shows them while the roles beside them cannot be read.
            "shared_with": _names(gallery),
            "deletion_protection": flag(deletion.get("isSoftDeleteEnabled")) or False,
            "soft_delete_days": number(deletion.get("retentionPeriodInDays")),
        },
        tags=labels(gallery.get("tags")),
    )


def _names(gallery: Mapping[str, Any]) -> list[str] | None:
    found = sharing_of(gallery)
    return None if isinstance(found, Miss) else sorted(f"{g.principal.kind} {g.principal.id}" for g in found) or None


def _limits(profile: Mapping[str, Any]) -> Limits | None:
    """A community gallery that was not switched on yet is one command away from being public."""
    community = section(profile.get("communityGalleryInfo"))
    if flag(community.get("communityGalleryEnabled")) is False:
        return Limits(blocks=(PrincipalKind.PUBLIC,))
    return None


COLLECTOR = Collector(
    kind="azure.compute.gallery",
    title="Compute galleries",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_GALLERIES, *PERMISSIONS),
    calls=f"1 per page of galleries + 1 per gallery + {CALLS}",
    blind="Machines that others start from it; invitations that were not accepted yet; apps of a gallery.",
)
