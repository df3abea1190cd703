"""The demo's Azure: a shop's two subscriptions on day one, and what the attacker does there."""

from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.server import MANAGEMENT_GROUP, SUBSCRIPTIONS, TENANT
from snapbase.sandbox.story import Act

__all__ = ["SUBSCRIPTIONS", "TENANT", "attack", "seed"]

_PLATFORM_TEAM = "0b5fe924-0000-4000-8000-00000000000a"
_AUDITORS = "0b5fe924-0000-4000-8000-00000000000b"
_BACKUP_APP = "0b5fe924-0000-4000-8000-00000000000c"
_DATA_TEAM = "0b5fe924-0000-4000-8000-00000000000d"
_PRODUCTION, _ANALYTICS = SUBSCRIPTIONS
_SHOP, _BACKUP, _LAKE = "rg-shop", "rg-backup", "rg-lake"
_LEDGER, _VAULT, _ORDERS = "ledger-nightly", "payments-before-migration", "orders-golden"


def seed(url: str) -> None:
    """Everything as it was when somebody looked at it and said that it is fine."""
    _seed_production(Writer(url, _PRODUCTION))
    _seed_analytics(Writer(url, _ANALYTICS))


def attack(url: str) -> tuple[Act, ...]:
    """A link minted, a network opened, a snapshot swapped; returns everything that was changed."""
    writer = Writer(url, _PRODUCTION)
    writer.snapshots.begin_grant_access(_SHOP, _LEDGER, {"access": "Read", "durationInSeconds": 86400}).result()
    opened = {"properties": {"networkAccessPolicy": "AllowAll"}}
    writer.snapshots.begin_update(_BACKUP, _VAULT, opened).result()
    writer.snapshots.begin_delete(_SHOP, _ORDERS).result()
    writer.snapshot(_SHOP, _ORDERS, "orders-data")
    return (
        Act(f"minted a download link (SAS) for {_LEDGER}", "bearer-access", f"/snapshots/{_LEDGER}"),
        Act(f"opened the network policy of {_VAULT}", "network-exposure", f"/snapshots/{_VAULT}"),
        Act(f"deleted {_ORDERS} and made another of that name", "snapshot-replaced", f"/snapshots/{_ORDERS}"),
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


def _seed_analytics(writer: Writer) -> None:
    lake = writer.group(_LAKE)
    access = f"{lake}/providers/Microsoft.Compute/diskAccesses/private-lake"
    writer.snapshot(_LAKE, "lake-index", "lake-data", networkAccessPolicy="AllowPrivate", diskAccessId=access)
    writer.snapshot(_LAKE, "lake-scratch", "scratch-data")
    writer.assign(f"/subscriptions/{_ANALYTICS}", roles.DISK_SNAPSHOT_CONTRIBUTOR, _DATA_TEAM, "Group")
