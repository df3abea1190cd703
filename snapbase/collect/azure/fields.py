"""Reading single values out of ARM's JSON, where nothing may be taken for granted: not a type, not a case."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def text(value: Any) -> str | None:
    """A non-empty string, or None."""
    return value if isinstance(value, str) and value else None


def lower(value: Any) -> str | None:
    """An ARM id or GUID in lower case: ARM compares both without regard to case, and answers in either."""
    return value.lower() if isinstance(value, str) and value else None


def flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def section(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def choice(value: Any, *known: str) -> str | None:
    """One of the known enum values in its documented spelling; a value of a later API version as it came."""
    found = text(value)
    return next((each for each in known if found and each.lower() == found.lower()), found)


def moment(value: Any) -> datetime | None:
    """An RFC 3339 time (ARM sends seven digits of a second), in UTC; None where it is none."""
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def labels(value: Any) -> dict[str, str]:
    """Tags: string pairs, whatever else was in there left out."""
    return {key: each for key, each in section(value).items() if isinstance(each, str)}
