"""Disk snapshots, global and regional."""

from snapbase.sandbox.gcp.call import Call
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf
from snapbase.sandbox.gcp.shelves import Sort, labelled, lineage, resource, whereabouts


def _make(estate: Estate, call: Call, shelf: Shelf) -> Body:
    body = {"snapshotType": "STANDARD", **labelled(call.body), **lineage(estate, call), **whereabouts(call, shelf)}
    body.setdefault("storageLocations", ["eu" if shelf.place == "global" else shelf.place.removeprefix("regions/")])
    return {**body, "storageBytes": "0", "storageBytesStatus": "UP_TO_DATE"}


ANSWERS = resource(Sort("snapshots", "snapshot", _make), "snapshots", "regionSnapshots")
