"""Managed disks."""

from snapbase.sandbox.azure.bodies import check_compute
from snapbase.sandbox.azure.routing import Tracked, access_routes
from snapbase.sandbox.azure.snapshots import born

DISKS = Tracked(
    "Microsoft.Compute/disks",
    check=lambda body: check_compute(body, "Disk"),
    born=born,
    check_update=lambda body: check_compute(body, "DiskUpdate"),
)
ROUTES = (*DISKS.routes(), *access_routes(DISKS, lambda body: check_compute(body, "GrantAccessData")))
