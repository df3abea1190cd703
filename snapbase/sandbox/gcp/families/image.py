"""Custom images."""

from snapbase.sandbox.gcp.call import Call
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf
from snapbase.sandbox.gcp.shelves import Sort, labelled, lineage, resource


def _make(estate: Estate, call: Call, _: Shelf) -> Body:
    body = {"sourceType": "RAW", **labelled(call.body), **lineage(estate, call)}
    body.setdefault("storageLocations", ["eu"])
    return {**body, "archiveSizeBytes": "0"}


ANSWERS = resource(Sort("images", "image", _make), "images")
