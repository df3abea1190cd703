"""The folders and the organisation above the projects, each found out once."""

import threading
from dataclasses import dataclass, field
from typing import Any

from snapbase.collect.gcp.errors import CallFailed, miss
from snapbase.collect.gcp.resource import POLICY_VERSION
from snapbase.collect.gcp.session import UNRETRIED, Session
from snapbase.model import Miss

_ROOT = "//cloudresourcemanager.googleapis.com"
_DEEPEST = 12
"""Folders nest ten deep (Resource Manager documentation, quotas); what lies deeper is a loop."""


@dataclass(frozen=True, slots=True)
class Container:
    """A folder or an organisation, as `gcp.iam` sees it."""

    name: str
    """`folders/1` or `organizations/1`: a number, never reused."""
    title: str = field(compare=False)
    parent: str = field(compare=False)
    session: Session = field(compare=False, repr=False)
    failure: Miss | None = field(default=None, compare=False)
    """Why it is not known what lies above it."""

    @property
    def uid(self) -> str:
        return f"{_ROOT}/{self.name}"


def policy(session: Session, name: str) -> Any:
    """The allow policy of `projects/…`, `folders/…` or `organizations/…` itself; raises `CallFailed`."""
    collection = name.partition("/")[0]
    client = session.manager(f"{collection.title()}Client")
    request = {"resource": name, "options": {"requested_policy_version": POLICY_VERSION}}
    operation = f"cloudresourcemanager.{collection}.getIamPolicy"
    account = name.removeprefix("projects/")
    return session.call(operation, account, "global", lambda: client.get_iam_policy(request=request, **UNRETRIED))


class Hierarchy:
    """Everything above the projects asked about so far."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._known: dict[str, Container] = {}

    def above(self, parent: str) -> tuple[Container, ...]:
        """The container by name and those above it, nearest first, as far up as can be seen; empty without a name."""
        found: list[Container] = []
        while parent and len(found) < _DEEPEST:
            found.append(self._container(parent))
            parent = found[-1].parent
        return tuple(found)

    def containers(self) -> tuple[Container, ...]:
        """All that were found, by name."""
        with self._lock:
            return tuple(self._known[name] for name in sorted(self._known))

    def _container(self, name: str) -> Container:
        with self._lock:
            if name not in self._known:
                self._known[name] = self._read(name)
            return self._known[name]

    def _read(self, name: str) -> Container:
        """An organisation is at the top, so there is nothing to ask about it."""
        if not name.startswith("folders/"):
            return Container(name, name, "", self._session)
        client = self._session.manager("FoldersClient")
        operation = "cloudresourcemanager.folders.get"
        try:
            found = self._session.call(operation, name, "global", lambda: client.get_folder(name=name, **UNRETRIED))
        except CallFailed as error:
            return Container(name, name, "", self._session, miss(error))
        return Container(name, str(found.display_name) or name, str(found.parent), self._session)
