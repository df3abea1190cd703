"""Polling of long-running operations."""

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.routing import Request, route


def _poll(call: Request) -> Answer:
    return Answer(200, {"name": call.names["operation"], "status": "Succeeded"})


def _result(call: Request) -> Answer:
    return Answer(200, call.arm.result(call.names["operation"]))


_PLACE = "/subscriptions/{sub}/providers/Microsoft.Compute/locations/{location}"
ROUTES = (
    route("GET", f"{_PLACE}/operations/{{operation}}", "Microsoft.Compute/locations/operations/read", _poll),
    route("GET", f"{_PLACE}/results/{{operation}}", "Microsoft.Compute/locations/operations/read", _result),
)
