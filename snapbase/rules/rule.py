"""The shape of a rule: one file in this folder exporting `RULE`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.rules.estate import Tuning
from snapbase.ticket import Claim
from snapbase.trust import TrustList


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may look at beside the change."""

    trust: TrustList
    on: date
    below: Mapping[str, int] = field(default_factory=dict)
    """How many open snapshots lie behind a container or guardrail, by its uid."""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    """Change tickets that new snapshots claim, by uid."""
    tuning: Tuning = field(default_factory=Tuning)
    """What people said of their estate."""


@dataclass(frozen=True, slots=True)
class Verdict:
    severity: Severity
    title: str
    detail: str = ""
    undo: str = ""


OPENED = frozenset({ChangeType.GRANT_ADDED, ChangeType.GRANT_CHANGED, ChangeType.GRANT_WORSE})
"""Somebody may do more than was approved."""
SHOWN = OPENED | {ChangeType.APPEARED, ChangeType.MODIFIED}
"""The same, where a list alone can show it though grants were not read (`severity.shown_by`)."""


@dataclass(frozen=True, slots=True)
class Example:
    """A change and what the rule must say of it; None: nothing."""

    name: str
    change: Change
    severity: Severity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    id: str
    title: str
    on: frozenset[ChangeType]
    judge: Callable[[Change, Context], Verdict | None]
    attack: Attack
    severities: str
    """In words, for the README: `critical; high while blocked`."""
    blind: str
    """What it cannot see."""
    examples: tuple[Example, ...]
    fallback: bool = False
    """Only asked about changes that no other rule had anything to say about."""
