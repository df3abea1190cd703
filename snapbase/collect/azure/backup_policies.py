"""What the policies of Azure's two kinds of backup vault have in common: they are listed vault by vault, and say how
long what they make is kept."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from snapbase.collect.azure.errors import Unread, is_gone
from snapbase.collect.azure.fields import labels, moment, number, section, text
from snapbase.collect.azure.generic import listed, optional
from snapbase.collect.azure.managed import containers, incarnation, made_at
from snapbase.collect.azure.session import Subscription
from snapbase.model import Json, Resource, ResourceType

_UNITS = {"d": 1, "w": 7, "m": 30, "y": 365}
_DURATION = re.compile(r"P(\d+)([DWMY])", re.IGNORECASE)
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Vaults:
    """Where one kind of vault is listed, and the policies of each."""

    type: str
    version: str

    @property
    def operations(self) -> tuple[str, str]:
        return f"{self.type}/read", f"{self.type}/backupPolicies/read"

    def policies(self, subscription: Subscription) -> Iterator[Mapping[str, Any]]:
        """Every policy of every vault; without those of a vault that is deleted meanwhile."""
        path = f"{subscription.uid}/providers/{self.type}"
        vaults = optional(subscription, self.operations[0], path, self.version)
        addresses = [address for vault in vaults if (address := text(vault.get("id")))]
        for found in subscription.runtime.map(partial(self._of, subscription), addresses):
            yield from found

    def _of(self, subscription: Subscription, vault: str) -> list[Mapping[str, Any]]:
        try:
            return list(listed(subscription, self.operations[1], f"{vault}/backupPolicies", self.version))
        except Unread as error:
            if is_gone(error):
                return []
            raise


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
