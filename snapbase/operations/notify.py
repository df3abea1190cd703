"""What somebody must be told without asking: findings and holes that are new or worse, and runs that failed.

Nothing here changes what a command says or exits with: what could not be delivered is said in words, and told by the
next run.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson

from snapbase.errors import Busy, SnapbaseError
from snapbase.finding import CoverageGap, Finding, Report, Severity
from snapbase.notify import Message, Way, deliver, ways
from snapbase.operations.told import Told, Ways, kept
from snapbase.report import Options, json_report
from snapbase.report.text import counts, done_by, hole, named, plain, several, title, where, whose, why_unread
from snapbase.settings import NotifySection

_BATCH = 500
"""Findings of one message."""
_LARGEST = 500_000
"""Bytes of its findings and holes as JSON: nginx takes a body of 1 MiB unless told otherwise (client_max_body_size)."""
_COHORTS = 20
"""Approved origins of one message, the busiest; thousands may be approved, and each is alive in every report."""
_TOLD = 20
"""Findings and holes of one message that people are told one by one."""
_QUIET = timedelta(days=1)
"""A hole that comes and goes is told once in so long."""
_FIRST, _LONGEST, _DOUBLED = 30.0, 900.0, 10
"""Seconds for which a way that failed is left alone, at first and at most, and how often that doubles."""
_AGAIN = "The next run tries again."
_FAILED, _HOLE, _FINDING = "failed:", "hole:", "finding:"


@dataclass(frozen=True, slots=True)
class _News:
    """One message, and what it tells with how bad that is."""

    message: Message
    things: Mapping[str, int]


def tell(section: NotifySection, store_url: str, report: Report) -> tuple[str, ...]:
    """By every configured way what it has not told of a whole report yet; returns what went wrong, in words."""
    return Teller(section, store_url).tell(report)


def tell_failure(section: NotifySection, store_url: str, error: Exception) -> tuple[str, ...]:
    """That a run failed: once, until one succeeds or another thing goes wrong; returns what went wrong, in words."""
    return Teller(section, store_url).tell_failure(error)


@dataclass(frozen=True, slots=True)
class _Pause:
    """A way by which nothing could be told."""

    until: float
    times: int
    why: str


class Teller:
    """Tells round after round.

    A way by which nothing could be told is left alone for longer and longer, so that it neither holds up the rounds
    nor gets again and again what it took too slowly. What goes wrong is returned once.
    """

    def __init__(self, section: NotifySection, store_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._section, self._store_url, self._clock = section, store_url, clock
        self._ways = ways(section)
        self._pauses: dict[str, _Pause] = {}
        self._wrong: dict[str, str] = {}
        """What went wrong the last time, by what it is about."""
        self._unkept: Ways = {}
        self._told: Report | None = None

    def tell(self, report: Report, failure: Exception | None = None) -> tuple[str, ...]:
        """By every way what it has not told yet; returns what goes wrong otherwise than before, in words.

        `failure`: what still fails though there is a report.
        """
        if report is self._told and not self._wrong:
            return ()
        now = datetime.now(UTC)
        level = Severity(self._section.severity).rank
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

        self._told = report
        failing = () if failure is None else (_failed(failure),)
        return self._tell(news, now, standing={*found, *holes, *failing})

    def tell_failure(self, error: Exception) -> tuple[str, ...]:
        """That a run failed; returns as `tell` does. Another one at work is no failure: that one tells."""
        if isinstance(error, Busy):
            return ()
        now = datetime.now(UTC)
        thing = _failed(error)

        def news(told: Told, way: str) -> Iterator[_News]:
            if told.is_new(way, thing, 0):
                yield _News(_failure(error, now), {thing: 0})

        self._told = None
        return self._tell(news, now)

    def _tell(
        self, news: Callable[[Told, str], Iterator[_News]], now: datetime, *, standing: set[str] | None = None
    ) -> tuple[str, ...]:
        if not self._ways:
            return ()
        wrong: dict[str, str] = {}
        try:
            with kept(self._store_url, self._unkept) as told:
                if standing is not None:
                    told.forget(standing, {_HOLE: now - _QUIET})
                for way in self._ways:
                    why = self._tell_by(way, news, told, now)
                    wrong |= {way.mark: why} if why else {}
                if told.problem or told.written:
                    self._unkept = told.ways if told.problem else {}
                wrong |= {"kept": told.problem} if told.problem else {}
        except Busy as error:
            wrong["told"] = f"Not told: {error.message} {_AGAIN}"
        except Exception as error:  # no report may be lost, and no exit code change, because of it
            wrong["told"] = f"Not told: a bug in snapbase: {type(error).__name__}. {_AGAIN}"
        fresh = tuple(words for about, words in wrong.items() if self._wrong.get(about) != words)
        self._wrong = wrong
        return fresh

    def _tell_by(self, way: Way, news: Callable[[Told, str], Iterator[_News]], told: Told, now: datetime) -> str:
        """What went wrong, this time or the last."""
        pause = self._pauses.get(way.mark)
        if pause is not None and pause.until > self._clock():
            return pause.why
        for each in news(told, way.mark):
            if why := deliver(way.send, each.message, self._section.timeout):
                times = min(pause.times + 1, _DOUBLED) if pause else 0
                said = f"Not told by {way.name}: {why}. {_AGAIN}"
                until = self._clock() + min(_FIRST * 2**times, _LONGEST)
                self._pauses[way.mark] = _Pause(until, times, said)
                return said
            told.add(way.mark, each.things, now)
        self._pauses.pop(way.mark, None)
        return ""


def _failed(error: Exception) -> str:
    return f"{_FAILED}{type(error).__name__}"


def _hole(gap: CoverageGap) -> str:
    return f"{_HOLE}{gap.coverage.scope}/{gap.coverage.aspect}"


def _messages(report: Report, fresh: Sequence[Finding], unread: Sequence[CoverageGap]) -> Iterator[_News]:
    """In batches, the worst first; each has only its own findings and holes."""
    known = len(report.findings) - len(fresh)
    more = len(report.summary.cohorts) - _COHORTS
    notes = [*report.notes]
    notes += [f"{several(known, 'finding')} told before, or milder."] if known else []
    notes += [f"{several(more, 'approved origin')} more: snapbase diff has them."] if more > 0 else []
    summary = replace(report.summary, cohorts=report.summary.cohorts[:_COHORTS])
    whole = replace(report, notes=tuple(notes), summary=summary)
    least = len(json_report.render(replace(whole, findings=(), coverage=()), Options()))
    for start in range(0, max(len(fresh), len(unread)), _BATCH):
        end = start + _BATCH
        yield from _fitting(replace(whole, findings=tuple(fresh[start:end]), coverage=tuple(unread[start:end])), least)


def _fitting(part: Report, least: int) -> Iterator[_News]:
    """In one message, or in two of half as much each: a web server that gets too much refuses all of it."""
    found, holes = part.findings, part.coverage
    body = json_report.render(part, Options()).encode()
    if len(body) - least > _LARGEST and len(found) + len(holes) > 1:
        here, there = -(-len(found) // 2), len(holes) // 2
        yield from _fitting(replace(part, findings=found[:here], coverage=holes[:there]), least)
        yield from _fitting(replace(part, findings=found[here:], coverage=holes[there:]), least)
        return
    things = {f"{_FINDING}{each.id}": each.severity.rank for each in found} | {_hole(each): 0 for each in holes}
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


_MENTION = re.compile(r"@(?=[*_]*(?:everyone|(?:here|channel|all|room|stream|topic|team)\b))", re.IGNORECASE)
_WWW = re.compile(r"(?<=\bwww)\.", re.IGNORECASE)
_FANGS = str.maketrans({"<": "(", ">": ")", "[": "(", "]": ")", "`": "'"})


def defanged(text: str) -> str:
    """A cloud's words for a chat: no link, no mention of everybody (`<!channel>`, `@here`), no markup that opens."""
    plainly = _MENTION.sub("@ ", text.translate(_FANGS)).replace("://", "[:]//")
    return _WWW.sub("[.]", plainly)
