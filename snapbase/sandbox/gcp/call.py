"""One routed request, and the ways to refuse it: what every family of answers is written with."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from snapbase.sandbox.gcp.estate import Body, Estate


class Refusal(Exception):
    """An error answer: HTTP status, the `reason` of Compute's error list, the gRPC status, and the words."""

    def __init__(self, status: int, reason: str, grpc: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.grpc, self.message = status, reason, grpc, message


@dataclass(frozen=True, slots=True)
class Call:
    """One request, routed: `method` as in `compute.snapshots.list`."""

    method: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    root: str
    """The endpoint's own URL, for links."""
    page_size: int

    def page(self) -> tuple[str, int]:
        """The key the page begins behind, and how many items it may hold."""
        token = self.query.get("pageToken", "")
        asked = int(self.query.get("maxResults") or self.query.get("pageSize") or 500)
        try:
            after = base64.b64decode(token, altchars=b"-_", validate=True).decode()
        except ValueError:
            raise Refusal(400, "invalid", "INVALID_ARGUMENT", "Invalid value for field 'pageToken'") from None
        return after, min(asked, self.page_size)

    def paged(self, items: Iterable[tuple[str, Body]]) -> tuple[list[tuple[str, Body]], Body]:
        """What is on the page asked for, of all items in order of their keys; and the token of the next, as a body."""
        after, size = self.page()
        left = [(key, body) for key, body in items if key > after]
        if len(left) <= size:
            return left, {}
        return left[:size], {"nextPageToken": base64.urlsafe_b64encode(left[size - 1][0].encode()).decode()}


Handler: TypeAlias = Callable[[Estate, Call], Body]
"""What a method does to the estate, and its 200 body; raises `Refusal`."""


def place(parameters: Mapping[str, str]) -> str:
    """The region, the zone, the location or `global`, as faults name it."""
    found = parameters.get("region") or parameters.get("zone") or parameters.get("locationsId")
    return "global" if found in (None, "-") else found


def project_id(estate: Estate, call: Call) -> str:
    """The id of the project a call names by id or number."""
    name = call.parameters.get("project") or call.parameters["projectsId"]
    found = estate.project(name)
    if found is None:
        raise Refusal(404, "notFound", "NOT_FOUND", f"The resource 'projects/{name}' was not found")
    return str(found["projectId"])


def conflict(path: str) -> Refusal:
    return Refusal(409, "alreadyExists", "ALREADY_EXISTS", f"The resource '{path}' already exists")


def missing(path: str) -> Refusal:
    return Refusal(404, "notFound", "NOT_FOUND", f"The resource '{path}' was not found")


def replace_policy(estate: Estate, path: str, body: Body) -> Body:
    """Sets an allow policy as `setIamPolicy` does everywhere: guarded by the etag, conditions only in version 3."""
    bindings = body.get("bindings", [])
    if any("condition" in each for each in bindings) and body.get("version") != 3:
        raise Refusal(400, "invalid", "INVALID_ARGUMENT", "A policy with conditions must be of version 3")
    policy = estate.set_policy(path, bindings, body.get("etag"))
    if policy is None:
        message = "There were concurrent policy changes. Please retry the whole read-modify-write."
        raise Refusal(412, "conditionNotMet", "ABORTED", message)
    return policy.document(3)
