"""The shape of a kind and of a cloud: what a file in `collect/<cloud>/` exports.

A kind is one module exporting `COLLECTOR`; a cloud is one folder whose `cloud.py` exports `CLOUD`. The folders are the
registry. Nothing here, nor at the top of those modules, imports a cloud SDK.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from snapbase.collect.runtime import Runtime
from snapbase.model import ANYWHERE, Miss, Observation, Scope


class Where(StrEnum):
    """In which locations of an account a kind exists."""

    REGIONAL = "regional"
    GLOBAL = "global"
    MANAGEMENT = "management"
    """Once per organisation, read with the entry's own credentials."""


@dataclass(frozen=True, slots=True)
class Collector:
    """One kind of thing snapbase reads."""

    kind: str
    title: str
    """Plural, for people: `EBS snapshots`."""
    where: frozenset[Where]
    read: Callable[[Any, Scope], Iterator[Observation]]
    """Yields every resource of the scope through the cloud's own handle (`Target.handle`). Raising means the list is
    not complete: what was yielded before still counts, nothing is taken for deleted."""
    permissions: tuple[str, ...]
    """What the cloud must allow, in its own names; `snapbase policy` and the read-only test are made from these."""
    calls: str
    """What one scope costs, for people and `collect --plan`: `1 per 1,000 + 1 per shareable snapshot`."""
    blind: str
    """What this kind cannot see."""
    shares: bool = True
    """Whether there is a sharing aspect to cover."""


@dataclass(frozen=True, slots=True)
class Target:
    """One place in one account that can be read, or (with `failure`) an account that cannot."""

    account: str
    location: str
    handle: Any = None
    where: Where = Where.REGIONAL
    label: str = ""
    failure: Miss | None = None
    """Why nothing in this location (`ANYWHERE`: in this account) can be read."""


class Connection(Protocol):
    """One `[[aws]]`, `[[azure]]` or `[[gcp]]` entry, signed in."""

    def identity(self) -> str:
        """Who the cloud says we are; raises `CredentialsError` if nobody."""
        ...

    def targets(self) -> Iterator[Target]:
        """Every place to read. Accounts that cannot be entered come as one failed target at `ANYWHERE`."""
        ...


@dataclass(frozen=True, slots=True)
class CloudDescriptor:
    name: str
    title: str
    connect: Callable[[Any, Runtime], Connection]
    """From a validated configuration entry. Imports the SDK."""
    classify: Callable[[BaseException], Miss | None]
    """The one place that turns the cloud's errors into an outcome and words; None: not a cloud's answer, a bug."""


@cache
def collectors(cloud: str) -> tuple[Collector, ...]:
    """Every kind of one cloud, by kind name."""
    package = importlib.import_module(f"snapbase.collect.{cloud}")
    found = []
    for module in pkgutil.iter_modules(package.__path__):
        collector = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "COLLECTOR", None)
        if collector is not None:
            found.append(collector)
    return tuple(sorted(found, key=lambda each: each.kind))


@cache
def cloud(name: str) -> CloudDescriptor:
    """One cloud's descriptor, by name (`aws`, `azure`, `gcp`)."""
    descriptor: CloudDescriptor = importlib.import_module(f"snapbase.collect.{name}.cloud").CLOUD
    return descriptor


def account_scope(cloud_name: str, account: str) -> Scope:
    """The scope that stands for a whole account: complete when it could be entered."""
    return Scope(cloud_name, account, ANYWHERE, ANYWHERE)
