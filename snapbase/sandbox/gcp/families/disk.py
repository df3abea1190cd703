"""Disks, zonal and regional; a schedule that is attached to one takes its first snapshot at once."""

from snapbase.sandbox.gcp.call import Call
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf
from snapbase.sandbox.gcp.shelves import Sort, labelled, link, resource, whereabouts


def _make(_: Estate, call: Call, shelf: Shelf) -> Body:
    return {"sizeGb": "10", "architecture": "X86_64", **labelled(call.body), **whereabouts(call, shelf)}


def _run_schedule(estate: Estate, call: Call, shelf: Shelf, disk: Body) -> None:
    """With the fields only the cloud can set."""
    if not disk.get("resourcePolicies"):
        return
    policy = disk["resourcePolicies"][0]
    target = Shelf(shelf.project, "global", "snapshots")
    name = f"{disk['name'][:30]}-{shelf.place.rpartition('/')[2]}-{disk['id'][-12:]}"
    estate.put(
        target,
        {
            "kind": "compute#snapshot",
            "name": name,
            "selfLink": link(call, target.path(name)),
            "status": "READY",
            "snapshotType": "STANDARD",
            "autoCreated": True,
            "sourceSnapshotSchedulePolicy": policy,
            "sourceSnapshotSchedulePolicyId": str(4_700_000_000_000_000_000 + sum(policy.encode())),
            "sourceDisk": link(call, shelf.path(disk["name"])),
            "sourceDiskId": disk["id"],
            "diskSizeGb": disk["sizeGb"],
            "architecture": disk["architecture"],
            "storageLocations": ["eu"],
        },
    )


ANSWERS = resource(Sort("disks", "disk", _make, _run_schedule), "disks", "regionDisks")
