"""Resource policies, of which snapshot schedules are one sort."""

from snapbase.sandbox.gcp.call import Call
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf
from snapbase.sandbox.gcp.shelves import Sort, resource, whereabouts


def _make(_: Estate, call: Call, shelf: Shelf) -> Body:
    return {**call.body, **whereabouts(call, shelf)}


ANSWERS = resource(Sort("resourcePolicies", "resourcePolicy", _make), "resourcePolicies")
