"""Hostile text made plain, and the words every format shares."""

import unicodedata

from snapbase.finding import Report, Severity
from snapbase.model import ANYWHERE

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def plain(value: object, limit: int = 200) -> str:
    """One line without control, format or direction characters (each shown as its code), at most `limit` long."""
    text = str(value)[: limit * 2]
    shown = "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _UNSAFE else c for c in text)
    if len(shown) <= limit and len(str(value)) <= limit * 2:
        return shown
    half = (limit - 1) // 2
    return f"{shown[:half]}…{shown[-half:]}" if limit > 2 else shown[:limit]


def counts(report: Report) -> dict[Severity, int]:
    """Findings per severity, worst first; severities without any are left out."""
    found = dict.fromkeys(Severity, 0)
    for finding in report.findings:
        found[finding.severity] += 1
    return {severity: count for severity, count in found.items() if count}


def unread_scopes(report: Report) -> int:
    """Scopes that were not completely read; whole accounts only where nothing finer is known of them."""
    finer = {gap.coverage.scope for gap in report.coverage if gap.coverage.scope.kind != ANYWHERE}
    return len(finer) or len({gap.coverage.scope for gap in report.coverage})


def several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def verdict(report: Report) -> str:
    """One sentence; never "clean" while anything is unread."""
    unread = unread_scopes(report)
    hole = f"; {several(unread, 'scope')} unread" if unread else ""
    if report.findings:
        parts = ", ".join(f"{count} {severity}" for severity, count in counts(report).items())
        return f"{several(len(report.findings), 'finding')}: {parts}{hole}."
    return f"No drift in what was read{hole}." if unread else "No drift. Everything selected was read."


def compared(report: Report) -> str:
    """What is compared with what."""
    run = f"Run {report.run.id}"
    if report.since:
        return f"{run} against {plain(report.since)}"
    if report.baseline is None:
        return f"{run}; nothing was approved yet"
    baseline, approval = report.baseline, report.baseline.approval
    return f"{run} against baseline {baseline.id}, approved {approval.at:%Y-%m-%d} by {plain(approval.by, 40)}"
