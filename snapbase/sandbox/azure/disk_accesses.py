"""Disk accesses and the private endpoints that asked to be let in."""

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import check_compute
from snapbase.sandbox.azure.estate import ArmError, Body, now
from snapbase.sandbox.azure.routing import Request, Tracked, route

ACCESSES = Tracked(
    "Microsoft.Compute/diskAccesses",
    check=lambda body: check_compute(body, "DiskAccess"),
    born=lambda _: {"provisioningState": "Succeeded", "timeCreated": now(), "privateEndpointConnections": []},
)


def _found(call: Request) -> Body | None:
    access = call.arm.estate.resource(call.parent.rpartition("/")[0])
    name = call.names["connection"].lower()
    return next((each for each in access["properties"]["privateEndpointConnections"] if each["name"] == name), None)


def _connection(call: Request) -> Body:
    found = _found(call)
    if found is None:
        raise ArmError(404, "NotFound", "The private endpoint connection was not found.")
    return found


def _put_connection(call: Request) -> Answer:
    """Approving, rejecting. One that names its endpoint is made: the network resource provider's part, done here."""
    check_compute(call.body, "PrivateEndpointConnection")
    found = _found(call)
    if found is None and "privateEndpoint" in call.body["properties"]:
        found = {"id": call.path, "name": call.names["connection"].lower(), "properties": {}}
        access = call.arm.estate.resource(call.parent.rpartition("/")[0])
        access["properties"]["privateEndpointConnections"].append(found)
    found = found or _connection(call)
    found["properties"] |= call.body["properties"]
    return call.arm.accepted(call.path, None, found)


_CONNECTIONS = "Microsoft.Compute/diskAccesses/privateEndpointConnections"
_CONNECTION = f"{ACCESSES.path}/privateEndpointConnections/{{connection}}"
ROUTES = (
    *ACCESSES.routes(),
    route("GET", _CONNECTION, f"{_CONNECTIONS}/read", lambda call: Answer(200, _connection(call))),
    route("PUT", _CONNECTION, f"{_CONNECTIONS}/write", _put_connection),
)
