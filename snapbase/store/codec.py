"""Model values <-> canonical text: the same value always gives the same bytes, so a digest stands for the content."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from snapbase.model import Grant, Limits, Resource

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds: sorts as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def optional_moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def canonical(value: Any) -> str:
    """Sorted JSON; text that no database can hold is made harmless first."""
    try:
        text = orjson.dumps(value, option=_SORTED).decode()
    except TypeError:
        return orjson.dumps(harmless(value), option=_SORTED).decode()
    return text if "\\u0000" not in text else orjson.dumps(harmless(value), option=_SORTED).decode()


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
    if isinstance(value, int) and value.bit_length() > 63:
        return str(value)
    return value


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def encode(resource: Resource) -> tuple[str, str, str]:
    """(profile, document, digest). `inferred` rides in the profile but is no content: it never opens a version."""
    body: dict[str, Any] = {
        "type": resource.type,
        "owner": resource.owner,
        "source": resource.source,
        "origin": resource.origin,
        "encrypted": resource.encrypted,
        "key": resource.key,
        "guards": resource.guards,
        "attributes": resource.attributes,
        "limits": asdict(resource.limits) if resource.limits else None,
    }
    document = canonical(
        {
            "name": resource.name,
            "created_at": stamp(resource.created_at) if resource.created_at else None,
            "facts": resource.facts,
            "tags": resource.tags,
        }
    )
    content = canonical(body)
    profile = canonical(body | {"inferred": resource.inferred}) if resource.inferred else content
    return profile, document, digest(content, document, clean(resource.address), clean(resource.subject or ""))


def decode(uid: str, address: str, subject: str | None, profile: str, document: str) -> Resource:
    body = orjson.loads(profile)
    own = orjson.loads(document)
    limits = body.pop("limits")
    if limits:
        admits = limits["admits"]
        limits = Limits(tuple(limits["blocks"]), None if admits is None else tuple(admits), limits["unknown"])
    return Resource(
        uid=uid,
        address=address,
        subject=subject,
        limits=limits or None,
        guards=tuple(body.pop("guards")),
        name=own["name"],
        created_at=optional_moment(own["created_at"]),
        facts=own["facts"],
        tags=own["tags"],
        **body,
    )


GrantKey = tuple[str, str, str, str, str, str]
"""(principal kind, principal key, access, mechanism, condition, expiry)."""


def grant_key(grant: Grant) -> GrantKey:
    expires = stamp(grant.expires_at) if grant.expires_at else ""
    principal = grant.principal
    return (principal.kind, clean(principal.id), grant.access, clean(grant.mechanism), clean(grant.condition), expires)
