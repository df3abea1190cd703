"""Decisions are never lost and never invented: by any sequence of keys, by quitting, by crashing."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.errors import ApprovalRefused, Busy, StoreError, UsageError
from snapbase.finding import Finding, Grantee, Report, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.review.decisions import UNDECIDED, Choice, Decision, Decisions, Event
from snapbase.review.desk import Wish, by_reason, check, dangers, grouped
from snapbase.review.journal import kept, path_of
from snapbase.review.query import parse, words_of
from snapbase.review.session import Session
from tests.report.cases import CLEAN, DENIED_GAP, HOSTILE_REPORT, RUN, finding

_STRANGERS = [Grantee(Principal(PrincipalKind.ACCOUNT, number * 12), "unknown") for number in "98"]
_EVERYONE = Grantee(Principal(PrincipalKind.PUBLIC, "all"), "anyone")


def _report(count: int = 9) -> Report:
    severities = [Severity.CRITICAL, Severity.HIGH, Severity.LOW]
    found = []
    for number in range(count):
        grantee = (None, *_STRANGERS)[number % 3]
        severity = severities[number * 3 // count]
        made = finding("unknown-account-share", severity, f"Title {number}", f"name-{number}", grantee=grantee)
        found.append(replace(made, id=f"id-{number}", account="1111" if number % 2 else "2222"))
    return replace(CLEAN, findings=tuple(found), coverage=(DENIED_GAP,), complete=False)


class _Oracle:
    """Full copies of everything at every step."""

    def __init__(self) -> None:
        self.now: dict[str, Decision] = {}
        self.past: list[dict[str, Decision]] = []

    def do(self, step: dict[str, Decision]) -> None:
        after = {key: each for key, each in {**self.now, **step}.items() if each != UNDECIDED}
        if after != self.now:
            self.past.append(self.now)
            self.now = after

    def undo(self) -> None:
        if self.past:
            self.now = self.past.pop()

    def save(self, ids: list[str]) -> None:
        self.now = {key: each for key, each in self.now.items() if key not in ids}
        self.past = []


def _expected(oracle: _Oracle, session: Session, key: str, text: str) -> None:
    """What a key should do to the decisions."""
    found = session.finding
    if key == "u":
        oracle.undo()
    if found is None:
        return
    decision = oracle.now.get(found.id, UNDECIDED)
    if key in "alx":
        choice = {"a": Choice.APPROVE, "l": Choice.LEAVE, "x": None}[key]
        oracle.do({found.id: replace(decision, choice=choice)})
    if key == "n":
        oracle.do({found.id: replace(decision, note=text.strip())})
    if key == "p" and found.grantee:
        same = [each for each in session.findings if each.grantee == found.grantee]
        undecided = [each.id for each in same if oracle.now.get(each.id, UNDECIDED).choice is None]
        known = {each: oracle.now.get(each, UNDECIDED) for each in undecided}
        oracle.do({each: replace(decision, choice=Choice.APPROVE) for each, decision in known.items()})


def _press(session: Session, key: str, text: str) -> None:
    keys = {
        "j": lambda: session.move(1),
        "k": lambda: session.move(-1),
        "a": session.approve,
        "l": session.leave,
        "x": session.clear,
        "n": lambda: session.note(text),
        "p": session.approve_holder,
        "u": session.undo,
        "f": lambda: session.narrow(text),
        " ": session.next_undecided,
        "G": lambda: session.go(999),
    }
    keys[key]()


_FILTERS = [
    "",
    "high",
    "sev:crit",
    "account:1111",
    "is:undecided",
    "is:approved name-4",
    "principal:999",
    "nothing",
    "aws",
]
_STEPS = st.tuples(st.sampled_from("jjkaaalxnpuuuf GssR"), st.sampled_from(_FILTERS))


@settings(deadline=None, max_examples=200)
@given(steps=st.lists(_STEPS, max_size=40))
def test_any_keys_neither_lose_nor_invent_a_decision(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("kept") / "run.jsonl"
    report, oracle = _report(), _Oracle()
    opened = kept(path)
    session = Session(report, opened.__enter__())
    for key, text in steps:
        if key == "s":
            ids = [each.id for each in session.approved]
            if ids:
                session.decisions.save(7, ids)
                oracle.save(ids)
                report = replace(report, findings=tuple(each for each in report.findings if each.id not in ids))
                session.load(report)
        elif key == "R":
            opened.__exit__(None, None, None)
            opened = kept(path)
            session = Session(report, opened.__enter__())
        else:
            _expected(oracle, session, key, text)
            _press(session, key, text)
        _holds(session, oracle)
    opened.__exit__(None, None, None)
    with kept(path) as again:
        assert dict(again.open) == oracle.now


def _holds(session: Session, oracle: _Oracle) -> None:
    assert dict(session.decisions.open) == oracle.now
    parts = [*session.approved, *session.left, *session.undecided]
    assert sorted(each.id for each in parts) == sorted(each.id for each in session.findings)
    assert {each.id for each in session.approved} == {k for k, d in oracle.now.items() if d.choice == Choice.APPROVE}
    assert 0 <= session.cursor < max(1, len(session.visible))
    query = parse(session.filter)
    shown = [each for each in session.visible if isinstance(each, Finding)]
    assert shown == [f for f in session.findings if query.matches(words_of(f), session.decision(f))]


def test_the_walk_goes_on_to_the_next_one_and_begins_at_the_first_undecided() -> None:
    decisions = Decisions()
    session = Session(_report(), decisions)

    session.approve()
    session.leave()

    assert session.cursor == 2
    assert Session(_report(), decisions).cursor == 2


def test_everything_of_a_holder_is_one_step_and_leaves_what_was_left() -> None:
    session = Session(_report(), Decisions())
    session.go(1)
    session.leave()
    session.go(4)

    assert [each.id for each in session.of_holder()[1]] == ["id-1"]
    assert session.approve_holder() == 2
    assert [each.id for each in session.approved] == ["id-4", "id-7"]
    assert [each.id for each in session.left] == ["id-1"]
    assert len(session.undo()) == 2
    assert session.approved == ()


def test_nothing_from_before_a_save_comes_back() -> None:
    """Undone step by step, `a x a` would make an open decision again of what is an approval by now."""
    session = Session(_report(), Decisions())
    for press in (session.approve, lambda: session.move(-1), session.clear, session.approve, session.leave):
        press()
    session.decisions.save(7, [each.id for each in session.approved])

    assert session.undo() == ()
    assert session.approved == ()
    assert [each.id for each in session.left] == ["id-1"]


def test_a_hole_is_seen_and_cannot_be_decided() -> None:
    session = Session(_report(), Decisions())
    session.go(99)

    session.approve()
    session.note("fine")
    session.approve_holder()

    assert session.current == DENIED_GAP
    assert not session.decisions.open


def test_the_cursor_stays_on_its_finding_when_the_filter_changes() -> None:
    session = Session(_report(), Decisions())
    session.go(5)
    session.narrow("account:1111")
    assert session.finding is not None
    assert session.finding.id == "id-5"

    session.narrow("name-7")
    assert session.finding.id == "id-7"
    session.narrow("nothing at all")
    assert session.current is None
    session.narrow("")
    assert session.finding is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sev:crit", "012"),
        ("severity:high name-3", "3"),
        ("account:1111 principal:999", "17"),
        ("holder:888", "258"),
        ("cloud:aws is:approved", "0"),
        ("is:noted", "8"),
        ("ACCOUNT:2222 low", "68"),
        ("http://nothing:here", ""),
        ("cloud:", "012345678"),
    ],
)
def test_filters(text: str, expected: str) -> None:
    session = Session(_report(), Decisions())
    session.approve()
    session.go(8)
    session.note("known")

    session.narrow(text)

    assert [each.id for each in session.visible if isinstance(each, Finding)] == [f"id-{each}" for each in expected]


def test_ten_thousand_findings_stay_quick() -> None:
    session = Session(_report(10_000), Decisions())
    for _ in range(2000):
        session.approve()
    session.narrow("is:undecided principal:888")
    for _ in range(20):
        session.approve()
    assert len(session.approved) == 2020


def test_hostile_words_are_searched_as_they_are_shown() -> None:
    session = Session(HOSTILE_REPORT, Decisions())
    session.narrow("\\u202e")
    assert session.finding is not None


# The file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "review" / "run.jsonl"


def _decide(path: Path, *ids: str) -> None:
    with kept(path) as decisions:
        for each in ids:
            decisions.do({each: Decision(Choice.APPROVE)})


def test_only_its_owner_can_read_the_file(path: Path) -> None:
    old = os.umask(0)
    try:
        _decide(path, "a")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_line_that_a_crash_cut_is_left_out_and_the_next_is_whole(path: Path) -> None:
    _decide(path, "a", "b")
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])

    _decide(path, "c")

    with kept(path) as decisions:
        assert set(decisions.open) == {"a", "c"}


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"did": 3}', '{"did": {"a": ["bless", ""]}}', '{"undid": false}'])
def test_what_is_no_decision_is_said_and_not_guessed(path: Path, line: str) -> None:
    _decide(path, "a")
    path.write_text(f"{path.read_text()}{line}\n")

    with pytest.raises(StoreError, match=r"Line 2 of .* is not a decision"), kept(path):
        pass


def test_two_reviewers_do_not_overwrite_each_other(path: Path) -> None:
    with kept(path), pytest.raises(Busy), kept(path):
        pass


def test_a_link_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError), kept(path):
        pass


def test_a_decision_that_cannot_be_kept_is_not_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with kept(path) as decisions:
        decisions.do({"a": Decision(Choice.APPROVE)})
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:4]))
        with pytest.raises(StoreError, match="no space"):
            decisions.do({"b": Decision(Choice.APPROVE)})
        assert set(decisions.open) == {"a"}
        monkeypatch.undo()
    with kept(path) as decisions:
        assert set(decisions.open) == {"a"}


def test_each_store_and_run_has_its_own_file_and_no_password_is_in_it(tmp_path: Path) -> None:
    first = path_of("postgresql://ada:secret@db/snapbase", RUN, tmp_path)

    assert path_of("postgresql://ada:changed@db/snapbase", RUN, tmp_path) == first
    others = [
        path_of("postgresql://ada:secret@db2/snapbase", RUN, tmp_path),
        path_of("postgresql://ada:secret@db/snapbase?options=-csearch_path%3Dx", RUN, tmp_path),
        path_of("postgresql://ada:secret@db/snapbase", replace(RUN, id=3), tmp_path),
        path_of(
            "postgresql://ada:secret@db/snapbase", replace(RUN, started_at=RUN.started_at + timedelta(1)), tmp_path
        ),
        path_of("sqlite:////var/snapbase.db", RUN, tmp_path),
    ]
    assert len({first, *others}) == 6


def test_the_same_sqlite_file_is_the_same_store_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_of("sqlite:///x.db", RUN, tmp_path) == path_of(f"sqlite:///{tmp_path}/x.db", RUN, tmp_path)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([*Choice, None]), st.text(max_size=3) | st.none())))
def test_the_same_events_give_the_same_decisions(steps: list[Any]) -> None:
    events: list[Event] = []
    decisions = Decisions(events.append)
    for key, choice, note in steps:
        if note is None:
            decisions.undo()
        else:
            decisions.do({key: Decision(choice, note)})
    again = Decisions()
    again.replay(events)
    assert again.open == decisions.open


# Saving


def _shares() -> Iterator[Finding]:
    for number, grantee in enumerate((_EVERYONE, *_STRANGERS, None)):
        yield replace(finding("share", Severity.HIGH, f"T{number}", grantee=grantee), id=f"s-{number}")


def test_public_and_unknown_holders_need_their_own_word() -> None:
    shares = tuple(_shares())
    found = dangers(shares)
    assert [each.id for each in found.public] == ["s-0"]
    assert [each.id for each in found.unknown] == ["s-1", "s-2"]
    for wish in (Wish(), Wish(public_word="public"), Wish(unknown_word="unknown"), Wish(public_word="yes")):
        with pytest.raises(ApprovalRefused):
            check(shares, wish)
    check(shares, Wish(public_word="public", unknown_word=" unknown "))
    check(shares[3:], Wish())


@pytest.mark.parametrize(("rule", "word"), [("public-share", "public_word"), ("bearer-access", "unknown_word")])
def test_an_exposure_that_names_no_holder_needs_the_word_too(rule: str, word: str) -> None:
    exposed = (replace(finding("share", Severity.CRITICAL, "T"), rule=rule, grantee=None),)

    with pytest.raises(ApprovalRefused):
        check(exposed, Wish())
    check(exposed, Wish(**{word: word.partition("_")[0]}))


def test_every_reason_is_a_line_of_its_own() -> None:
    shares = tuple(_shares())
    assert by_reason(shares, {"s-1": "a"}, "b") == {"b": ("s-0", "s-2", "s-3"), "a": ("s-1",)}
    assert by_reason(shares[1:2], {"s-1": "a"}, "") == {"a": ("s-1",)}
    with pytest.raises(UsageError):
        by_reason(shares, {"s-1": "a"}, " ")


def test_the_delta_is_grouped_by_holder() -> None:
    groups = grouped(_report().findings)
    assert [len(each) for each in groups] == [1] * 9
    assert sum(map(len, grouped([*_report().findings, *_report().findings]))) == 18
