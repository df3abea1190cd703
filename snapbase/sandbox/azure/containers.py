"""Subscriptions, resource groups, and what the management groups say lies below them."""

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import check_subscription
from snapbase.sandbox.azure.estate import ArmError, Body, below
from snapbase.sandbox.azure.routing import GROUP, Request, route


def _list_subscriptions(call: Request) -> Answer:
    estate = call.arm.estate
    visible = [body for key, body in estate.subscriptions.items() if key not in call.arm.hidden]
    return call.checked(visible, check_subscription)


def _list_groups(call: Request) -> Answer:
    return call.page(below(call.arm.estate.groups, f"/subscriptions/{call.subscription}/"))


def _put_group(call: Request) -> Answer:
    return Answer(201, call.arm.estate.put_group(call.path, call.body))


def _descendants(call: Request) -> Answer:
    """Management Groups REST API, Descendants; the root group's id is the tenant's."""
    estate = call.arm.estate
    if call.names["group"].lower() != estate.tenant:
        raise ArmError(404, "NotFound", "The management group was not found.")
    root = {"parent": {"id": f"/providers/Microsoft.Management/managementGroups/{estate.tenant}"}}
    found: list[Body] = []
    for name in estate.management_groups:
        address = f"/providers/Microsoft.Management/managementGroups/{name}"
        kind = "Microsoft.Management/managementGroups"
        found.append({"id": address, "type": kind, "name": name, "properties": {"displayName": name, **root}})
    for key, body in estate.subscriptions.items():
        properties = {"displayName": body["displayName"], **root}
        kind = "Microsoft.Management/managementGroups/subscriptions"
        found.append({"id": f"/subscriptions/{key}", "type": kind, "name": key, "properties": properties})
    return call.page(found)


_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
ROUTES = (
    route("GET", "/subscriptions", "Microsoft.Resources/subscriptions/read", _list_subscriptions),
    route("GET", "/subscriptions/{sub}/resourcegroups", f"{_GROUPS}/read", _list_groups),
    route("PUT", GROUP, f"{_GROUPS}/write", _put_group),
    route(
        "GET",
        "/providers/Microsoft.Management/managementGroups/{group}/descendants",
        "Microsoft.Management/managementGroups/descendants/read",
        _descendants,
    ),
)
