"""What a project's or an organisation's own role permits, asked for once per role and run."""

import re
import threading
from typing import TYPE_CHECKING

from snapbase.collect.gcp.errors import CallFailed

if TYPE_CHECKING:
    from snapbase.collect.gcp.session import Session

_NAME = re.compile(r"(projects|organizations)/([a-z0-9][a-z0-9.:-]*)/roles/[A-Za-z0-9_][A-Za-z0-9_.]*")


class CustomRoles:
    """The permissions of custom roles by full name."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._lock = threading.Lock()
        self._known: dict[str, frozenset[str] | None] = {}

    def permissions(self, role: str) -> frozenset[str] | None:
        """None where the role is hidden from us or no longer there; raises `CallFailed` for what may pass by itself."""
        with self._lock:
            if role in self._known:
                return self._known[role]
        found = self._read(role)
        with self._lock:
            return self._known.setdefault(role, found)

    def _read(self, role: str) -> frozenset[str] | None:
        match = _NAME.fullmatch(role)
        if match is None:
            return None
        collection, parent = match.groups()
        account = parent if collection == "projects" else f"{collection}/{parent}"
        try:
            body = self._session.get(f"iam.{collection}.roles.get", account, "global", "iam", f"v1/{role}")
        except CallFailed as error:
            if error.final:
                return None
            raise
        # Neither a deleted nor a disabled role gives anybody anything (iam.v1 discovery, Role.deleted, Role.stage).
        if body.get("deleted") or body.get("stage") == "DISABLED":
            return frozenset()
        return frozenset(str(each) for each in body.get("includedPermissions", []))
