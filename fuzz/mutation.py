"""Records of audit logs, damaged as an attacker or a broken exporter could damage them."""

import copy
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_SEEDS = Path(__file__).parent / "seeds"
_JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    1e308,
    float("nan"),
    "",
    "*",
    "all",
    "arn:",
    "arn:aws:::::::",
    "\x00",
    "\ud800",
    "/" * 300,
    ":" * 300,
    "x" * 5_000,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "{",
    '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": [null, 1, []]}}]}',
    [],
    {},
    [[[[[[[[[[]]]]]]]]]],
    [None],
    {"": ""},
    {"items": [{"userId": {}}]},
)


@cache
def seeds() -> tuple[str, ...]:
    """Every record in `seeds/`, as JSON: a copy is one parse."""
    found = []
    for path in sorted(_SEEDS.glob("*.json")):
        found += [json.dumps(each) for each in json.loads(path.read_text(encoding="utf-8"))]
    return tuple(found)


def mutated(choose: Callable[[int], int]) -> Any:
    """A record with one to four things wrong; `choose(n)` gives a number below n."""
    known = seeds()
    record = json.loads(known[choose(len(known))])
    for _ in range(1 + choose(4)):
        holder, key = _place(record, choose)
        if holder is None:
            break
        _damage(record, holder, key, choose)
    return record


def _place(record: Any, choose: Callable[[int], int]) -> tuple[Any, Any]:
    """Somewhere in it: a container and a key of it."""
    holder: Any = None
    key: Any = None
    value = record
    while isinstance(value, (dict, list)) and value:
        holder = value
        key = list(value)[choose(len(value))] if isinstance(value, dict) else choose(len(value))
        value = value[key]
        if choose(4) == 0:
            break
    return holder, key


def _damage(record: Any, holder: Any, key: Any, choose: Callable[[int], int]) -> None:
    kind = choose(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = [holder[key]] * (1 + choose(3) if choose(200) or _is_many(record) else 400)
    elif kind == 2:
        holder[key] = _nested(holder[key], choose(40))
    elif kind == 3 and isinstance(holder[key], str):
        text = holder[key]
        at = choose(len(text) + 1)
        holder[key] = text[:at] + str(_JUNK[choose(len(_JUNK))]) + text[at:]
    elif kind == 4 and isinstance(holder, dict):
        holder[key.upper() if choose(2) else key[:-1]] = holder.pop(key)
    else:
        holder[key] = copy.deepcopy(_JUNK[choose(len(_JUNK))])


def _is_many(value: Any) -> bool:
    """Many of many of many are more than any log holds, and take a minute to read though each is read at once."""
    return json.dumps(value).count(",") >= 399


def _nested(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = {"items": value} if level % 2 else [value]
    return value


def chooser(seed: int) -> Callable[[int], int]:
    """Choices by a generator of random numbers: the same for the same seed."""
    generator = random.Random(seed)  # noqa: S311
    return lambda below: int(generator.random() * below) if below > 0 else 0
