"""Hostile text made plain, and the words every format shares."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from snapbase.exposure import Exposure
from snapbase.finding import Attribution, CoverageGap, Finding, Heartbeat, Report, Severity
from snapbase.finding import several as several
from snapbase.locations import UNKNOWN
from snapbase.model import ANYWHERE, Approval, Json, State

_COMMAND = 2000
_WORD = re.compile(r"""(?:[^\s'"\\]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+""")
_UNSAFE = frozenset({"Cc", "Cf", "Cn", "Cs", "Co", "Zl", "Zp"})


def plain(value: object, limit: int = 200) -> str:
    """One line without control, format or direction characters (each shown as its code), at most `limit` long.

    What is too long loses its middle: both the beginning and the end of an identifier tell things apart.
    """
    text = str(value)
    half = (limit - 1) // 2
    if len(text) <= limit:
        shown = _escaped(text)
        if len(shown) <= limit:
            return shown
        return f"{shown[: limit - 1 - half]}…{shown[len(shown) - half :]}"
    head, tail = _escaped(text[: limit - 1 - half]), _escaped(text[len(text) - half :])
    return f"{head[: limit - 1 - half]}…{tail[len(tail) - half :]}"


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _UNSAFE else c for c in text)


def command(text: str) -> str:
    """A command to be pasted: whole or not at all, since a shortened or altered one could do something else."""
    if not text or (len(text) <= _COMMAND and plain(text, _COMMAND) == text):
        return text
    return "# it cannot be printed safely: see undo in --format json"


def command_lines(text: str, width: int) -> list[str]:
    """The command over lines that a shell reads as one: broken between words, never inside quotes."""
    words = _WORD.findall(command(text))
    if " ".join(words) != command(text):
        return [command(text)]
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and len(longer) > width - 2:
            lines.append(f"  {word}")
        else:
            lines[-1] = longer
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


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


def sharing(state: State, exposures: Iterable[Exposure], *, unread: bool) -> str:
    """Who can use it, as far as was read; `unread`: the whole scope's sharing could not be.

    The least trusted come first: what is too long for its place loses its middle.
    """
    if state.grants is None:
        return "unknown: never read"
    words = ", ".join(
        f"{plain(each.grant.principal, 120)} ({plain(each.judgement.label or each.trust)}"
        f"{'' if each.effect == 'effective' else f', {each.effect}'})"
        for each in sorted(exposures, key=lambda each: -each.judgement.trust.rank)
    )
    if unread or state.miss is not None:
        return f"{words or 'nobody'}, as last read"
    return words or ("nobody (inferred)" if state.resource.inferred else "nobody")


def verdict(report: Report) -> str:
    """One sentence; never "clean" while anything is unread."""
    unread = unread_scopes(report)
    unsaid = (
        f"; {several(unread, 'scope')} unread" if unread else "" if report.complete else "; not everything was read"
    )
    if report.findings:
        parts = ", ".join(f"{count} {severity}" for severity, count in counts(report).items())
        return f"{several(len(report.findings), 'finding')}: {parts}{unsaid}."
    return f"No drift in what was read{unsaid}." if unsaid else "No drift. Everything selected was read."


def compared(report: Report) -> str:
    """What is compared with what."""
    run = f"Run {report.run.id}"
    if report.since:
        return f"{run} against {plain(report.since)}"
    if report.baseline is None:
        return f"{run}; nothing was approved yet"
    baseline, approval = report.baseline, report.baseline.approval
    return f"{run} against baseline {baseline.id}, approved {approval.at:%Y-%m-%d} by {plain(approval.by, 40)}"


def rotation(report: Report) -> str:
    """What the approved origins made and deleted, in one sentence; empty where none is approved."""
    summary = report.summary
    if not summary.cohorts and not summary.expected_appeared and not summary.expected_disappeared:
        return ""
    by = f", by {several(len(summary.cohorts), 'approved origin')}" if summary.cohorts else ""
    return f"Expected rotation: +{summary.expected_appeared:,} -{summary.expected_disappeared:,}{by}."


def heartbeat(beat: Heartbeat, *, samples: int | None = None) -> str:
    """`+24 -24 of 12 sources, dlm:policy-1`; of low trust with a sample: only tags or names tell what it hides."""
    words = f"+{beat.appeared:,} -{beat.disappeared:,} of {several(beat.sources, 'source')}, {plain(beat.origin, 120)}"
    if beat.violations:
        words += f"; {beat.violations:,} listed"
    if beat.low_trust:
        few = ", ".join(plain(_LAST.split(each)[-1], 60) for each in beat.samples[:samples])
        words += f"; low trust ({beat.evidence})" + (f", such as {few}" if few else "")
    return words


_LAST = re.compile("[/:]")
"""What separates the parts of an address; people know it by the last one."""


def title(finding: Finding) -> str:
    return plain(finding.title, 160)


def named(finding: Finding) -> str:
    """What it is about: its name and address, or the address alone where that holds the name."""
    subject = finding.subject
    address = plain(subject.address or subject.uid, 160)
    name = plain(subject.name, 60) if subject.name else ""
    return f"{name} ({address})" if name and name not in address else address


def where(finding: Finding) -> str:
    """`aws 111122223333/eu-west-1`; the configuration where no cloud holds it."""
    place = "/".join(plain(part, 80) for part in (finding.account, finding.location) if part)
    return " ".join(filter(None, (plain(finding.cloud, 20), place))) or "configuration"


def whose(finding: Finding) -> str:
    """Of the account it is in: `orders: ann@example.com, payments, production`; empty where nobody answers for it."""
    account = finding.owned
    if account is None:
        return ""
    told = ", ".join(plain(each, 60) for each in (account.owner, account.team, account.environment) if each)
    return f"{plain(account.name, 60)}: {told}" if account.name and told else told


def attack(finding: Finding) -> str:
    return " ".join((*finding.attack.techniques, *finding.attack.data_components))


def altered(finding: Finding) -> str:
    """`storage tier: standard → archive`, where the title does not say it already; grants are in the title."""
    name, change = finding.entry, finding.change
    if not name.startswith("attr:"):
        return ""
    before, after = change.before, change.after
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        values = "; ".join(f"{key}: {_value(before.get(key))} → {_value(after.get(key))}" for key in keys)
    else:
        values = f"{_value(before)} → {_value(after)}"
    return "" if values in finding.title else plain(f"{name.removeprefix('attr:').replace('_', ' ')}: {values}", 300)


def _value(value: Json) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def holder(finding: Finding) -> str:
    """Who can use it, with the class and label of trust; empty where the finding has no such principal."""
    grantee = finding.grantee
    if grantee is None:
        return ""
    label = f", {plain(grantee.label, 80)}" if grantee.label else ""
    return f"{plain(grantee.principal.kind, 40)} {plain(grantee.principal, 120)} ({grantee.trust}{label})"


def let_through(approval: Approval) -> str:
    until = f" until {approval.until:%Y-%m-%d %H:%M} UTC" if approval.until else ""
    return f"Let through by {plain(approval.by, 60)}{until}: {plain(approval.reason)}"


def done_by(event: Attribution) -> str:
    who = f"{event.at:%Y-%m-%d %H:%M} {plain(event.action, 60)} by {plain(event.actor)}"
    return f"{who} from {origin(event)} ({plain(event.certainty, 20)})"


def origin(event: Attribution) -> str:
    """The address, and where that is as far as anybody was asked: `198.51.100.7, RU`."""
    address = plain(event.source_ip or "unknown", 60)
    if event.country is None:
        return address
    return f"{address}, {'country unknown' if event.country == UNKNOWN else plain(event.country, 2)}"


def whole(report: Report) -> str:
    """What stands under coverage where there is no gap to tell of."""
    return "Everything selected was read completely." if report.complete else "Not everything was read."


def hole(gap: CoverageGap) -> str:
    """Which reading of which scope: `aws.ec2.snapshot list in 111122223333/eu-west-1, since run 2`."""
    scope = gap.coverage.scope
    since = f", since run {gap.since_run}" if gap.since_run else ""
    place = f"{plain(scope.account, 80)}/{plain(scope.location, 40)}"
    return f"{plain(scope.kind, 60)} {gap.coverage.aspect} in {place}{since}"


def why_unread(gap: CoverageGap) -> str:
    return f"{gap.coverage.outcome}: {plain(gap.coverage.reason, 300) or 'no reason given'}"
