"""Instant snapshots: they lie beside their disk, in its zone or region."""

from snapbase.sandbox.gcp.call import Call
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf
from snapbase.sandbox.gcp.shelves import Sort, labelled, lineage, resource, whereabouts


def _make(estate: Estate, call: Call, shelf: Shelf) -> Body:
    return {**labelled(call.body), **lineage(estate, call), **whereabouts(call, shelf)}


ANSWERS = resource(Sort("instantSnapshots", "instantSnapshot", _make), "instantSnapshots", "regionInstantSnapshots")
