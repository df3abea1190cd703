"""How a file of this folder says what it answers: `ROUTES`, gathered by the server from every module here.

A kind of resource is one file. What lives in resource groups and is put, listed and deleted in ARM's common way
(Resource Management REST API) is a `Tracked`, and needs little more than its type.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.estate import Body

if TYPE_CHECKING:
    from snapbase.sandbox.azure.server import AzureSandbox

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One call, after its path was matched."""

    arm: "AzureSandbox"
    path: str
    names: Mapping[str, str]
    query: Query
    body: Body

    @property
    def subscription(self) -> str:
        return self.names.get("sub", "").lower()

    @property
    def scope(self) -> str:
        return "/" + self.names["scope"].strip("/")

    @property
    def parent(self) -> str:
        """The path without its last part, as an action's resource."""
        return self.path.rpartition("/")[0]

    def page(self, found: list[Body]) -> Answer:
        return self.arm.page(found, self.path, self.query)

    def checked(self, found: list[Body], check: Callable[[Body], None]) -> Answer:
        """A page of the sandbox's own answers, which pass the same check as what it is sent."""
        if self.arm.estate.strict:
            for each in found:
                check(each)
        return self.page(found)


Serve = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    operation: str
    serve: Serve


def route(method: str, path: str, operation: str, serve: Serve) -> Route:
    """ARM paths compare without regard to case. `{sub}`, `{name}`… match one segment, `{scope}` any number."""
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path.replace("{scope}", "(?P<scope>.*)"))
    return Route(method, re.compile(pattern, re.IGNORECASE), operation, serve)


GROUP = "/subscriptions/{sub}/resourcegroups/{group}"


@dataclass(frozen=True)
class Tracked:
    """A resource type whose resources lie in resource groups."""

    type: str
    """`Microsoft.Compute/disks`."""
    check: Callable[[Body], None]
    """Raises `Malformed` for a body that the SDK's model of the resource does not understand."""
    born: Callable[[Body], Body] = lambda _: {}
    """Properties the server gives to a new one, from the body it is made of."""
    stamp: Callable[[], Body] = dict
    """What the server puts beside the properties of a new one."""
    at_once: bool = False
    """Whether a write is answered with its result at once; otherwise it is a long-running operation."""
    check_update: Callable[[Body], None] | None = None

    @property
    def path(self) -> str:
        return f"{GROUP}/providers/{self.type}/{{name}}"

    def routes(self) -> tuple[Route, ...]:
        listed = f"/providers/{self.type}"
        return (
            route("GET", f"/subscriptions/{{sub}}{listed}", f"{self.type}/read", self.list),
            route("GET", f"{GROUP}{listed}", f"{self.type}/read", self.list),
            route("GET", self.path, f"{self.type}/read", lambda call: Answer(200, call.arm.estate.resource(call.path))),
            route("PUT", self.path, f"{self.type}/write", self.put),
            route("PATCH", self.path, f"{self.type}/write", self.patch),
            route("DELETE", self.path, f"{self.type}/delete", self.delete),
        )

    def list(self, call: Request) -> Answer:
        container = call.path.lower().partition("/providers/")[0]
        return call.checked(call.arm.estate.of_type(self.type, container), self.check)

    def put(self, call: Request) -> Answer:
        new = call.path.lower() not in call.arm.estate.resources
        stored = call.arm.estate.put(self.type, call.path, call.body, self.check, self.born)
        stored |= self.stamp() if new else {}
        return Answer(201, stored) if self.at_once else call.arm.accepted(call.path, None, stored)

    def patch(self, call: Request) -> Answer:
        stored = call.arm.estate.patch(call.path, call.body, self.check_update or self.check)
        return Answer(200, stored) if self.at_once else call.arm.accepted(call.path, None, stored)

    def delete(self, call: Request) -> Answer:
        if not call.arm.estate.remove(call.path):
            return Answer(204)
        return call.arm.accepted(call.path, None)


def access_routes(kind: Tracked, model_check: Callable[[Body], None]) -> tuple[Route, ...]:
    """Minting and revoking a download link (`beginGetAccess`, `endGetAccess`), as disks and snapshots have them."""

    def begin(call: Request) -> Answer:
        return call.arm.accepted(call.path, call.arm.estate.begin_access(call.parent, call.body, model_check))

    def end(call: Request) -> Answer:
        call.arm.estate.end_access(call.parent)
        return call.arm.accepted(call.path, None)

    return (
        route("POST", f"{kind.path}/beginGetAccess", f"{kind.type}/beginGetAccess/action", begin),
        route("POST", f"{kind.path}/endGetAccess", f"{kind.type}/endGetAccess/action", end),
    )
