"""One CloudTrail record, read without trust: every getter gives an empty value where a field is missing or of a wrong
type, so that no record can make the parser fail.

Field paths and shapes: CloudTrail User Guide, "CloudTrail record contents"; addresses as the collectors write them.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snapbase.model import Principal, PrincipalKind

LONGEST = 2048
"""Characters of one value; what is longer is no name that AWS gives."""
MOST = 200
"""Subjects or targets of one event. BatchDelete calls take 100."""
_DEPTH = 8
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_NAMED = re.compile(r"arn:[^:]*:(?:iam|sts)::(\d{12}):", re.ASCII)
_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("eusc-", "aws-eusc"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
)
"""Records do not name the partition, but its regions have names of their own (botocore's endpoints)."""

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of a record that events are made from."""

    name: str
    account: str
    region: str
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    service: Mapping[str, Any]
    """`serviceEventDetails` of what an AWS service did by itself."""
    resources: tuple[Mapping[str, Any], ...] = ()
    owner: str = ""
    """The account that acted."""
    via: str = ""
    """The service that acted on behalf of it."""
    partition: str = field(default="aws")

    def arn(self, service: str, rest: str, *, account: bool = True, region: str = "") -> str:
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account if account else ''}:{rest}"


Find = Callable[[Record], Names]
"""Where an event's record has names of resources."""
Tell = Callable[[Record], str]
Whom = Callable[[Record], tuple[Principal, ...]]


def partition_of(region: str) -> str:
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def unwrapped(value: Any, name: str, suffix: str) -> Mapping[str, Any]:
    """Newer EC2 operations put everything under `<Operation>Request` or `<Operation>Response`."""
    given = mapping(value)
    inner = given.get(f"{name}{suffix}")
    return inner if isinstance(inner, dict) else given


def text(value: Any) -> str:
    """A bounded string, or nothing. `{"content": ..., "tag": n}` is how newer EC2 operations write one of a list."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST else ""


def get(given: Mapping[str, Any], name: str) -> Any:
    """By name, whose first letter services write in either case."""
    found = given.get(name)
    return found if found is not None else given.get(name[:1].upper() + name[1:])


def at(given: Mapping[str, Any], path: str) -> Any:
    """What lies at a dotted path."""
    found: Any = given
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = get(found, name)
    return found


def many(value: Any) -> list[Any]:
    """The elements of a list, however it is wrapped (`{"items": []}`, `{"item": []}`); one thing as a list of it."""
    for _ in range(_DEPTH):
        if not isinstance(value, dict):
            break
        inner = next((value[each] for each in ("items", "item", "Item", "member") if each in value), None)
        if inner is None:
            return [value] if value else []
        value = inner
    if value is None:
        return []
    return value[:MOST] if isinstance(value, list) else [value]


def ids(given: Any, *names: str) -> Names:
    """Every value under one of the names (in lower case) in lists and mappings of any wrapping, in order, once."""
    found: dict[str, None] = {}
    for value in _under(given, frozenset(names), 0):
        if len(found) >= MOST:
            break
        found[value] = None
    return tuple(found)


def _under(given: Any, names: frozenset[str], depth: int, wanted: bool = False) -> Iterator[str]:
    if depth > _DEPTH:
        return
    if isinstance(given, list):
        for each in given:
            yield from _under(each, names, depth + 1, wanted)
    elif isinstance(given, dict):
        for name, value in given.items():
            low = name.lower()
            inside = low in names or (wanted and low in ("items", "item", "content", "member"))
            if inside or isinstance(value, (dict, list)):
                yield from _under(value, names, depth + 1, inside)
    elif wanted and isinstance(given, str) and 0 < len(given) <= LONGEST:
        yield given


def document(value: Any) -> Any:
    """A policy: JSON in a string, or already an object; None where it is neither."""
    if isinstance(value, str) and len(value) <= 100_000:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def is_account(value: Any) -> bool:
    return isinstance(value, str) and _ACCOUNT.fullmatch(value) is not None


def holder(value: Any) -> Principal | None:
    """Whom an ARN, an account number or an id of an organisation names."""
    name = text(value)
    if is_account(name):
        return Principal(PrincipalKind.ACCOUNT, name)
    if match := _NAMED.match(name):
        return Principal(PrincipalKind.ACCOUNT, match[1])
    if ":organization/" in name:
        return Principal(PrincipalKind.ORGANIZATION, name)
    if ":ou/" in name:
        return Principal(PrincipalKind.ORGANIZATIONAL_UNIT, name)
    if name == "*":
        return Principal(PrincipalKind.PUBLIC, "*")
    if name.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return Principal(PrincipalKind.SERVICE, name)
    return Principal(PrincipalKind.OTHER, name) if name else None


def admitted(policy: Any, account: str) -> tuple[Principal, ...]:
    """Every principal but the resource's own account that an Allow of a policy names.

    Conditions are not weighed: this says whom the call wrote into the policy; what it is worth the collectors read.
    """
    statements = mapping(document(policy)).get("Statement")
    found: dict[Principal, None] = {}
    for statement in many(statements):
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
            continue
        named = "*" if "NotPrincipal" in statement else statement.get("Principal")
        values = [each for value in named.values() for each in many(value)] if isinstance(named, dict) else many(named)
        for who in map(holder, values[:MOST]):
            if who is not None and who.id != account and who.kind != PrincipalKind.SERVICE:
                found[who] = None
    return tuple(found)[:MOST]
