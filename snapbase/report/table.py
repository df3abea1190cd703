"""For a terminal: worst first, one short paragraph per finding, coverage always last and never absent."""

import re
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from snapbase.finding import Finding, Report, Severity
from snapbase.report import Options, Reporter
from snapbase.report.text import (
    altered,
    command_lines,
    compared,
    heartbeat,
    holder,
    origin,
    plain,
    rotation,
    several,
    verdict,
    whole,
    whose,
)

_STYLE = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_FOLD_ABOVE = 8
"""More findings of one rule and severity than this, and only examples are shown; exposure comes one by one."""
_EXISTENCE = frozenset({"snapshot-appeared", "snapshot-disappeared", "snapshot-modified"})
_BRIEF = 2
"""From so many on, findings about mere existence have a line each."""
_SESSION = re.compile(r"^arn:[^:]+:sts::[0-9]{12}:assumed-role/")
_PARTS = re.compile("[/:]")
_PLACE = 12
"""So much of where it is stays, where it comes before what it is."""
_WHOLE = 2
"""Of more than three of one rule and severity, so many are told with all that there is to say."""
_LISTED = 50
"""Exposures of one rule and severity listed one by one; beyond that they are counted by who holds them."""
_KINDS = 3
"""Kinds that are counted one by one."""
_SAMPLES = 2
"""Of what a low-trust origin made, so many are named."""
_BEATS = 4
"""Approved origins with a line of their own: first those of low trust, and those of which something is listed."""
_EXPOSURE = frozenset(
    {
        "bearer-access",
        "create-share-chain",
        "foreign-copy",
        "inherited-share",
        "network-exposure",
        "public-share",
        "share-then-unshare",
        "standing-share",
        "trust-lost",
        "unbaselined-share",
        "unknown-account-share",
    }
)


def render(report: Report, options: Options) -> str:
    """Text for a terminal `options.width` columns wide."""
    out = StringIO()
    console = Console(
        file=out,
        width=max(60, options.width),
        force_terminal=options.colour,
        color_system="standard" if options.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )
    page = _Page(console)
    page.line(compared(report), "bold")
    page.line(verdict(report), "bold" if report.findings else "")
    if report.baseline and report.baseline.approval.reason and not report.since:
        page.line(f"Approved because: {plain(report.baseline.approval.reason)}", "dim")
    for severity, found in groupby(report.findings, key=lambda finding: finding.severity):
        _severity(page, severity, list(found))
    _folded(page, report)
    _coverage(page, report)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


class _Page:
    """Lines with hanging indents."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.width = console.width
        self.shortened = False
        """Whether some finding was not told whole."""

    def line(self, text: str, style: str = "", indent: int = 0) -> None:
        room = self.width - indent
        for part in Text(text).wrap(self._console, room, overflow="fold"):
            self._exactly(Text(" " * indent, style=style).append(part.plain.rstrip()))

    def _exactly(self, text: Text) -> None:
        self._console.print(text, overflow="ignore", no_wrap=True, crop=False)

    def pair(self, left: str, right: str, style: str, indent: int = 2) -> None:
        """A title with its id at the right edge of its first line: a long title is wrapped in what is left of it."""
        room = self.width - indent - cell_len(right) - 2
        if room < self.width // 3:
            self.line(left, style, indent)
            self.line(right, "dim", indent + 2)
            return
        parts = [part.plain.rstrip() for part in Text(left).wrap(self._console, room, overflow="fold")] or [""]
        gap = self.width - indent - cell_len(parts[0]) - cell_len(right)
        self._exactly(Text(" " * indent).append(parts[0], style).append(" " * gap).append(right, "dim"))
        for part in parts[1:]:
            self._exactly(Text(" " * indent).append(part, style))

    def command(self, text: str, indent: int) -> None:
        """One command a shell can be given as it stands; a single word may be longer than the line."""
        for part in command_lines(text, self.width - indent):
            self._exactly(Text(" " * indent + part, style="dim"))

    def rule(self, text: str, style: str) -> None:
        self._console.print()
        self._console.print(Text(text, style=style))


def _severity(page: _Page, severity: Severity, found: list[Finding]) -> None:
    page.rule(f"{severity.upper()}  {len(found)}", _STYLE[severity])
    for rule, same in groupby(found, key=lambda finding: finding.rule):
        several_ = list(same)
        if rule in _EXISTENCE and len(several_) >= _BRIEF:
            _briefly(page, several_)
            continue
        limit = _LISTED if rule in _EXPOSURE else len(several_) if len(several_) <= _FOLD_ABOVE else 3
        shown = several_[:limit]
        whole = len(shown) if len(shown) <= _WHOLE + 1 else _WHOLE
        for finding in shown[:whole]:
            _finding(page, finding)
        for finding in shown[whole:]:
            _in_short(page, finding)
        if len(several_) > limit:
            _more(page, rule, several_[limit:])


def _briefly(page: _Page, found: list[Finding]) -> None:
    """Snapshots that only came, went or were renamed: a line each, under one title for all that are alike."""
    for title, same in groupby(sorted(found, key=lambda each: each.title), key=lambda each: each.title):
        alike = sorted(same, key=_age)
        first = alike[0]
        techniques = " ".join((*first.attack.techniques, *first.attack.data_components))
        page.pair(f"{plain(title, 120)}: {len(alike):,}", f"{first.rule}  {techniques}", _STYLE[first.severity])
        limit = len(alike) if len(alike) <= 5 else 3
        for each in alike[:limit]:
            page.pair(_shortly(each, page.width - 20), each.id, "", 4)
        if len(alike) > limit:
            _more(page, first.rule, alike[limit:])


def _age(finding: Finding) -> tuple[float, str]:
    """The newest first: what nobody has seen yet is on top, and a young one that went tells more than an old one."""
    made = finding.subject.created_at
    return (-made.timestamp() if made else float("-inf"), finding.subject.uid)


def _shortly(finding: Finding, width: int) -> str:
    """Where it is, its name, what its address ends with, and who did it: what it is outlives the rest."""
    subject = finding.subject
    last = _PARTS.split(subject.address or subject.uid)[-1]
    name = subject.name or ""
    what = plain(name if last in name else f"{name}  {last}".strip(), width)
    done = plain(f"by {_PARTS.split(finding.attribution[0].actor)[-1]}") if finding.attribution else ""
    if done and len(what) + len(done) + _PLACE + 4 <= width:
        what = f"{what}  {done}"
    where = plain(f"{finding.account}/{finding.location}", max(_PLACE, width - len(what) - 2))
    return plain(f"{where}  {what}", width)


def _more(page: _Page, rule: str, rest: list[Finding]) -> None:
    page.line(f"… and {len(rest):,} more of {plain(rule, 60)} (--format json lists all)", "dim", 2)
    holders = Counter(holder(finding) for finding in rest if finding.grantee)
    for who, count in holders.most_common(_LISTED):
        page.line(f"{count:,} with {who}", "", 4)
    if len(holders) > _LISTED:
        page.line(f"and with {len(holders) - _LISTED:,} others", "", 4)


def _finding(page: _Page, finding: Finding) -> None:
    page.pair(plain(finding.title, 120), finding.id, _STYLE[finding.severity])
    subject = finding.subject
    name = plain(subject.name, 60) if subject.name else ""
    address = plain(subject.address or subject.uid, 240)
    page.line(f"{name}  {address}" if name and name not in address else address, "", 4)
    where = f"{finding.account}/{finding.location}" if finding.account else ""
    techniques = " ".join((*finding.attack.techniques, *finding.attack.data_components))
    page.line("  ".join(filter(None, (plain(finding.kind), plain(where), finding.rule, techniques))), "dim", 4)
    if owner := whose(finding):
        page.line(owner, "dim", 4)
    if finding.detail:
        page.line(plain(finding.detail, 400), "", 4)
    if change := altered(finding):
        page.line(change, "", 4)
    if finding.approval:
        _approval(page, finding)
    for each in finding.attribution:
        who = f"{each.at:%Y-%m-%d %H:%M} {plain(each.action)} by {plain(each.actor)}"
        page.line(f"{who} from {origin(each)} ({each.certainty})", "", 4)
    if finding.undo and finding.severity != Severity.INFO:
        page.line("To undo it:", "dim", 4)
        page.command(finding.undo, 6)


def _in_short(page: _Page, finding: Finding) -> None:
    """What, on what, and who did it."""
    page.shortened = True
    page.pair(plain(finding.title, 120), finding.id, _STYLE[finding.severity])
    page.line(plain(finding.subject.address or finding.subject.uid, 240), "", 4)
    if finding.approval:
        _approval(page, finding)
    for each in finding.attribution:
        who = plain(_SESSION.sub("", each.actor))
        page.line(f"{each.at:%Y-%m-%d %H:%M} by {who} from {origin(each)}", "dim", 4)


def _approval(page: _Page, finding: Finding) -> None:
    approval = finding.approval
    if approval is None:
        return
    until = f" until {approval.until:%Y-%m-%d %H:%M}" if approval.until else ""
    page.line(f"Let through by {plain(approval.by, 60)}{until}: {plain(approval.reason)}", "", 4)


def _folded(page: _Page, report: Report) -> None:
    summary = report.summary
    lines = []
    if summary.initial:
        lines.append(f"{summary.initial:,} seen by the first complete reading of their scope: no news, not listed.")
    if summary.approved_exposures:
        lines.append(f"{several(summary.approved_exposures, 'approved exposure')} still open, not listed.")
    lines.append(f"{several(summary.snapshots, 'snapshot')} known{_by_kind(summary.by_kind)}.")
    if report.baseline is None and not report.since:
        lines.append("Approve what is fine: snapbase approve-baseline --reason '…'")
    page.rule("COUNTED", "bold")
    if page.shortened:
        page.line(
            "Findings told in short are whole, with how to undo them, in --format markdown, html and json.", "", 2
        )
    _expected(page, report)
    for line in (*lines, *(plain(note, 400) for note in report.notes)):
        page.line(line, "", 2)


def _by_kind(counts: Sequence[tuple[str, int]]) -> str:
    """Each kind, or where there are many, each cloud."""
    if len(counts) <= _KINDS:
        return ": " + ", ".join(f"{count:,} {kind}" for kind, count in counts) if counts else ""
    clouds: Counter[str] = Counter()
    for kind, count in counts:
        clouds[kind.partition(".")[0]] += count
    return f" of {len(counts)} kinds: " + ", ".join(f"{count:,} in {cloud}" for cloud, count in sorted(clouds.items()))


def _expected(page: _Page, report: Report) -> None:
    if words := rotation(report):
        page.line(words, "", 2)
    beats = report.summary.cohorts
    shown = [each for each in beats if each.low_trust or each.violations]
    shown += [each for each in beats if each not in shown]
    for each in shown[:_BEATS]:
        page.line(heartbeat(each, samples=_SAMPLES), "", 4)
    if len(shown) > _BEATS:
        rest = shown[_BEATS:]
        came, went = sum(each.appeared for each in rest), sum(each.disappeared for each in rest)
        page.line(f"+{came:,} -{went:,} of {len(rest):,} more origins (--format json lists all)", "dim", 4)


def _coverage(page: _Page, report: Report) -> None:
    page.rule("COVERAGE", "bold")
    if not report.coverage:
        page.line(whole(report), "", 2)
        return
    by_reason: dict[tuple[str, str], list[str]] = {}
    for gap in report.coverage:
        scope = gap.coverage.scope
        since = f", since run {gap.since_run}" if gap.since_run else ""
        where = f"{plain(scope.account)}/{plain(scope.location)} {plain(scope.kind)} {gap.coverage.aspect}{since}"
        by_reason.setdefault((gap.coverage.outcome, gap.coverage.reason), []).append(where)
    page.line("Not read; the last known state stays, and nothing in it is taken for deleted:", "", 2)
    for (outcome, reason), places in by_reason.items():
        page.line(f"{outcome}: {plain(reason, 300) or 'no reason given'}", "yellow", 2)
        for place in places[:20]:
            page.line(place, "", 4)
        if len(places) > 20:
            page.line(f"… and {len(places) - 20:,} more", "dim", 4)


REPORTER = Reporter("table", "for a terminal", render)
