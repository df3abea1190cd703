"""`python -m benchmarks.year [--live N] [--days N]`: a year of daily reports, with attacks on known days.

Only scopes that changed are read again. Somebody reviews every week: approves the run, and the origins that grew.
"""

import argparse
import gc
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.__main__ import peak, say
from benchmarks.attacks import ATTACKS, INVISIBLE, Attack, Trace
from benchmarks.estate import VENDOR, Estate
from snapbase.finding import Finding, Report
from snapbase.model import Run
from snapbase.operations import approve as approving
from snapbase.operations import origins, trusting
from snapbase.operations.diff import against_baseline, diff
from snapbase.report import Options, reporters
from snapbase.rotation.cohort import SUBJECT
from snapbase.store import Store
from snapbase.trust import TrustedEntry, TrustList

LEARN = 30
"""Days before the first approval."""
WEEK = 7
AIM = 40
TELL = 10
"""Days between two words of how far it has come."""


@dataclass(slots=True)
class Caught:
    attack: Attack
    day: int
    seen: int | None = None
    rule: str = ""
    trace: Trace | None = None


@dataclass(slots=True)
class Outcome:
    """What a simulated year came to."""

    lines: list[int] = field(default_factory=list)
    quiet: list[int] = field(default_factory=list)
    """Lines of the reports without a trace of an attack."""
    findings: list[int] = field(default_factory=list)
    recorded: list[float] = field(default_factory=list)
    """Seconds of recording, for each day."""
    seconds: list[float] = field(default_factory=list)
    """Of the diff and the report, for each day with one."""
    approving: list[float] = field(default_factory=list)
    hidden: int = 0
    false: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    caught: list[Caught] = field(default_factory=list)
    live: int = 0

    @property
    def missed(self) -> list[Caught]:
        return [each for each in self.caught if each.seen is None or each.seen - each.day > each.attack.wait]


class Year:
    """The estate, the store, and the people who read the report."""

    def __init__(self, store: Store, live: int, days: int, seed: int, tell: Callable[[str], None]) -> None:
        self._store, self._days, self._tell = store, days, tell
        self._estate = Estate(live, seed)
        self._former: set[str] = set()
        self._grew = False
        self.outcome = Outcome(caught=_plan(days))

    def live(self) -> Outcome:
        """All its days."""
        self._estate.settle()
        for day in range(self._days):
            self._events(day)
            self._estate.day(day)
            active = self._attack(day)
            # The estate itself is no part of what is measured, nor is looking through it for garbage.
            gc.freeze()
            began = time.perf_counter()
            run = self._run()
            self.outcome.recorded.append(time.perf_counter() - began)
            if day >= LEARN:
                report = self._report(run)
                self._read(report, day)
                if day % WEEK == 0 and not active:
                    self._approve(run, report)
            elif day == LEARN - 1:
                self._approve(run, None)
            if day % TELL == 0:
                self._tell(_progress(day, self.outcome))
        self.outcome.live = sum(len(each) for each in self._estate.there.values())
        return self.outcome

    def _events(self, day: int) -> None:
        """What happens without any harm: volumes come and go, a backup fails, a collector cannot read."""
        estate = self._estate
        maker = estate.makers[day % len(estate.makers)]
        if day > LEARN and day % 31 == 3:
            maker.sources.append(f"{maker.scope.kind}/new-{day:05}")
            estate.operations.add(f"{SUBJECT}{_origin(maker.name, maker.scope.kind)} cohort:source")
        if day > LEARN and day % 67 == 5:
            # One night without backups is late, and nothing to be told of.
            maker.late = True
        if day > LEARN and day % 97 == 11:
            estate.denied.add(maker.scope)
            scope = maker.scope
            estate.operations.add(f"scope:{scope.cloud}/{scope.account}/{scope.location}/{scope.kind}")
        if day > LEARN and day % 97 == 13:
            estate.dirty |= estate.denied
            estate.denied.clear()

    def _attack(self, day: int) -> bool:
        """Does what is due, and undoes what was found; whether anything is going on."""
        busy = False
        for each in self.outcome.caught:
            if each.trace is not None and each.seen is not None and each.seen < day:
                each.trace.undo()
                each.trace = None
            if each.day == day:
                each.trace = each.attack.do(self._estate)
                busy = True
        return busy or any(each.trace is not None for each in self.outcome.caught)

    def _run(self) -> Run:
        store, estate = self._store, self._estate
        number = store.begin_run("", "year", estate.now)
        for reading in estate.readings():
            store.record(number, reading)
        own = {scope.account for scope in estate.there}
        gone = {f"2222000000{place:02}" for place in range(20)} - estate.members
        trust = TrustList(
            own=frozenset(own),
            members=frozenset(estate.members),
            former=frozenset(gone),
            entries=(TrustedEntry(VENDOR.principal.id, "scanner"),),
        )
        return store.finish_run(number, trust=trusting.to_bytes(trust), at=estate.now + timedelta(minutes=20))

    def _report(self, run: Run) -> Report:
        began = time.perf_counter()
        report = diff(self._store, run, against_baseline(self._store, run))
        text = reporters()["table"].render(report, Options(width=100))
        self.outcome.seconds.append(time.perf_counter() - began)
        self.outcome.lines.append(len(text.splitlines()))
        self.outcome.findings.append(len(report.findings))
        self.outcome.hidden += report.summary.expected_appeared + report.summary.expected_disappeared
        return report

    def _read(self, report: Report, day: int) -> None:
        traces = self._former.union(*(each.trace.names for each in self.outcome.caught if each.trace is not None))
        if not any(_names(finding) & traces for finding in report.findings):
            self.outcome.quiet.append(self.outcome.lines[-1])
        for finding in report.findings:
            names = _names(finding)
            if finding.rule == "origin-violated" and finding.entry == "cohort:source":
                self._grew = True
            blamed = False
            for each in self.outcome.caught:
                if each.trace is None or not (names & each.trace.names):
                    continue
                blamed = True
                if each.seen is None and finding.rule in each.attack.rules:
                    each.seen, each.rule = day, finding.rule
            if not blamed and not names & self._estate.operations and not self._aftermath(names):
                what = f"{finding.rule} {finding.entry if finding.entry.startswith('cohort') else ''}".strip()
                self.outcome.false[what] += 1
                self.outcome.examples.setdefault(what, f"day {day}: {finding.title} {finding.detail}")
        for each in self.outcome.caught:
            if each.trace is not None:
                self._former |= each.trace.names

    def _aftermath(self, names: set[str]) -> bool:
        """What an attack left behind, until somebody approves the run."""
        return bool(names & self._former)

    def _approve(self, run: Run, report: Report | None) -> None:
        began = time.perf_counter()
        store, at = self._store, run.finished_at
        self._former = {name for name in self._former if not name.startswith(SUBJECT)}
        request = approving.Request(
            run=run, by="ada", reason="weekly review", allow_public=True, allow_unknown=True, allow_incomplete=True
        )
        approving.approve(store, approving.plan(store, request), at=at)
        if report is None or self._grew:
            asked = origins.Request(run=run, origins=(), by="ada", reason="reviewed", low_trust=True)
            proposals = [each for each in origins.derived(store, run) if each.seen > 5 and each.went]
            chosen = [origins.Proposed(each, None, None) for each in proposals]
            origins.approve(store, asked, chosen, at=at)
            self._grew = False
        self.outcome.approving.append(time.perf_counter() - began)


def _origin(name: str, kind: str) -> str:
    named = {
        "aws.rds.snapshot": "aws.rds.snapshot:rds-automated",
        "aws.ec2.image": "tag:aws.ec2.image:pipeline=base-image",
        "azure.compute.snapshot": "name:azure.compute.snapshot:azurebackuprg",
    }
    return named.get(kind, name)


def _names(finding: Finding) -> set[str]:
    """What it is about; of a cohort each of those that break it, and `origin:<id> cohort:<invariant>`."""
    uid = finding.subject.uid
    covered = {subject for subject, _ in finding.covers if not subject.startswith(SUBJECT)}
    return covered | {f"{uid} {finding.entry}" if uid.startswith(SUBJECT) else uid}


def _plan(days: int) -> list[Caught]:
    """Every attack twice where there is room, spread over the days after the first approval."""
    room = days - LEARN - 3
    twice = 2 if room > 4 * len(ATTACKS) else 1
    due = [attack for _ in range(twice) for attack in ATTACKS]
    if twice == 2:
        due = [
            each
            for place, each in enumerate(due)
            if place < len(ATTACKS) or each.name != "an account leaves with a share"
        ]
    return [Caught(attack, LEARN + 1 + place * room // len(due)) for place, attack in enumerate(due)]


def _progress(day: int, outcome: Outcome) -> str:
    said = f"    day {day:>3}: recorded in {outcome.recorded[-1]:.1f} s"
    if not outcome.seconds:
        return said
    found = sum(1 for each in outcome.caught if each.seen is not None)
    words = f"{said}, reported in {outcome.seconds[-1]:.1f} s on {outcome.lines[-1]} lines"
    return f"{words}, {found} of {len(outcome.caught)} attacks so far, {peak():,.0f} MiB"


def simulate(
    folder: Path, live: int, days: int, seed: int = 1, tell: Callable[[str], None] = lambda _: None
) -> Outcome:
    with Store.open(f"sqlite:///{folder / 'year.db'}", write=True) as store:
        return Year(store, live, days, seed, tell).live()


def show(outcome: Outcome) -> None:
    lines = sorted(outcome.lines)
    say(f"    {'daily report, median lines':<44}{statistics.median(lines):>8.0f}    aim <= {AIM}")
    if outcome.quiet:
        say(f"    {'  without a trace of an attack':<44}{statistics.median(outcome.quiet):>8.0f}")
    say(f"    {'  95 of 100 days, and the longest':<44}{lines[int(len(lines) * 0.95)]:>8} {lines[-1]:>8}")
    usual, most = statistics.median(outcome.findings), max(outcome.findings)
    say(f"    {'findings a day, median and most':<44}{usual:>8.0f} {most:>8}")
    say(f"    {'created and deleted as expected':<44}{outcome.hidden:>8,}")
    say(f"    {'seconds: median of the first month, last, most':<44}")
    for name, spent in (
        ("recording", outcome.recorded),
        ("diff and report", outcome.seconds),
        ("approval", outcome.approving),
    ):
        say(f"    {f'  {name}':<44}{_typical(spent[:30]):>8.2f} {_typical(spent[-30:]):>8.2f} {max(spent):>8.2f}")
    say(f"    {'memory, peak of the process':<44}{peak():>8,.0f} MiB")
    say(f"    {'false findings in all':<44}{sum(outcome.false.values()):>8,}")
    for what, count in outcome.false.most_common():
        say(f"      {count:>6,}  {what}: {outcome.examples[what][:110]}")
    found = len(outcome.caught) - len(outcome.missed)
    say(f"    {'attacks in the first report that could show them':<52}{found} of {len(outcome.caught)}")
    for each in outcome.caught:
        seen = "NOT FOUND" if each.seen is None else f"day {each.seen}, {each.rule}"
        say(f"      day {each.day:>3}  {each.attack.name:<48}{seen}")
    say("    not visible to an inventory: " + "; ".join(INVISIBLE))


def _typical(spent: Sequence[float]) -> float:
    return statistics.median(spent) if spent else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.year", description=__doc__)
    parser.add_argument("--live", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    say(f"\na year of an estate of {asked.live:,} snapshots, {asked.days} days, seed {asked.seed}")
    began = time.perf_counter()
    with TemporaryDirectory(prefix="snapbase-year-") as folder:
        show(simulate(Path(folder), asked.live, asked.days, asked.seed, say))
    say(f"    {'simulated in':<44}{time.perf_counter() - began:>8.0f} s")


if __name__ == "__main__":
    main()
