"""What somebody must be told without asking: findings and holes that are new or worse, and runs that failed.

Nothing here changes what a command says or exits with: what could not be delivered is said in words, and told by the
next run.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson

from snapbase.errors import Busy, SnapbaseError
from snapbase.finding import CoverageGap, Finding, Report, Severity
from snapbase.notify import Message, deliver, ways
from snapbase.operations.told import Told, kept
from snapbase.report import Options, json_report
from snapbase.report.text import counts, done_by, hole, named, plain, several, title, where, whose, why_unread
from snapbase.settings import NotifySection

_BATCH = 500
"""Findings of one message."""
_TOLD = 20
"""Findings and holes of one message that people are told one by one."""
_QUIET = timedelta(days=1)
"""A hole that comes and goes is told once in so long."""
_FAILED, _HOLE, _FINDING = "failed:", "hole:", "finding:"


@dataclass(frozen=True, slots=True)
class _News:
    """One message, and what it tells with how bad that is."""

    message: Message
    things: Mapping[str, int]


def tell(section: NotifySection, store_url: str, report: Report) -> tuple[str, ...]:
    """By every configured way what it has not told of a whole report yet; returns what went wrong, in words."""
    now = datetime.now(UTC)
    level = Severity(section.severity).rank
    found = {f"{_FINDING}{each.id}": each for each in report.findings}
    holes = {_hole(each): each for each in report.coverage}

    def news(told: Told, way: str) -> Iterator[_News]:
        fresh = [
            each
            for thing, each in found.items()
            if each.severity.rank <= level and told.is_new(way, thing, each.severity.rank)
        ]
        unread = [each for thing, each in holes.items() if told.is_new(way, thing, 0)]
        return _messages(report, fresh, unread)

    return _tell(section, store_url, news, now, standing={*found, *holes}, since={_HOLE: now - _QUIET})


def tell_failure(section: NotifySection, store_url: str, error: Exception) -> tuple[str, ...]:
    """That a run failed: once, until one succeeds or another thing goes wrong; returns what went wrong, in words."""
    now = datetime.now(UTC)
    thing = f"{_FAILED}{type(error).__name__}"

    def news(told: Told, way: str) -> Iterator[_News]:
        if told.is_new(way, thing, 0):
            yield _News(_failure(error, now), {thing: 0})

    return _tell(section, store_url, news, now)


def _tell(
    section: NotifySection,
    store_url: str,
    news: Callable[[Told, str], Iterator[_News]],
    now: datetime,
    *,
    standing: set[str] | None = None,
    since: Mapping[str, datetime] | None = None,
) -> tuple[str, ...]:
    configured = ways(section)
    if not configured:
        return ()
    problems = []
    try:
        with kept(store_url) as told:
            if standing is not None:
                told.forget(standing, since or {})
            for way, send in configured.items():
                for each in news(told, way):
                    why = deliver(send, each.message, section.timeout)
                    if why:
                        problems.append(f"Not told by {way}: {why}. The next run tries again.")
                        break
                    told.add(way, each.things, now)
            problems += [told.problem] if told.problem else []
    except Busy as error:
        problems.append(f"Not told: {error.message} The next run tries again.")
    return tuple(problems)


def _hole(gap: CoverageGap) -> str:
    return f"{_HOLE}{gap.coverage.scope}/{gap.coverage.aspect}"


def _messages(report: Report, fresh: Sequence[Finding], unread: Sequence[CoverageGap]) -> Iterator[_News]:
    """In batches, the worst first; the holes with the first of them."""
    known = len(report.findings) - len(fresh)
    notes = (*report.notes, f"{several(known, 'finding')} told before, or milder.") if known else report.notes
    for start in range(0, len(fresh) or bool(unread), _BATCH):
        some, holes = tuple(fresh[start : start + _BATCH]), () if start else unread
        part = replace(report, findings=some, notes=notes)
        body = json_report.render(part, Options()).encode()
        things = {f"{_FINDING}{each.id}": each.severity.rank for each in some} | {_hole(each): 0 for each in holes}
        yield _News(Message(_subject(part, holes), "\n".join(_lines(part, holes)), body), things)


def _subject(report: Report, holes: Sequence[CoverageGap]) -> str:
    parts = [f"{count:,} {severity}" for severity, count in counts(report).items()]
    parts += [f"{several(len(holes), 'reading')} failed"] if holes else []
    return f"snapbase: {', '.join(parts)}"


def _lines(report: Report, holes: Sequence[CoverageGap]) -> Iterator[str]:
    for finding in report.findings[:_TOLD]:
        yield f"{finding.severity.upper()} {defanged(title(finding))} [{finding.id}]"
        yield from (f"  {defanged(each)}" for each in _about(finding))
    if len(report.findings) > _TOLD:
        yield f"and {len(report.findings) - _TOLD:,} more: snapbase diff lists them."
    if holes:
        yield "Not read; the last known state stays:"
    for gap in holes[:_TOLD]:
        yield f"  {defanged(hole(gap))}: {defanged(why_unread(gap))}"
    if len(holes) > _TOLD:
        yield f"  and {len(holes) - _TOLD:,} more."
    yield f"Run {report.run.id}. snapbase diff has all of it."


def _about(finding: Finding) -> Iterable[str]:
    yield f"{named(finding)}, {where(finding)}"
    if owner := whose(finding):
        yield owner
    yield from (done_by(each) for each in finding.attribution[:1])


def _failure(error: Exception, at: datetime) -> Message:
    """Of a bug only the name: its words may hold anything."""
    known = isinstance(error, SnapbaseError)
    words = plain(error.message, 500) if isinstance(error, SnapbaseError) else f"a bug: {type(error).__name__}"
    hint = plain(error.hint, 300) if isinstance(error, SnapbaseError) else ""
    body = {
        "schema": "snapbase.failed/1",
        "at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "error": words,
        "hint": hint or None,
        "exit_code": 2,
    }
    text = "\n".join(filter(None, (defanged(words), defanged(hint), "Until it works again nothing is watched.")))
    return Message(f"snapbase: a run failed{'' if known else ' (a bug)'}", text, orjson.dumps(body))


_MENTION = re.compile("@(?=everyone|here|channel|all)", re.IGNORECASE)
_FANGS = str.maketrans({"<": "(", ">": ")", "`": "'"})


def defanged(text: str) -> str:
    """A cloud's words for a chat: no link, no mention of everybody (`<!channel>`, `@here`), no markup that opens."""
    return _MENTION.sub("@ ", text.translate(_FANGS)).replace("://", "[:]//")
