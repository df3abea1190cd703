"""Every detection is tried on its own examples, and those of the contract exist."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.finding import Severity, SubjectType
from snapbase.model import Cloud, Principal, PrincipalKind
from snapbase.rules.detected import ENTRY, detected, detections, key_in, subject_of
from snapbase.rules.detection import Case, Detection
from snapbase.rules.estate import Estate, Tuning
from snapbase.rules.example_events import (
    BACKUP,
    BEGIN,
    DLM,
    GUARDDUTY,
    INSPECTOR,
    OPS,
    SNAPSHOT,
    STRANGER,
    THIEF,
    TRUST,
    did,
    estate,
    failed,
    known,
    line,
    listings,
    many,
    used_to,
)
from snapbase.rules.timeline import Timeline, bursts, key_of
from snapbase.trust import TrustedEntry

LOGS = {"aws": "aws.cloudtrail"}
EXAMPLES = [(detection, example) for detection in detections() for example in detection.examples]
NAMES = [f"{d.id}: {e.name}" for d, e in EXAMPLES]


@pytest.mark.parametrize(("detection", "example"), EXAMPLES, ids=NAMES)
def test_detection_says_what_its_example_expects(detection: Detection, example: Case) -> None:
    found = [each for each in detected(example.timeline, example.estate, LOGS) if each.rule == detection.id]

    assert [each.severity for each in found] == ([] if example.severity is None else [example.severity])


@pytest.mark.parametrize(("detection", "example"), EXAMPLES, ids=NAMES)
def test_a_finding_is_the_same_in_every_run_and_covers_its_events(detection: Detection, example: Case) -> None:
    once, again = (detected(example.timeline, example.estate, LOGS) for _ in range(2))

    assert once == again
    for finding in once:
        assert finding.subject.type == SubjectType.EVENT
        assert (finding.subject.uid, ENTRY) in finding.covers
        assert finding.attribution
        assert "\n" not in finding.title + finding.detail


@pytest.mark.parametrize(("detection", "example"), EXAMPLES, ids=NAMES)
def test_what_was_approved_is_silent_and_stays_so(detection: Detection, example: Case) -> None:
    found = detected(example.timeline, example.estate, LOGS)
    keys = frozenset(key for each in found for subject, _ in each.covers if (key := key_in(subject)))
    approved = replace(example.timeline, accepted=example.timeline.accepted | keys)

    assert detected(approved, example.estate, LOGS) == ()


def test_detection_ids_are_those_of_the_contract() -> None:
    assert {each.id for each in detections()} == {
        "snapshot-burst", "deletion-burst", "create-share-chain", "share-then-unshare", "foreign-copy",
        "restore-by-new-principal", "mount-by-new-principal", "unusual-enumeration", "recovery-inhibited",
        "snapshot-export", "unbaselined-share",
    }  # fmt: skip


def test_every_detection_fires_is_silent_and_says_where_it_is_blind() -> None:
    tunables = {
        "UserContext", "TimeWindow", "RateThreshold", "CrossAccountIDList", "GeoLocation", "APIThreshold",
        "VolumeSensitivity",
    }  # fmt: skip
    for each in detections():
        assert any(example.severity for example in each.examples), each.id
        assert any(example.severity is None for example in each.examples), each.id
        assert each.blind, each.id
        assert each.attack.techniques, each.id
        assert set(each.tunables) <= tunables, each.id


def _chain(actor: Actor) -> list[Event]:
    """Makes a snapshot, uses it and deletes it."""
    return [
        did(Action.CREATE, 1, actor),
        did(Action.RESTORE, 5, actor, made="vol-9"),
        did(Action.MOUNT, 6, actor, subjects=("vol-9",)),
        did(Action.READ_BLOCKS, 7, actor),
        did(Action.INHIBIT, 8, actor),
        *many(Action.DELETE, 100, actor=actor),
        *listings(40, 17, actor=actor),
    ]


@pytest.mark.parametrize("actor", [GUARDDUTY, INSPECTOR, BACKUP, DLM], ids=["GuardDuty", "Inspector", "Backup", "DLM"])
def test_services_that_do_the_whole_chain_by_themselves_are_silent(actor: Actor) -> None:
    assert detected(line(_chain(actor)), estate(known()), LOGS) == ()
    assert detected(line(_chain(OPS)), estate(known()), LOGS)


@pytest.mark.parametrize("actor", [GUARDDUTY, INSPECTOR], ids=["GuardDuty", "Inspector"])
def test_a_scanner_shares_with_its_own_account_which_uses_it(actor: Actor) -> None:
    target = Principal(PrincipalKind.ACCOUNT, "123412341234")
    there = did(Action.RESTORE, 4, replace(THIEF, id=target.id, account=target.id))
    events = [*_chain(actor), did(Action.SHARE, 2, actor, targets=(target,)), there, did(Action.UNSHARE, 9, actor)]

    assert detected(line(events), estate(known()), LOGS) == ()
    assert detected(line(there), estate(known()), LOGS)


@pytest.mark.parametrize("actor", [BACKUP, DLM], ids=["Backup", "DLM"])
def test_a_schedule_that_shares_with_a_stranger_is_no_excuse(actor: Actor) -> None:
    found = detected(line(did(Action.SHARE, 1, actor), did(Action.UNSHARE, 2, actor)), estate(known()), LOGS)

    assert [each.rule for each in found] == ["unbaselined-share"]


def test_everything_as_a_dry_run_is_nothing() -> None:
    events = [failed(event, Result.DRY_RUN) for _, example in EXAMPLES for event in example.timeline.events]

    assert detected(line(events), estate(known()), LOGS) == ()


def test_everything_refused_is_never_critical_and_says_that_it_was_tried() -> None:
    events = [failed(event) for _, example in EXAMPLES for event in example.timeline.events]

    found = detected(line({key_of(each): each for each in events}.values()), estate(known()), LOGS)

    assert found
    assert all(each.severity.rank >= Severity.MEDIUM.rank for each in found)
    assert all("tried" in each.title for each in found if each.rule != "unusual-enumeration")


def test_events_from_before_the_approval_are_no_news_but_those_held_back() -> None:
    event = did(Action.INHIBIT, -60, name="rbin:DeleteRule")

    assert detected(line(event), estate(), LOGS) == ()
    assert len(detected(line(event, held=frozenset({key_of(event)})), estate(), LOGS)) == 1


def test_an_approval_of_a_part_says_the_rest_again() -> None:
    events = many(Action.CREATE, 60)
    first = frozenset(key_of(each) for each in events[:30])

    (burst,) = detected(line(events, accepted=first), estate(), LOGS)

    assert burst.count == 30
    chain = line(did(Action.CREATE, 1), did(Action.SHARE, 3), accepted=frozenset({key_of(did(Action.CREATE, 1))}))
    (found,) = detected(chain, estate(known()), LOGS)
    assert "1 of 2 events of it were approved" in found.detail


def test_a_subject_leads_back_to_its_event_whatever_its_id() -> None:
    for event_id in ("e1", "a:b:c", "digest:0", "\u202e ", "x/y@z"):
        assert key_in(subject_of(("gcp", event_id))) == ("gcp", event_id)
    assert key_in("scope:aws/1") is None


def test_bursts_are_cut_where_it_was_quiet() -> None:
    calm = [did(Action.DELETE, number * 120) for number in range(50)]
    early = [did(Action.DELETE, number, detail=f"a{number}") for number in range(10)]
    late = [did(Action.DELETE, 500 + number, detail=f"b{number}") for number in range(12)]

    found = list(bursts(sorted([*calm[:1], *early, *late], key=lambda each: each.at), 10))

    assert [len(each) for each in found] == [11, 12]
    assert list(bursts(calm, 10)) == []


def test_a_tuning_comes_back_whole() -> None:
    tuning = Tuning(("*:user/eve",), ("10.0.0.0/8",), burst=7, collectors=("arn:*:role/x",))

    assert Tuning.from_json(tuning.to_json()) == tuning


def test_an_actor_that_is_outside_is_said_so_and_a_service_name_is_no_address() -> None:
    about = estate(networks=("203.0.113.0/24", "2001:db8::/32"))

    assert not about.is_outside(did(Action.SHARE))
    assert not about.is_outside(did(Action.SHARE, source_ip="AWS Internal"))
    assert not about.is_outside(did(Action.SHARE, source_ip="2001:db8::1"))
    assert about.is_outside(did(Action.SHARE, source_ip="198.51.100.7"))
    assert not estate().is_outside(did(Action.SHARE, source_ip="198.51.100.7"))


def _year(count: int) -> Timeline:
    """A busy estate: rotation, polling, restores and shares by a hundred people and services."""
    actors = [replace(OPS, id=f"{OPS.id}{number}", issuer=f"{OPS.issuer}{number}") for number in range(100)]
    actions = (Action.CREATE, Action.DELETE, Action.RESTORE, Action.MOUNT, Action.SHARE, Action.UNSHARE, Action.EXPORT)
    events: list[Event] = []
    for number in range(count):
        action = actions[number % 7] if number % 3 else Action.ENUMERATE
        name = f"{SNAPSHOT}{number % 5000}"
        made = {"made": f"vol-{number % 5000}"} if action == Action.RESTORE else {}
        subjects = (f"vol-{number % 5000}",) if action == Action.MOUNT else (name,)
        event = did(action, number / 10, actors[number % 100], subjects=subjects, **made)
        events.append(replace(event, id=f"e{number}", made=name if action == Action.CREATE else event.made))
    return line(events)


def _undone(count: int) -> Timeline:
    """One snapshot shared and taken back again and again: what an attacker can put into the log."""
    events = [did(Action.CREATE, 0.001)]
    for number in range(count):
        stranger = (Principal(PrincipalKind.ACCOUNT, f"{number:012}"),)
        events.append(did(Action.SHARE, 1 + number / 100, targets=stranger))
        events.append(did(Action.UNSHARE, 2000 - number / 100, targets=stranger))
        events.append(did(Action.COPY, 150 + number / 100, THIEF))
    return line([replace(each, id=f"e{number}") for number, each in enumerate(events)])


def _lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python are run, loops within a line included: the same on every machine."""
    count, before = 0, sys.gettrace()

    def step(*_: object) -> Any:
        nonlocal count
        count += 1
        return step

    sys.settrace(step)
    try:
        assert work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("events", "about"), [(_year, estate()), (_undone, estate(known()))], ids=["a busy estate", "one snapshot"]
)
def test_the_work_does_not_grow_with_the_square_of_the_events(events: Callable[[int], Timeline], about: Estate) -> None:
    few, many_more = (_lines_run(partial(detected, events(count), about, LOGS)) for count in (250, 1000))

    assert many_more < 5 * few


def test_one_who_is_new_is_new_for_a_day_only() -> None:
    days = [did(Action.RESTORE, 1440 * day + 1, made=f"vol-{day}") for day in range(5)]

    (found,) = detected(line(days), estate(), LOGS)

    assert [key_in(subject) for subject, _ in found.covers] == [key_of(days[0])]
    assert detected(line(days, **used_to(Action.RESTORE)), estate(), LOGS) == ()
    assert days[1].at - BEGIN > timedelta(days=1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_an_event_says_no_detection_fails(data: st.DataObject) -> None:
    """Names, addresses and times are what an attacker can get into a log."""
    words = st.text(max_size=12) | st.sampled_from([SNAPSHOT, "vol-1", "[", "*", "fe80::1%eth0", "1.2.3.4/99", "\0all"])
    principals = st.builds(Principal, st.sampled_from(list(PrincipalKind)), words)
    events = data.draw(
        st.lists(
            st.builds(
                Event,
                cloud=st.sampled_from(list(Cloud)),
                id=words,
                at=st.integers(-1500, 3000).map(lambda minutes: BEGIN + timedelta(minutes=minutes)),
                name=words,
                action=st.sampled_from(list(Action)),
                actor=st.builds(Actor, words, st.sampled_from(list(ActorKind)), words, words, words),
                account=words,
                region=words,
                source_ip=words,
                subjects=st.lists(words, max_size=3).map(tuple),
                source=words,
                made=words,
                targets=st.lists(principals, max_size=3).map(tuple),
                result=st.sampled_from(list(Result)),
                ids=st.integers(0, 2),
            ),
            max_size=40,
            unique_by=lambda each: (each.cloud, each.id),
        )
    )
    about = estate(known(), sensitive=("vol-*", "["), networks=("10.0.0.0/8",), burst=2, listings=2)

    found = detected(line(events), about, LOGS)

    assert len({each.id for each in found}) == len(found)
    assert all(each.covers for each in found)
    assert found == detected(line(reversed(events)), about, LOGS)


def _chains(*events: Event, about: Estate | None = None) -> list[tuple[str, int]]:
    found = detected(line(*events), about or estate(known()), LOGS)
    return [(each.title, each.count) for each in found if each.rule == "create-share-chain"]


def test_tries_at_the_same_are_one_finding_and_other_tries_are_others() -> None:
    made, other = did(Action.CREATE, 1), Principal(PrincipalKind.ACCOUNT, "444455556666")
    tries = [failed(did(Action.SHARE, minutes)) for minutes in (3, 5, 7)]

    found = _chains(made, *tries, failed(did(Action.SHARE, 9, targets=(other,))))

    assert sorted(found) == [
        ("eve made snap-0a1b2c3d4e5f60718 and tried to share it with unknown account 444455556666", 2),
        ("eve made snap-0a1b2c3d4e5f60718 and tried to share it with unknown account 999988887777", 4),
    ]


@pytest.mark.parametrize(
    ("session", "title"),
    [
        ("ann", "ops/ann made snap-0a1b2c3d4e5f60718 and shared it with unknown account 999988887777"),
        ("bob", "ops/ann made snap-0a1b2c3d4e5f60718 and ops/bob shared it with unknown account 999988887777"),
    ],
)
def test_two_sessions_of_a_role_are_not_said_to_be_one(session: str, title: str) -> None:
    sharer = replace(OPS, id=OPS.id.replace("/ann", f"/{session}"))

    assert _chains(did(Action.CREATE, 1, OPS), did(Action.SHARE, 3, sharer)) == [(title, 2)]


def test_two_snapshots_given_away_by_one_actor_are_told_apart_by_their_titles() -> None:
    names = [f"{SNAPSHOT[:-1]}{number}" for number in (1, 2)]
    chains = [
        did(action, minutes, subjects=(name,), made=name if action == Action.CREATE else "")
        for name, minutes in zip(names, (1, 2), strict=True)
        for action in (Action.CREATE, Action.SHARE)
    ]

    found = _chains(*(replace(each, id=f"{each.id}-{number}") for number, each in enumerate(chains)),
                    about=estate(*map(known, names)))  # fmt: skip

    assert sorted(found) == [
        (f"eve made {name.rpartition('/')[2]} and shared it with unknown account 999988887777", 2) for name in names
    ]


@pytest.mark.parametrize(("source", "said"), [("vol-1", []), ("vol-2", ["unbaselined-share"])])
def test_a_holder_trusted_for_some_sources_is_trusted_for_these(source: str, said: list[str]) -> None:
    entry = TrustedEntry(STRANGER.id, "Lab", "clones", sources=("vol-1",))
    about = replace(estate(known(source=source)), trust=replace(TRUST, entries=(entry,)))

    found = detected(line(did(Action.SHARE, 1), did(Action.UNSHARE, 2)), about, LOGS)

    assert [each.rule for each in found] == said


@pytest.mark.parametrize("via", ["dlm.amazonaws.com", "scheduler.amazonaws.com"])
def test_nobody_looks_for_malware_because_their_role_is_called_so(via: str) -> None:
    arn = "arn:aws:iam::111122223333:role/inspector"
    named = Actor(arn.replace("iam", "sts").replace("role/", "assumed-role/") + "/x", ActorKind.SERVICE, arn, via)

    found = detected(line(did(Action.SHARE, 1, named), did(Action.UNSHARE, 2, named)), estate(known()), LOGS)

    assert [each.rule for each in found] == ["unbaselined-share"]
