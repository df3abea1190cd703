"""Deny assignments. Azure's own services make them; people can only read them."""

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import check_authorization
from snapbase.sandbox.azure.estate import Body
from snapbase.sandbox.azure.routing import Request, route

_DENIALS = "Microsoft.Authorization/denyAssignments"


def _list(call: Request) -> Answer:
    estate = call.arm.estate
    found: list[Body] = [each for each in estate.resources.values() if each["type"] == _DENIALS]
    here = [each for each in found if estate.at_or_around(each["properties"]["scope"], call.subscription)]
    return call.checked(here, lambda each: check_authorization(each, "DenyAssignment"))


ROUTES = (route("GET", f"/subscriptions/{{sub}}/providers/{_DENIALS}", f"{_DENIALS}/read", _list),)
