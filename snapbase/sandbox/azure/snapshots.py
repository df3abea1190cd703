"""Managed disk snapshots."""

import uuid

from snapbase.sandbox.azure.bodies import check_compute
from snapbase.sandbox.azure.estate import Body, now
from snapbase.sandbox.azure.routing import Tracked, access_routes


def born(body: Body) -> Body:
    """What the server assigns to a new snapshot or disk, and its permissive defaults."""
    customer_key = body.get("properties", {}).get("encryption", {}).get("diskEncryptionSetId")
    kind = "EncryptionAtRestWithCustomerKey" if customer_key else "EncryptionAtRestWithPlatformKey"
    return {
        "uniqueId": str(uuid.uuid4()),
        "timeCreated": now(),
        "provisioningState": "Succeeded",
        "diskState": "Unattached",
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "dataAccessAuthMode": "None",
        "encryption": {"type": kind},
    }


SNAPSHOTS = Tracked(
    "Microsoft.Compute/snapshots",
    check=lambda body: check_compute(body, "Snapshot"),
    born=lambda body: born(body) | {"incremental": False},
    check_update=lambda body: check_compute(body, "SnapshotUpdate"),
)
ROUTES = (*SNAPSHOTS.routes(), *access_routes(SNAPSHOTS, lambda body: check_compute(body, "GrantAccessData")))
