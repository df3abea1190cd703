"""What exists in the sandbox's projects: resources with ids nobody can choose, and their allow policies."""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

ORGANIZATION = "organizations/318455021164"
"""The only one: an organisation is there before anything in it, and no API makes one."""
REGIONS = ("europe-west1", "us-central1")
ZONES = tuple(f"{region}-{letter}" for region in REGIONS for letter in "bc")
_PACIFIC = timezone(timedelta(hours=-8))

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Shelf:
    """Where resources of one sort lie: `snapshots` in `global` or `regions/europe-west1` of a project; `place` may be
    empty."""

    project: str
    place: str
    collection: str

    def path(self, name: str) -> str:
        return "/".join(filter(None, ("projects", self.project, self.place, self.collection))) + f"/{name}"


@dataclass(slots=True)
class Policy:
    """One allow policy. Its etag changes whenever it is set."""

    bindings: list[Body] = field(default_factory=list)
    revision: int = 0

    @property
    def etag(self) -> str:
        return base64.b64encode(f"sandbox-{self.revision}".encode()).decode()

    def document(self, requested_version: int) -> Body:
        """As the cloud returns it: below version 3 a conditional role is garbled and its condition left out.

        Source: IAM documentation, "Specifying a policy version when getting a policy".
        """
        conditional = any("condition" in binding for binding in self.bindings)
        if requested_version >= 3:
            version, bindings = 3 if conditional else 1, [dict(each) for each in self.bindings]
        else:
            version, bindings = 1, [_without_condition(each) for each in self.bindings]
        return {"version": version, "etag": self.etag} | ({"bindings": bindings} if bindings else {})


def _without_condition(binding: Mapping[str, Any]) -> Body:
    condition = binding.get("condition")
    if condition is None:
        return dict(binding)
    mark = hashlib.sha256(repr(sorted(condition.items())).encode()).hexdigest()[:20]
    return {"role": f"{binding['role']}_withcond_{mark}", "members": binding["members"]}


class Estate:
    """All projects of the sandbox. Every method is safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._projects: dict[str, Body] = {}
        self._shelves: dict[Shelf, dict[str, Body]] = {}
        self._policies: dict[str, Policy] = {}
        self._things: dict[str, Body] = {}
        self._entries: list[Body] = []
        self._lent: dict[str, float] = {}
        self.data_access: set[str] = set()
        """The projects, folders and organisations (`projects/…`) whose Data Access logs are switched on."""
        self.put_thing(ORGANIZATION, {"name": ORGANIZATION, "displayName": "northwind.example", "state": "ACTIVE"})
        self._last_id = 4_800_000_000_000_000_000
        self._last_number = 700_000_000_000

    def new_id(self) -> str:
        """A numeric id: assigned by the server, never twice, sent as a string."""
        with self._lock:
            self._last_id += 7_919
            return str(self._last_id)

    def add_project(self, project_id: str, display_name: str, parent: str) -> Body:
        with self._lock:
            self._last_number += 104_729
            body: Body = {
                "name": f"projects/{self._last_number}",
                "projectId": project_id,
                "displayName": display_name or project_id,
                "state": "ACTIVE",
                "createTime": utc_now(),
                "etag": Policy().etag,
            }
            if parent:
                body["parent"] = parent
            return self._projects.setdefault(project_id, body)

    def projects(self) -> list[Body]:
        with self._lock:
            return [dict(body) for _, body in sorted(self._projects.items())]

    def project(self, id_or_number: str) -> Body | None:
        """By id or number, as every API takes either."""
        with self._lock:
            for project_id, body in self._projects.items():
                if id_or_number in (project_id, body["name"].removeprefix("projects/")):
                    return dict(body)
        return None

    def add_folder(self, display_name: str, parent: str, number: str = "") -> Body:
        name = f"folders/{number or self.new_id()[-12:]}"
        body = {"name": name, "parent": parent, "displayName": display_name, "state": "ACTIVE", "createTime": utc_now()}
        return self.put_thing(name, body)

    def put_thing(self, path: str, body: Body) -> Body:
        """Adds or replaces what lies in no project's shelf: the organisation, a folder, a custom role."""
        with self._lock:
            self._things[path] = dict(body)
            return dict(body)

    def thing(self, path: str) -> Body | None:
        with self._lock:
            body = self._things.get(path)
            return None if body is None else dict(body)

    def things(self, prefix: str) -> list[Body]:
        """Those whose paths begin so, in order."""
        with self._lock:
            return [dict(body) for path, body in sorted(self._things.items()) if path.startswith(prefix)]

    def put(self, shelf: Shelf, body: Body) -> Body:
        """Adds or replaces by name; a resource without an id gets one, and an empty policy."""
        with self._lock:
            stored = {"id": self.new_id(), "creationTimestamp": pacific_now(), **body}
            self._shelves.setdefault(shelf, {})[stored["name"]] = stored
            if "id" not in body:
                self._policies.pop(shelf.path(stored["name"]), None)
            return dict(stored)

    def get(self, shelf: Shelf, name: str) -> Body | None:
        with self._lock:
            body = self._shelves.get(shelf, {}).get(name)
            return None if body is None else dict(body)

    def remove(self, shelf: Shelf, name: str) -> Body | None:
        with self._lock:
            self._policies.pop(shelf.path(name), None)
            return self._shelves.get(shelf, {}).pop(name, None)

    def items(self, shelf: Shelf, after: str = "") -> Iterator[Body]:
        """Everything on a shelf in order of name, beginning behind the name `after`."""
        with self._lock:
            found = sorted(self._shelves.get(shelf, {}).items())
        return (dict(body) for name, body in found if name > after)

    def shelves(self, project: str, collection: str) -> list[Shelf]:
        """Every place of a project in which something of one sort was ever put, in order."""
        with self._lock:
            return sorted(each for each in self._shelves if (each.project, each.collection) == (project, collection))

    def record(self, entry: Body) -> None:
        """Adds an entry to the logs; nobody ever changes one."""
        with self._lock:
            self._entries.append(dict(entry))

    def entries(self) -> list[Body]:
        """Everything logged, in order of time."""
        with self._lock:
            return sorted(self._entries, key=lambda each: (str(each["timestamp"]), str(each["insertId"])))

    def lend(self, what: str, seconds: float) -> bool:
        """Whether nobody has it; who asked has it for so long."""
        with self._lock:
            now = time.monotonic()
            if self._lent.get(what, 0.0) > now:
                return False
            self._lent[what] = now + seconds
            return True

    def policy(self, path: str) -> Policy:
        with self._lock:
            return self._policies.setdefault(path, Policy())

    def set_policy(self, path: str, bindings: list[Body], etag: str | None = None) -> Policy | None:
        """The policy as set; None if `etag` is that of an older one."""
        with self._lock:
            before = self.policy(path)
            if etag and etag != before.etag:
                return None
            self._policies[path] = Policy([dict(each) for each in bindings], before.revision + 1)
            return self._policies[path]


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pacific_now() -> str:
    """As Compute Engine writes times: milliseconds and the offset of California."""
    return datetime.now(_PACIFIC).isoformat(timespec="milliseconds")
