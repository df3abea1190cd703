"""Eligible role assignments (Privileged Identity Management)."""

import uuid

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import check_eligibility
from snapbase.sandbox.azure.estate import Body, now
from snapbase.sandbox.azure.routing import Request, route

_INSTANCES = "Microsoft.Authorization/roleEligibilityScheduleInstances"
_REQUESTS = "Microsoft.Authorization/roleEligibilityScheduleRequests"


def _list(call: Request) -> Answer:
    estate = call.arm.estate
    found = [
        each
        for each in estate.resources.values()
        if each["type"] == _INSTANCES and estate.at_or_around(each["properties"]["scope"], call.subscription)
    ]
    return call.checked(found, lambda body: check_eligibility(body, "RoleEligibilityScheduleInstance"))


def _request(call: Request) -> Answer:
    """AdminAssign, which makes an instance at once."""
    check_eligibility(call.body, "RoleEligibilityScheduleRequest")
    asked = call.body["properties"]
    kept = ("principalId", "roleDefinitionId", "condition", "conditionVersion")
    ends = asked.get("scheduleInfo", {}).get("expiration", {}).get("endDateTime")
    properties: Body = {name: asked[name] for name in kept if name in asked}
    properties |= {"scope": call.scope, "principalType": asked.get("principalType", "User"), "status": "Provisioned"}
    properties |= {"createdOn": now(), "startDateTime": now(), "memberType": "Direct", "endDateTime": ends}
    name = str(uuid.uuid4())
    address = f"{call.scope.rstrip('/')}/providers/{_INSTANCES}/{name}"
    made: Body = {"id": address, "name": name, "type": _INSTANCES, "properties": properties}
    call.arm.estate.resources[address.lower()] = made
    return Answer(201, {"id": call.path, "name": call.names["name"], "type": _REQUESTS, "properties": asked})


ROUTES = (
    route("GET", f"/subscriptions/{{sub}}/providers/{_INSTANCES}", f"{_INSTANCES}/read", _list),
    route("PUT", f"{{scope}}/providers/{_REQUESTS}/{{name}}", f"{_REQUESTS}/write", _request),
)
