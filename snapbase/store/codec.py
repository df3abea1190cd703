"""Model values <-> canonical text: the same value always gives the same bytes, so a digest stands for the content."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from snapbase.model import Approval, Grant, Limits, Principal, Resource

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds: sorts as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def optional_moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def canonical(value: Any) -> bytes:
    """Sorted JSON; text that no database can hold is made harmless first."""
    try:
        raw = orjson.dumps(value, option=_SORTED)
    except TypeError:
        return orjson.dumps(harmless(value), option=_SORTED)
    # One byte is looked for many times quicker than six, and few values have any escape.
    return raw if b"\\" not in raw or b"\\u0000" not in raw else orjson.dumps(harmless(value), option=_SORTED)


def clean(text: str) -> str:
    """Without NUL bytes and lone surrogates: legal in the JSON a cloud sends, and in no database."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def harmless(value: Any) -> Any:
    """The value with all its text clean, and with integers beyond 64 bits as text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): harmless(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [harmless(each) for each in value]
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and value.bit_length() > 63:
        return str(value)
    return value


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


class Profile(NamedTuple):
    """What many resources share, stored once for all of them."""

    body: str
    """`inferred` rides in it but is no content: it never opens a version."""
    type: str
    guards: tuple[str, ...]


def encode(resource: Resource) -> tuple[Profile, str, str]:
    """What a resource is, without who holds grants on it: its profile, its own document, and the digest of it all."""
    made = resource.created_at
    profile, begun = _profile(
        resource.type,
        resource.owner,
        resource.source,
        resource.origin,
        resource.encrypted,
        resource.key,
        resource.guards,
        canonical(resource.attributes),
        resource.limits,
        resource.inferred,
    )
    # Text, not orjson's own bytes: each of those keeps the larger buffer it was written in from being used again.
    document = canonical(
        {
            "created_at": made.astimezone(UTC) if made and made.tzinfo is not UTC else made,
            "facts": resource.facts,
            "name": resource.name,
            "tags": resource.tags,
        }
    ).decode()
    subject = clean(resource.subject) if resource.subject else ""
    whole = begun.copy()
    whole.update(f"{document}\0{clean(resource.address)}\0{subject}".encode())
    # Not a class of its own: making one of those for each resource takes longer than hashing it.
    return profile, document, whole.hexdigest()


@lru_cache(maxsize=1_024)
def _profile(
    type_: str,
    owner: str | None,
    source: str | None,
    origin: str | None,
    encrypted: bool | None,
    key: str | None,
    guards: tuple[str, ...],
    attributes: bytes,
    limits: Limits | None,
    inferred: str | None,
) -> tuple[Profile, "hashlib._Hash"]:
    """The profile, and the digest of whatever has it, begun. Neighbours in a list mostly have the one made last."""
    body: dict[str, Any] = {
        "type": type_,
        "owner": owner,
        "source": source,
        "origin": origin,
        "encrypted": encrypted,
        "key": key,
        "guards": guards,
        "attributes": orjson.loads(attributes),
        "limits": asdict(limits) if limits else None,
    }
    content = canonical(body)
    stored = canonical(body | {"inferred": inferred}) if inferred else content
    return Profile(stored.decode(), type_, guards), hashlib.sha256(content + b"\0")


def decode(uid: str, address: str, subject: str | None, profile: str, document: str) -> Resource:
    own = orjson.loads(document)
    return Resource(
        uid=uid,
        address=address,
        subject=subject,
        name=own["name"],
        created_at=optional_moment(own["created_at"]),
        facts=own["facts"],
        tags=own["tags"],
        **_shared(profile),
    )


@lru_cache(maxsize=4096)
def _shared(profile: str) -> dict[str, Any]:
    """The fields that many resources have in common; nobody changes them."""
    body: dict[str, Any] = orjson.loads(profile)
    limits = body.pop("limits")
    if limits:
        admits = limits["admits"]
        limits = Limits(tuple(limits["blocks"]), None if admits is None else tuple(admits), limits["unknown"])
    return {**body, "guards": tuple(body["guards"]), "limits": limits or None}


def approval_of(line: int, by: str, at: str, reason: str, ticket: str, until: str | None) -> Approval:
    """Out of the columns of a line of the approval log, or of a pin."""
    return Approval(by, moment(at), reason, ticket, optional_moment(until), line)


@lru_cache(maxsize=4096)
def grant_of(kind: str, key: str, access: str, mechanism: str, condition: str, expires: str) -> Grant:
    """A stored grant; thousands of resources are held by few on the same terms."""
    return Grant(Principal(kind, key), access, mechanism, condition, optional_moment(expires))


GrantKey = tuple[str, str, str, str, str, str]
"""(principal kind, principal key, access, mechanism, condition, expiry)."""


def grant_key(grant: Grant) -> GrantKey:
    expires = stamp(grant.expires_at) if grant.expires_at else ""
    principal = grant.principal
    return (principal.kind, clean(principal.id), grant.access, clean(grant.mechanism), clean(grant.condition), expires)


def digest_with(content: str, grants: frozenset[Grant]) -> str:
    """Stands for a resource and everybody who holds a grant on it."""
    return digest(content.encode(), _terms(grants))


@lru_cache(maxsize=256)
def _terms(grants: frozenset[Grant]) -> bytes:
    return canonical(sorted(map(grant_key, grants)))


def content_digest(address: str, subject: str | None, profile: str, document: str) -> str:
    """The digest of a stored version, recomputed from its content."""
    content = profile.encode()
    if b'"inferred":' in content:
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            return ""
        body.pop("inferred", None)
        content = canonical(body)
    return digest(content, document.encode(), f"{address}\0{subject or ''}".encode())
