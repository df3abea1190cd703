"""Microsoft Graph, as far as it is asked: users and service principals by id."""

import re
import uuid
from typing import Any

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.routing import Request, route


def _found(call: Request, kind: str) -> Answer:
    """`$filter=id in ('…','…')`, at most fifteen, as the real one."""
    wanted = re.findall(r"'([^']*)'", call.query.get("$filter", ""))
    if not wanted or len(wanted) > 15:
        problem = {"code": "Request_UnsupportedQuery", "message": "Too many child clauses specified in search filter."}
        return Answer(400, {"error": problem})
    names = call.query.get("$select", "id").split(",")
    known = call.arm.estate.directory
    found: list[dict[str, Any]] = [known[each] for each in wanted if known.get(each, {}).get("kind") == kind]
    return Answer(200, {"value": [{name: each.get(name) for name in names} for each in found]})


def _invite(call: Request) -> Answer:
    """Makes a guest, named as a directory names one."""
    mail, key = call.body["invitedUserEmailAddress"], str(uuid.uuid4())
    name = f"{mail.replace('@', '_')}#EXT#@corp.onmicrosoft.com"
    user = {"id": key, "userPrincipalName": name, "userType": "Guest", "mail": mail}
    call.arm.estate.directory[key] = {"kind": "user", **user}
    return Answer(201, {"id": str(uuid.uuid4()), "status": "PendingAcceptance", "invitedUser": {"id": key}})


ROUTES = (
    route("POST", "/v1.0/invitations", "graph:User.Invite.All", _invite),
    route("GET", "/v1.0/users", "graph:User.Read.All", lambda call: _found(call, "user")),
    route("GET", "/v1.0/servicePrincipals", "graph:Application.Read.All", lambda call: _found(call, "application")),
)
