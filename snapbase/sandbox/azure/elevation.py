"""`elevateAccess`: a global administrator of the directory takes User Access Administrator at its root."""

import uuid

from snapbase.sandbox.azure import activity, roles
from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.routing import Request, route

_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


def _elevate(call: Request) -> Answer:
    """Everybody is one here."""
    caller = activity.CALLER.get()
    holder = caller.claims.get(_OBJECT_ID, "") if caller else ""
    if holder:
        properties = {"roleDefinitionId": roles.address(roles.USER_ACCESS_ADMINISTRATOR), "principalId": holder}
        call.arm.estate.put_assignment("/", str(uuid.uuid4()), {"properties": properties})
    return Answer(200)


_ACTION = "Microsoft.Authorization/elevateAccess"
ROUTES = (route("POST", f"/providers/{_ACTION}", f"{_ACTION}/action", _elevate),)
