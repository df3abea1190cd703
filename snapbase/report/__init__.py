"""A report in one format or another. One file per format; the folder is the registry."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from snapbase.finding import Report


@dataclass(frozen=True, slots=True)
class Options:
    """How to lay a report out, where the format cares."""

    width: int = 80
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Reporter:
    """One format."""

    name: str
    title: str
    render: Callable[[Report, Options], str]


@cache
def reporters() -> Mapping[str, Reporter]:
    """Every format, by the name that `--format` takes."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        reporter = getattr(importlib.import_module(f"{__name__}.{module.name}"), "REPORTER", None)
        if reporter is not None:
            found[reporter.name] = reporter
    return found
