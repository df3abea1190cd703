"""Azure Lighthouse: registration definitions and the assignments that put them in force. Their field names are those
of azure-mgmt-managedservices 6.0.1, which is not installed here."""

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import Shape, check_shape
from snapbase.sandbox.azure.estate import Body
from snapbase.sandbox.azure.routing import Request, route

_ASSIGNMENTS = "Microsoft.ManagedServices/registrationAssignments"
_DEFINITIONS = "Microsoft.ManagedServices/registrationDefinitions"
_DEFINITION: Shape = {
    "properties": dict.fromkeys(
        ("description", "authorizations", "eligibleAuthorizations", "registrationDefinitionName", "managedByTenantId")
    ),
    "plan": None,
}
_ASSIGNMENT: Shape = {"properties": {"registrationDefinitionId": None}}


def _put(kind: str, shape: Shape, call: Request) -> Answer:
    check_shape(call.body, kind, shape)
    properties = {**call.body["properties"], "provisioningState": "Succeeded"}
    made: Body = {"id": call.path, "name": call.path.rpartition("/")[2], "type": kind, "properties": properties}
    call.arm.estate.resources[call.path.lower()] = made
    return Answer(201, made)


def _list(call: Request) -> Answer:
    """Those made exactly at the scope."""
    found = [
        each
        for key, each in call.arm.estate.resources.items()
        if each["type"] == _ASSIGNMENTS and key.partition("/providers/")[0] == call.scope.lower()
    ]
    if call.query.get("$expandregistrationdefinition") == "true":
        found = [_expanded(call, each) for each in found]
    return call.page(found)


def _expanded(call: Request, assignment: Body) -> Body:
    definition = call.arm.estate.resource(assignment["properties"]["registrationDefinitionId"])
    return assignment | {"properties": assignment["properties"] | {"registrationDefinition": definition}}


ROUTES = (
    route("GET", f"{{scope}}/providers/{_ASSIGNMENTS}", f"{_ASSIGNMENTS}/read", _list),
    route(
        "PUT",
        f"{{scope}}/providers/{_ASSIGNMENTS}/{{name}}",
        f"{_ASSIGNMENTS}/write",
        lambda call: _put(_ASSIGNMENTS, _ASSIGNMENT, call),
    ),
    route(
        "PUT",
        f"{{scope}}/providers/{_DEFINITIONS}/{{name}}",
        f"{_DEFINITIONS}/write",
        lambda call: _put(_DEFINITIONS, _DEFINITION, call),
    ),
    route(
        "DELETE",
        f"{{scope}}/providers/{_ASSIGNMENTS}/{{name}}",
        f"{_ASSIGNMENTS}/delete",
        lambda call: Answer(200 if call.arm.estate.remove(call.path) else 204),
    ),
)
