"""Role assignments and role definitions."""

from snapbase.sandbox.azure.answers import Answer, error
from snapbase.sandbox.azure.bodies import check_authorization
from snapbase.sandbox.azure.routing import Request, route


def _list_assignments(call: Request) -> Answer:
    at_scope = "atscope()" in call.query.get("$filter", "").lower()
    found = call.arm.estate.assignments_for(call.subscription, at_scope=at_scope)
    return call.checked(found, lambda each: check_authorization(each, "RoleAssignment"))


def _put_assignment(call: Request) -> Answer:
    return Answer(201, call.arm.estate.put_assignment(call.scope, call.names["name"], call.body))


def _delete_assignment(call: Request) -> Answer:
    removed = call.arm.estate.assignments.pop(call.path.lower(), None)
    return Answer(200, removed) if removed else Answer(204)


def _list_definitions(call: Request) -> Answer:
    found = list(call.arm.estate.definitions.values())
    return call.checked(found, lambda each: check_authorization(each, "RoleDefinition"))


def _get_definition(call: Request) -> Answer:
    role = call.names["name"].lower()
    found = call.arm.estate.definitions.get(role) or call.arm.estate.unlisted.get(role)
    if found is None:
        return error(404, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.")
    return Answer(200, found)


def _put_definition(call: Request) -> Answer:
    return Answer(201, call.arm.estate.put_definition(call.names["name"].lower(), call.body))


_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
ROUTES = (
    route("GET", f"/subscriptions/{{sub}}/providers/{_ASSIGNMENTS}", f"{_ASSIGNMENTS}/read", _list_assignments),
    route("PUT", f"{{scope}}/providers/{_ASSIGNMENTS}/{{name}}", f"{_ASSIGNMENTS}/write", _put_assignment),
    route("DELETE", f"{{scope}}/providers/{_ASSIGNMENTS}/{{name}}", f"{_ASSIGNMENTS}/delete", _delete_assignment),
    route("GET", f"/subscriptions/{{sub}}/providers/{_DEFINITIONS}", f"{_DEFINITIONS}/read", _list_definitions),
    route("GET", f"/subscriptions/{{sub}}/providers/{_DEFINITIONS}/{{name}}", f"{_DEFINITIONS}/read", _get_definition),
    route("PUT", f"{{scope}}/providers/{_DEFINITIONS}/{{name}}", f"{_DEFINITIONS}/write", _put_definition),
)
