"""Who may use a key of Cloud KMS: whom its own policy lets in, its ring's, its project's, and those above.

A role that decrypts does so from every level at or above the key (Cloud KMS documentation, "Permissions and roles").
Compute Engine asks for a key as a service account: the service agent of the project in which the disk is made, or
another that the request names (compute.v1 discovery, CustomerEncryptionKey.kmsKeyServiceAccount).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from snapbase.collect.gcp.errors import CallFailed, miss
from snapbase.collect.gcp.hierarchy import Container, Hierarchy, policy
from snapbase.collect.gcp.policy import grants
from snapbase.collect.gcp.resource import POLICY_VERSION
from snapbase.collect.gcp.roles import KEY
from snapbase.collect.gcp.session import UNRETRIED, Session
from snapbase.exposure import admission
from snapbase.model import Grant, Limits, Miss, PrincipalKind

RINGS = "cloudkms.projects.locations.keyRings"
_NAME = re.compile(
    r"(?P<ring>projects/(?P<project>[a-z0-9][a-z0-9.:-]*)/locations/(?P<location>[a-z0-9-]+)/keyRings/[A-Za-z0-9_-]+)"
    r"/cryptoKeys/[A-Za-z0-9_-]+"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key by name. No name comes back: what held one stays behind as retired (cloudkms.v1 discovery)."""

    name: str
    ring: str
    """The name of its key ring."""
    project: str
    location: str

    @classmethod
    def of(cls, name: str) -> "Key | None":
        """None where the name is not that of a key, so that there is nothing to ask for."""
        match = _NAME.fullmatch(name)
        return cls(name, match["ring"], match["project"], match["location"]) if match else None


@dataclass(frozen=True, slots=True)
class _Level:
    """What one policy lets be decrypted, or why it was not read."""

    holders: frozenset[Grant] = frozenset()
    failure: Miss | None = None


class KeyPolicies:
    """The policies that decide about keys; each is asked for once in a run, however many keys lie below."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._hierarchy = Hierarchy(session)

    @classmethod
    def of(cls, session: Session) -> "KeyPolicies":
        """Those of a session, which all its projects share."""
        return session.runtime.once((cls, session), lambda: cls(session))

    def limits(self, key: Key) -> tuple[Limits, tuple[Miss, ...]]:
        """Whom the policies let use a key, and why some of them were not read."""
        levels = list(self._levels(key))
        missed = tuple(each.failure for each in levels if each.failure is not None)
        unknown = f"not every policy that lets others use the key was read: {missed[0].reason}" if missed else ""
        held = (grant for level in levels for grant in level.holders)
        return Limits(admits=tuple(sorted(_admitted(held))), unknown=unknown), missed

    def _levels(self, key: Key) -> Iterator[_Level]:
        yield self._once(key.name, partial(self._own, f"{RINGS}.cryptoKeys", key, key.name))
        yield self._once(key.ring, partial(self._own, RINGS, key, key.ring))
        project = f"projects/{key.project}"
        yield self._once(project, partial(policy, self._session, project))
        try:
            above = self._above(key.project)
        except CallFailed as error:
            yield _Level(failure=miss(error))
            return
        for each in above:
            yield self._once(each.name, partial(policy, self._session, each.name))
            if each.failure is not None:
                yield _Level(failure=each.failure)

    def _own(self, collection: str, key: Key, name: str) -> Any:
        operation, path = f"{collection}.getIamPolicy", f"v1/{name}:getIamPolicy"
        return self._session.policy(operation, key.project, key.location, "cloudkms", path, POLICY_VERSION)

    def _above(self, project: str) -> tuple[Container, ...]:
        """What lies above a key's project, which need not be one of those that are read."""
        operation, client = "cloudresourcemanager.projects.get", self._session.manager("ProjectsClient")

        def ask() -> str:
            send = partial(client.get_project, name=f"projects/{project}", **UNRETRIED)
            return str(self._session.call(operation, project, "global", send).parent)

        return self._hierarchy.above(self._session.runtime.once((KeyPolicies, self._session, "above", project), ask))

    def _once(self, name: str, fetch: Callable[[], Any]) -> _Level:
        def ask() -> _Level:
            try:
                return _Level(grants(fetch(), KEY, self._session.roles.permissions))
            except CallFailed as error:
                return _Level(failure=miss(error))

        return self._session.runtime.once((KeyPolicies, self._session, name), ask)


def _admitted(held: Iterable[Grant]) -> set[str]:
    """Whoever holds a role under a condition, or one that could not be resolved, is perhaps let in."""
    now = datetime.now(UTC)
    alive = [
        each
        for each in held
        if each.principal.kind != PrincipalKind.DELETED and (each.expires_at is None or each.expires_at > now)
    ]
    certain = {each.principal for each in alive if not each.condition}
    perhaps = {each.principal for each in alive} - certain
    return {admission(who) for who in certain} | {admission(who, certain=False) for who in perhaps}
