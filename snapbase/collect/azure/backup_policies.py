"""What the policies of Azure's two kinds of backup vault have in common: how long what they make is kept."""

import re
from collections.abc import Mapping
from typing import Any

from snapbase.collect.azure.fields import labels, moment, number, section, text
from snapbase.collect.azure.managed import containers, incarnation, made_at
from snapbase.model import Json, Resource, ResourceType

_UNITS = {"d": 1, "w": 7, "m": 30, "y": 365}
_DURATION = re.compile(r"P(\d+)([DWMY])", re.IGNORECASE)
_DEPTH = 12


def policy(
    listed: Mapping[str, Any], account: str, attributes: Mapping[str, Json], facts: Mapping[str, Json]
) -> Resource:
    """A policy by its ARM id; how long each of its schedules or rules keeps is apart from the rest of the facts, for
    less of that is worse than another change."""
    address = text(listed.get("id")) or ""
    kept: dict[str, Json] = {}
    rest = {name: _timeless(value, (name,), kept) for name, value in facts.items()}
    return Resource(
        uid=incarnation(address, made_at(listed)),
        address=address,
        type=ResourceType.POLICY,
        name=text(listed.get("name")),
        created_at=moment(made_at(listed)),
        owner=account,
        guards=containers(address, account),
        attributes=attributes,
        facts={**rest, **kept},
        tags=labels(listed.get("tags")),
    )


def _timeless(value: Any, path: tuple[str, ...], kept: dict[str, Json]) -> Json:
    """The same without its retentions, which go into `kept` by where they are: `retention_days dailySchedule`."""
    if len(path) > _DEPTH:
        return None
    if isinstance(value, Mapping):
        rest = {}
        for name, each in value.items():
            days = _days(name, each)
            if days is None:
                rest[name] = _timeless(each, (*path, name), kept)
            else:
                kept[f"retention_days {'.'.join(path)}"] = days
        return rest
    if isinstance(value, list):
        return [_timeless(each, (*path, str(number)), kept) for number, each in enumerate(value)]
    return value if isinstance(value, str | int | float | bool) else None


def _days(name: str, value: Any) -> int | None:
    """`{"count": 30, "durationType": "Days"}` or `{"duration": "P30D"}`; None for anything else."""
    told = section(value)
    if name == "retentionDuration":
        count, unit = number(told.get("count")), (text(told.get("durationType")) or "")[:1].lower()
        return count * _UNITS[unit] if count is not None and unit in _UNITS else None
    ends = _DURATION.fullmatch(text(told.get("duration")) or "") if name == "deleteAfter" else None
    return int(ends[1]) * _UNITS[ends[2].lower()] if ends else None
