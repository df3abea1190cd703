"""Model values <-> canonical text: the same value always gives the same bytes, so a digest stands for the content."""

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from snapbase.model import Grant, Limits, Resource

_PROFILE = ("type", "owner", "source", "origin", "encrypted", "key", "guards", "attributes")


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds: sorts as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def optional_moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def canonical(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def encode(resource: Resource) -> tuple[str, str, str]:
    """(profile, document, digest). `inferred` rides in the profile but is no content: it never opens a version."""
    body: dict[str, Any] = {name: getattr(resource, name) for name in _PROFILE}
    body["limits"] = asdict(resource.limits) if resource.limits else None
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
    return profile, document, digest(content, document, resource.address, resource.subject or "")


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
    return (grant.principal.kind, grant.principal.id, grant.access, grant.mechanism, grant.condition, expires)
