"""For tickets and pull requests: worst first, coverage always last."""

import re
from collections.abc import Iterator
from itertools import groupby

from snapbase.finding import Finding, Report
from snapbase.report import Options, Reporter
from snapbase.report.text import (
    altered,
    attack,
    command,
    compared,
    done_by,
    heartbeat,
    holder,
    hole,
    let_through,
    named,
    plain,
    rotation,
    several,
    title,
    verdict,
    where,
    whole,
    whose,
    why_unread,
)

_LISTED = 100
"""Findings listed per severity; a ticket has a size. JSON always has all."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#&!])")
_MENTION = re.compile(r"(?<!\w)@")


def render(report: Report, _: Options) -> str:
    """GitHub-flavoured; names of the cloud's are code spans or escaped, so they link, mention and format nothing."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {_escape(verdict(report))}"
    yield ""
    yield f"{_escape(compared(report))}."
    for severity, group in groupby(report.findings, key=lambda finding: finding.severity):
        found = list(group)
        yield ""
        yield f"## {severity.capitalize()} ({len(found)})"
        yield ""
        for finding in found[:_LISTED]:
            yield from _finding(finding)
        if len(found) > _LISTED:
            yield f"- … and {len(found) - _LISTED:,} more; `--format json` lists all."
    if words := rotation(report):
        yield ""
        yield "## Expected"
        yield ""
        yield _escape(words)
        yield ""
        yield from (f"- {_escape(heartbeat(each))}" for each in report.summary.cohorts[:_LISTED])
        if len(report.summary.cohorts) > _LISTED:
            yield f"- … and {len(report.summary.cohorts) - _LISTED:,} more; `--format json` lists all."
    if report.notes:
        yield ""
        yield "## Notes"
        yield ""
        yield from (f"- {_escape(plain(note, 400))}" for note in report.notes)
    yield ""
    yield from _coverage(report)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"- **{_escape(title(finding))}** {_code(finding.id)}"
    yield f"  - {_code(named(finding))}"
    yield f"  - {_code(where(finding))} · {_code(plain(finding.rule, 60))} · {_escape(attack(finding))}"
    if owner := whose(finding):
        yield f"  - Whose: {_code(owner)}"
    if finding.detail:
        yield f"  - {_escape(plain(finding.detail, 400))}"
    if change := altered(finding):
        yield f"  - {_code(change)}"
    if who := holder(finding):
        yield f"  - Who: {_code(who)}"
    if finding.approval:
        yield f"  - {_escape(let_through(finding.approval))}"
    for event in finding.attribution:
        yield f"  - {_code(done_by(event))}"
    if finding.undo:
        yield f"  - Undo: {_code(command(finding.undo))}"


def _coverage(report: Report) -> Iterator[str]:
    yield "## Coverage"
    yield ""
    if not report.coverage:
        yield whole(report)
        return
    missing = several(len(report.coverage), "reading")
    yield f"{missing} missing; the last known state stays, nothing in it is taken for deleted."
    yield ""
    for gap in report.coverage[:_LISTED]:
        yield f"- {_code(hole(gap))}: {_escape(why_unread(gap))}"
    if len(report.coverage) > _LISTED:
        yield f"- … and {len(report.coverage) - _LISTED:,} more; `--format json` lists all."


def _escape(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", text).replace("://", r":\//").replace("www.", r"www\.")
    return _MENTION.sub("@<!-- -->", escaped)


def _code(text: str) -> str:
    """A code span whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{text}{pad}{fence}"


REPORTER = Reporter("markdown", "for tickets and pull requests", render)
