"""For spreadsheets: one row per finding, then one per reading that is missing, the verdict first."""

import csv
import re
from io import StringIO

from snapbase.finding import Account, CoverageGap, Finding, Report
from snapbase.report import Options, Reporter
from snapbase.report.text import (
    altered,
    attack,
    compared,
    done_by,
    holder,
    hole,
    let_through,
    plain,
    verdict,
    whole,
    why_unread,
)

COLUMNS = (
    "record",
    "severity",
    "id",
    "rule",
    "title",
    "detail",
    "cloud",
    "account",
    "location",
    "kind",
    "name",
    "uid",
    "change",
    "principal",
    "approval",
    "done_by",
    "attack",
    "undo",
    "owner",
    "team",
    "environment",
)
_CELL = 4000
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 (full-width signs start formulas in some locales)
_AFTER_SEMICOLON = re.compile(rf""";(?=[\s"]*[{re.escape("".join(_FORMULA))}])""")


def render(report: Report, _: Options) -> str:
    """Comma-separated, quoted where needed, no cell a formula."""
    out = StringIO()
    rows = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    rows.writeheader()
    rows.writerow(_safe({"record": "verdict", "title": verdict(report), "detail": compared(report)}))
    for finding in report.findings:
        rows.writerow(_safe(_finding(finding)))
    for note in report.notes:
        rows.writerow(_safe({"record": "note", "detail": note}))
    for gap in report.coverage:
        rows.writerow(_safe(_unread(gap)))
    if not report.coverage:
        rows.writerow(_safe({"record": "coverage", "title": whole(report)}))
    return out.getvalue()


def _finding(finding: Finding) -> dict[str, str]:
    account = finding.owned or Account(finding.account)
    return {
        "record": "finding",
        "severity": finding.severity.value,
        "id": finding.id,
        "rule": finding.rule,
        "title": finding.title,
        "detail": finding.detail,
        "cloud": finding.cloud,
        "account": finding.account,
        "location": finding.location,
        "kind": finding.kind,
        "name": finding.subject.name or "",
        "uid": finding.subject.uid,
        "change": altered(finding),
        "principal": holder(finding),
        "approval": let_through(finding.approval) if finding.approval else "",
        "done_by": "; ".join(done_by(each) for each in finding.attribution),
        "attack": attack(finding),
        "undo": finding.undo,
        "owner": account.owner,
        "team": account.team,
        "environment": account.environment,
    }


def _unread(gap: CoverageGap) -> dict[str, str]:
    scope = gap.coverage.scope
    return {
        "record": "unread",
        "title": hole(gap),
        "detail": why_unread(gap),
        "cloud": scope.cloud,
        "account": scope.account,
        "location": scope.location,
        "kind": scope.kind,
    }


def _safe(row: dict[str, str]) -> dict[str, str]:
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: str) -> str:
    """A spreadsheet takes a cell that starts like a formula for one (CWE-1236); an apostrophe makes it text.

    Where the comma is in numbers (most of Europe), one that is not asked begins a cell after every semicolon.
    """
    text = _AFTER_SEMICOLON.sub(";'", plain(value, _CELL))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


REPORTER = Reporter("csv", "for spreadsheets", render)
