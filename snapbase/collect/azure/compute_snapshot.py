"""Managed disk snapshots (`Microsoft.Compute/snapshots`): who can mint a link to the data, and whether one is live."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from snapbase.collect.azure.assignments import LIST_ASSIGNMENTS, READ_ROLES, Assignments, assignments_of
from snapbase.collect.azure.errors import Unread, classify
from snapbase.collect.azure.fields import choice, flag, labels, lower, moment, number, section, text
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Json, Limits, Miss, Observation, Principal, PrincipalKind, Resource, Scope

LIST_SNAPSHOTS = "Microsoft.Compute/snapshots/read"
SAS = Grant(Principal(PrincipalKind.BEARER, "sas"), Access.READ, "azure:beginGetAccess")
"""A live download link. ARM tells only that there is one: not who asked for it, nor until when."""

_NETWORK = ("AllowAll", "AllowPrivate", "DenyAll")
_PUBLIC_ACCESS = ("Enabled", "Disabled")
_LIVE = frozenset({"activesas", "activesasfrozen"})
_BEING_MADE = frozenset({"creating", "updating"})


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every snapshot of the subscription, in all its regions."""
    shared = _shared(subscription)
    seen = set()
    for page in subscription.pages(LIST_SNAPSHOTS, subscription.compute.snapshots.list):
        for listed in page:
            if _unborn(listed):
                continue
            resource = resource_of(listed, scope.account)
            # Lists are not transactions: what is created or deleted meanwhile moves others to another page.
            if resource.uid not in seen:
                seen.add(resource.uid)
                yield _observe(resource, _is_live(listed), shared)


def _shared(subscription: Subscription) -> Assignments | Miss:
    try:
        return assignments_of(subscription)
    except Unread as error:
        miss = classify(error)
        if miss is None:
            raise
        return miss


def _observe(resource: Resource, live: bool, shared: Assignments | Miss) -> Observation:
    scope = resource.address.lower()
    miss = shared if isinstance(shared, Miss) else shared.misses.get(scope)
    if miss is not None:
        # A live link alone is not the whole sharing, and must still not be lost.
        reason = f"{miss.reason}; a SAS is live on it" if live else miss.reason
        return Observation(resource, None, Miss(miss.outcome, reason))
    grants = frozenset() if isinstance(shared, Miss) else shared.grants.get(scope, frozenset())
    return Observation(resource, grants | {SAS} if live else grants)


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A snapshot as ARM describes it (Compute REST API, Snapshot).

    `encrypted` is always true: managed storage encrypts at rest, and `key` is the disk encryption set where the key is
    the customer's.
    """
    properties = section(listed.get("properties"))
    creation = section(properties.get("creationData"))
    address = text(listed.get("id")) or ""
    return Resource(
        uid=_uid(address, properties),
        address=address,
        name=text(listed.get("name")),
        created_at=moment(properties.get("timeCreated")),
        owner=account,
        source=_source(creation),
        encrypted=True,
        key=lower(section(properties.get("encryption")).get("diskEncryptionSetId")),
        guards=_containers(address, account),
        limits=_limits(properties),
        attributes=_attributes(listed, properties, creation),
        facts=_facts(listed, properties, creation),
        tags=labels(listed.get("tags")),
    )


def _uid(address: str, properties: Mapping[str, Any]) -> str:
    """The incarnation: names come back, uniqueId never does. API versions before 2020 do not send it."""
    return lower(properties.get("uniqueId")) or f"{address.lower()}@{text(properties.get('timeCreated')) or ''}"


def _unborn(listed: Mapping[str, Any]) -> bool:
    """Still being made and without an identity: it is a resource once it has one."""
    properties = section(listed.get("properties"))
    being_made = (lower(properties.get("provisioningState")) or "") in _BEING_MADE
    return being_made and not properties.get("uniqueId") and not properties.get("timeCreated")


def _is_live(listed: Mapping[str, Any]) -> bool:
    return (lower(section(listed.get("properties")).get("diskState")) or "") in _LIVE


def _source(creation: Mapping[str, Any]) -> str | None:
    for name in ("sourceResourceId", "elasticSanResourceId", "storageAccountId"):
        if found := lower(creation.get(name)):
            return "/" + found.lstrip("/")
    return _bare_url(creation.get("sourceUri"))


def _bare_url(value: Any) -> str | None:
    """A URL without its query: a source blob's may carry a SAS, which is a secret."""
    url = text(value)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else None


def _containers(address: str, account: str) -> tuple[str, ...]:
    """Resource group and subscription. Management groups lie behind the subscription: named here, the first role
    assignment on one would rewrite every snapshot below it."""
    parts = address.lower().strip("/").split("/")
    subscription = f"/subscriptions/{account}"
    if len(parts) > 3 and parts[2] == "resourcegroups":
        return (f"{subscription}/resourcegroups/{parts[3]}", subscription)
    return (subscription,)


def _limits(properties: Mapping[str, Any]) -> Limits | None:
    """What the snapshot's own network settings do to a download link: it works from the open internet only where both
    are open; AllowPrivate lets it through a private endpoint alone."""
    policy = choice(properties.get("networkAccessPolicy"), *_NETWORK)
    public = choice(properties.get("publicNetworkAccess"), *_PUBLIC_ACCESS)
    if policy in ("DenyAll", "AllowPrivate") or public == "Disabled":
        return Limits(blocks=(PrincipalKind.BEARER,))
    for value, known in ((policy, _NETWORK), (public, _PUBLIC_ACCESS)):
        if value is not None and value not in known:
            return Limits(unknown=f"network setting {value[:40]!r} is not one this version knows")
    return None


def _attributes(
    listed: Mapping[str, Any], properties: Mapping[str, Any], creation: Mapping[str, Any]
) -> Mapping[str, Json]:
    encryption = section(properties.get("encryption"))
    security = section(properties.get("securityProfile"))
    immutability = section(properties.get("immutabilityPolicy"))
    return {
        "location": lower(listed.get("location")),
        "sku": text(section(listed.get("sku")).get("name")),
        "network_access_policy": choice(properties.get("networkAccessPolicy"), *_NETWORK),
        "public_network_access": choice(properties.get("publicNetworkAccess"), *_PUBLIC_ACCESS),
        "disk_access": lower(properties.get("diskAccessId")),
        "data_access_auth_mode": choice(properties.get("dataAccessAuthMode"), "AzureActiveDirectory", "None"),
        "encryption_type": text(encryption.get("type")),
        "security_type": text(security.get("securityType")),
        "secure_vm_disk_encryption_set": lower(security.get("secureVMDiskEncryptionSetId")),
        "guest_encryption": flag(section(properties.get("encryptionSettingsCollection")).get("enabled")),
        "immutability": choice(immutability.get("type"), "Unlocked", "Locked"),
        "immutability_days": number(immutability.get("immutabilityDurationDays")),
        "incremental": flag(properties.get("incremental")),
        "size_gb": number(properties.get("diskSizeGB")),
        "create_option": text(creation.get("createOption")),
        "os_type": text(properties.get("osType")),
        "hyper_v_generation": text(properties.get("hyperVGeneration")),
        "supports_hibernation": flag(properties.get("supportsHibernation")),
        "created_by_type": text(section(listed.get("systemData")).get("createdByType")),
    }


def _facts(listed: Mapping[str, Any], properties: Mapping[str, Any], creation: Mapping[str, Any]) -> Mapping[str, Json]:
    ends = moment(section(properties.get("immutabilityPolicy")).get("policyExpirationTime"))
    error = section(properties.get("copyCompletionError"))
    facts = {
        "source_unique_id": lower(creation.get("sourceUniqueId")),
        "incremental_family": lower(properties.get("incrementalSnapshotFamilyId")),
        "immutability_expires_at": ends.isoformat() if ends else None,
        "copy_error": text(error.get("errorCode")),
        "created_by": text(section(listed.get("systemData")).get("createdBy")),
    }
    return {name: value for name, value in facts.items() if value is not None}


COLLECTOR = Collector(
    kind="azure.compute.snapshot",
    title="Managed disk snapshots",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_SNAPSHOTS, LIST_ASSIGNMENTS, READ_ROLES),
    calls="1 per page of snapshots + 1 per page of role assignments + 1 for the roles, per subscription",
    blind=(
        "Who asked for a live SAS and until when; downloads; a SAS minted and revoked between two runs; members of "
        "groups; whether a user is a guest; PIM-eligible roles; deny assignments; private endpoints of other tenants."
    ),
)
