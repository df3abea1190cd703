"""Machine images: whole machines. Their instances are not kept here, so any source is believed."""

from snapbase.sandbox.gcp.call import Call
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf
from snapbase.sandbox.gcp.shelves import Sort, labelled, resource


def _make(_: Estate, call: Call, __: Shelf) -> Body:
    return {"storageLocations": ["eu"], **labelled(call.body), "totalStorageBytes": "0"}


ANSWERS = resource(Sort("machineImages", "machineImage", _make), "machineImages")
