"""What the kinds below a resource group have in common: where they lie, who holds roles on them, their network."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import Assignments, assignments_of
from snapbase.collect.azure.errors import Unread, classify
from snapbase.collect.azure.fields import choice, labels, lower, moment, number, section, text
from snapbase.collect.azure.roles import Thing
from snapbase.collect.azure.session import Subscription
from snapbase.model import (
    Access,
    Grant,
    Json,
    Limits,
    Miss,
    Observation,
    Principal,
    PrincipalKind,
    Resource,
    ResourceType,
)

SAS = Grant(Principal(PrincipalKind.BEARER, "sas"), Access.READ, "azure:beginGetAccess")
"""A live download link. ARM tells only that there is one: not who asked for it, nor until when."""
NETWORK = ("AllowAll", "AllowPrivate", "DenyAll")
PUBLIC_ACCESS = ("Enabled", "Disabled")
_LIVE = frozenset({"activesas", "activesasfrozen"})
_BEING_MADE = frozenset({"creating", "updating"})


def shared_of(subscription: Subscription) -> Assignments | Miss:
    """The subscription's role assignments, or why they are unknown."""
    try:
        return assignments_of(subscription)
    except Unread as error:
        miss = classify(error)
        if miss is None:
            raise
        return miss


def observe(
    resource: Resource,
    thing: Thing,
    shared: Assignments | Miss,
    own: Iterable[Grant] = (),
    own_words: str = "",
    also: Iterable[str] = (),
) -> Observation:
    """A resource with its own grants and those of the roles held on it, or at scopes that are no resources of any kind
    here (`also`). Where the roles are unknown so is the sharing as a whole; the reason then says what is known of it
    (`own_words`)."""
    scopes = [each.lower() for each in (resource.address, *also)]
    misses = (shared,) if isinstance(shared, Miss) else filter(None, map(shared.misses.get, scopes))
    miss = next(iter(misses), None)
    if miss is not None:
        reason = f"{miss.reason}; {own_words}" if own_words else miss.reason
        return Observation(resource, None, Miss(miss.outcome, reason))
    grants = set() if isinstance(shared, Miss) else {grant for each in scopes for grant in shared.on(each, thing)}
    return Observation(resource, frozenset(grants.union(own)))


def observe_each(
    subscription: Subscription,
    thing: Thing,
    resources: Iterable[Resource],
    also: Callable[[Resource], Iterable[str]] = lambda _: (),
) -> Iterator[Observation]:
    """Every resource once, with the roles held on it (and at `also(resource)`) and a live SAS. Lists are not
    transactions: what is created or deleted meanwhile moves others to another page."""
    shared = shared_of(subscription)
    seen = set()
    for resource in resources:
        if resource.uid not in seen:
            seen.add(resource.uid)
            live = resource.attributes.get("live_sas")
            words = "a SAS is live on it" if live else ""
            yield observe(resource, thing, shared, (SAS,) if live else (), words, also(resource))


def storage(
    listed: Mapping[str, Any],
    account: str,
    *,
    source: str | None,
    attributes: Mapping[str, Json],
    facts: Mapping[str, Json] | None = None,
    sort: str = ResourceType.SNAPSHOT,
) -> Resource:
    """A managed disk or snapshot: what both tell in the same fields (Compute REST API), and beside it what only its
    kind tells. API versions before 2020 do not send uniqueId, which never comes back.

    `encrypted` is always true: managed storage encrypts at rest, and `key` is the disk encryption set where the key is
    the customer's.
    """
    properties = section(listed.get("properties"))
    encryption = section(properties.get("encryption"))
    address = text(listed.get("id")) or ""
    return Resource(
        uid=lower(properties.get("uniqueId")) or incarnation(address, properties.get("timeCreated")),
        address=address,
        type=sort,
        name=text(listed.get("name")),
        created_at=moment(properties.get("timeCreated")),
        owner=account,
        source=source,
        encrypted=True,
        key=lower(encryption.get("diskEncryptionSetId")),
        guards=containers(address, account),
        limits=network_limits(properties),
        attributes={
            "location": lower(listed.get("location")),
            "sku": text(section(listed.get("sku")).get("name")),
            **network_attributes(properties),
            "data_access_auth_mode": choice(properties.get("dataAccessAuthMode"), "AzureActiveDirectory", "None"),
            "encryption_type": text(encryption.get("type")),
            "size_gb": number(properties.get("diskSizeGB")),
            "os_type": text(properties.get("osType")),
            "live_sas": is_live(listed) or None,  # a grant too; this shows it while the roles beside it cannot be read
            **attributes,
        },
        facts=facts or {},
        tags=labels(listed.get("tags")),
    )


def containers(address: str, account: str) -> tuple[str, ...]:
    """Resource group and subscription. Management groups lie behind the subscription: named here, the first role
    assignment on one would rewrite every snapshot below it."""
    parts = address.lower().strip("/").split("/")
    subscription = f"/subscriptions/{account}"
    if len(parts) > 3 and parts[2] == "resourcegroups":
        return (f"{subscription}/resourcegroups/{parts[3]}", subscription)
    return (subscription,)


def group_and_name(address: str) -> tuple[str, str]:
    """The resource group and the name of a resource directly in it, as its SDK wants them."""
    parts = address.strip("/").split("/")
    return (parts[3] if len(parts) > 3 else "", parts[7] if len(parts) > 7 else "")


def incarnation(address: str, born: Any) -> str:
    """The identity of what has no unique id: names come back, but not at the same moment."""
    return f"{address.lower()}@{text(born) or ''}"


def made_at(listed: Mapping[str, Any]) -> Any:
    return section(listed.get("systemData")).get("createdAt")


def unborn(listed: Mapping[str, Any]) -> bool:
    """Still being made and without an identity: it is a resource once it has one."""
    properties = section(listed.get("properties"))
    being_made = (lower(properties.get("provisioningState")) or "") in _BEING_MADE
    return being_made and not properties.get("uniqueId") and not properties.get("timeCreated")


def is_live(listed: Mapping[str, Any]) -> bool:
    """Whether somebody holds a download link."""
    return (lower(section(listed.get("properties")).get("diskState")) or "") in _LIVE


def network_attributes(properties: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        "network_access_policy": choice(properties.get("networkAccessPolicy"), *NETWORK),
        "public_network_access": choice(properties.get("publicNetworkAccess"), *PUBLIC_ACCESS),
        "disk_access": lower(properties.get("diskAccessId")),
    }


def network_limits(properties: Mapping[str, Any]) -> Limits | None:
    """What a resource's own network settings do to a download link: it works from the open internet only where both
    are open; AllowPrivate lets it through a private endpoint alone."""
    policy = choice(properties.get("networkAccessPolicy"), *NETWORK)
    public = choice(properties.get("publicNetworkAccess"), *PUBLIC_ACCESS)
    if policy in ("DenyAll", "AllowPrivate") or public == "Disabled":
        return Limits(blocks=(PrincipalKind.BEARER,))
    for value, known in ((policy, NETWORK), (public, PUBLIC_ACCESS)):
        if value is not None and value not in known:
            return Limits(unknown=f"network setting {value[:40]!r} is not one this version knows")
    return None
