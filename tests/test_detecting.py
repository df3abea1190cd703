"""Rules on audit events through a store: what is news, what an approval silences, and what it must not."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from snapbase.errors import ApprovalRefused
from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.finding import Finding, Report
from snapbase.model import Cloud, Grant, Principal, PrincipalKind, Run, Scope
from snapbase.operations import approve as approving
from snapbase.operations import detecting, evidence, trusting
from snapbase.operations.diff import against_baseline, against_run, diff, finished_run
from snapbase.rules.detected import detections
from snapbase.rules.estate import Tuning
from snapbase.settings import Config
from snapbase.store import Store, bundle
from snapbase.trust import TrustList
from tests.store.world import EUROPE, OUTSIDER, grant, reading, seen, snapshot

OURS = "111122223333"
DAY = datetime.fromisoformat("2026-11-01T00:00:00Z")
SNAPSHOT = snapshot("a").address
EVE = Actor(f"arn:aws:iam::{OURS}:user/eve", ActorKind.HUMAN, account=OURS)
THIEF = Actor(OUTSIDER.id, ActorKind.FOREIGN, account=OUTSIDER.id)
EVENTS = {each.id for each in detections()}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A log known for three weeks, in which others do this and that."""
    with Store.open(store_url, write=True) as opened:
        opened.add_events([did(Action.CREATE, days=-21, actor=replace(EVE, id="somebody"), subjects=("old",))])
        yield opened


def did(action: Action, *, days: float = 0, minutes: float = 0, actor: Actor = EVE, **fields: object) -> Event:
    event = Event(
        cloud="aws",
        id=f"{action}-{days}-{minutes}-{actor.id[-9:]}",
        at=DAY + timedelta(days=days, minutes=minutes),
        name=f"ec2:{action}",
        action=action,
        actor=actor,
        account=OURS,
        region="eu-west-1",
        source_ip="198.51.100.7",
        subjects=(SNAPSHOT,),
        targets=(OUTSIDER,) if action in (Action.SHARE, Action.UNSHARE) else (),
    )
    return replace(event, **fields)  # type: ignore[arg-type]


def run(store: Store, days: float, *, grants: Iterable[Grant] = (), tuning: Tuning | None = None) -> Run:
    """A run that sees one snapshot, with who may use it."""
    at = DAY + timedelta(days=days)
    run_id = store.begin_run("", "config", at - timedelta(minutes=5))
    read = replace(reading(EUROPE, 0, [seen(snapshot("a"), grants)]), started_at=at - timedelta(minutes=5))
    store.record(run_id, read)
    trust = TrustList(own=frozenset({OURS}))
    return store.finish_run(run_id, trust=trusting.to_bytes(trust, tuning.to_json() if tuning else None), at=at)


def report(store: Store) -> Report:
    last = finished_run(store)
    return diff(store, last, against_baseline(store, last))


def said(store: Store) -> list[str]:
    """The rules on events that say something of the last run."""
    return [each.rule for each in told(store)]


def told(store: Store) -> list[Finding]:
    return [each for each in report(store).findings if each.rule in EVENTS]


def approve(store: Store, days: float, *, of: Run | None = None, **more: object) -> None:
    """Of the last run, all of it unless single findings are named."""
    wanted = of or finished_run(store)
    request = approving.Request(
        run=wanted, by="ann", reason="seen", allow_public=True, allow_unknown=True, **more  # type: ignore[arg-type]
    )  # fmt: skip
    approving.approve(store, approving.plan(store, request), at=DAY + timedelta(days=days))


def test_without_any_event_nothing_is_said(store_url: str) -> None:
    with Store.open(store_url, write=True) as opened:
        run(opened, 0)

        found = report(opened)

    assert found.findings == ()
    assert found.notes == ()


def test_an_event_is_news_until_it_is_approved_and_then_never_again(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.RESTORE, days=1, made="vol-9"), did(Action.INHIBIT, days=1, name="rbin:DeleteRule")])
    run(store, 2)
    (high, medium) = told(store)
    assert [high.rule, medium.rule] == ["recovery-inhibited", "restore-by-new-principal"]

    approve(store, 2, findings=(medium.id,))

    assert told(store) == [high]
    run(store, 3)
    assert told(store) == [high], "the same finding with the same id in every run"
    assert store.verify_baselines().problems == ()


def test_a_whole_approval_settles_what_it_listed_and_keeps_what_was_held_back(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.RESTORE, days=1, made="vol-9"), did(Action.INHIBIT, days=1, name="rbin:DeleteRule")])
    run(store, 2)
    restored = next(each for each in told(store) if each.rule == "restore-by-new-principal")

    approve(store, 2, excepted=(restored.id,))
    run(store, 40)

    assert [each.id for each in told(store)] == [restored.id]
    approve(store, 40)
    assert told(store) == []
    run(store, 41)
    assert told(store) == []


@pytest.mark.parametrize("before", [5, 50], ids=["minutes before the run", "the hour before"])
def test_what_an_approval_listed_is_silent_though_it_is_looked_at_once_more(store: Store, before: int) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=2, minutes=-before)])
    run(store, 2)
    assert said(store) == ["recovery-inhibited"]

    approve(store, 2.5)
    run(store, 3)
    assert said(store) == []
    approve(store, 3.5, of=finished_run(store))
    run(store, 4)
    assert said(store) == []


def test_an_event_that_was_approved_alone_stays_silent_when_the_rest_is_approved(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=2, minutes=-5)])
    run(store, 2)
    approve(store, 2, findings=(told(store)[0].id,))

    approve(store, 2.1)
    run(store, 3)

    assert said(store) == []


def test_an_event_that_came_after_the_approval_but_happened_before_it_is_news(store: Store) -> None:
    run(store, 0)
    approve(store, 0.001)
    store.add_events([did(Action.INHIBIT, minutes=-20)])
    run(store, 1)

    assert said(store) == ["recovery-inhibited"]


def test_what_happened_between_the_run_and_its_approval_was_not_approved(store: Store) -> None:
    run(store, 0)
    approve(store, 5)
    store.add_events([did(Action.INHIBIT, days=3)])
    run(store, 6)

    assert said(store) == ["recovery-inhibited"]


def test_an_approval_with_an_end_ends(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=1)])
    run(store, 2)
    approve(store, 2, findings=(told(store)[0].id,), until=DAY + timedelta(days=10))
    run(store, 3)
    assert said(store) == []

    approve(store, 3)
    run(store, 9)
    assert said(store) == []
    run(store, 11)
    assert said(store) == ["recovery-inhibited"]


def test_a_stolen_share_needs_the_flag_that_a_standing_one_needs(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.SHARE, days=1), did(Action.UNSHARE, days=1, minutes=1)])
    last = run(store, 2)

    with pytest.raises(ApprovalRefused, match="unknown holders"):
        approving.plan(store, approving.Request(run=last, by="ann", reason="seen", findings=(told(store)[0].id,)))


def test_a_share_that_no_run_saw_and_one_that_a_run_saw(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.SHARE, days=1), did(Action.UNSHARE, days=1, minutes=1)])
    run(store, 2)
    (unseen,) = told(store)
    assert unseen.rule == "unbaselined-share"
    assert (unseen.subject.address, unseen.subject.name, unseen.kind) == (SNAPSHOT, "a", "aws.ec2.snapshot")
    assert unseen.grantee is not None
    assert unseen.grantee.principal == OUTSIDER
    assert [each.action for each in unseen.attribution] == ["ec2:unshare", "ec2:share"]

    run(store, 3, grants=(grant(),))
    run(store, 4)

    assert said(store) == ["share-then-unshare"]


def test_the_whole_theft_in_one_report(store: Store) -> None:
    """Made, shared, copied, taken back and deleted between two runs: the inventory has nothing at all."""
    run(store, 0)
    approve(store, 0)
    new = "arn:aws:ec2:eu-west-1::snapshot/snap-9"
    about = {"subjects": (new,), "days": 1}
    store.add_events(
        [
            did(Action.CREATE, minutes=1, made=new, source="vol-1", **about),  # type: ignore[arg-type]
            did(Action.SHARE, minutes=2, **about),  # type: ignore[arg-type]
            did(Action.COPY, minutes=3, actor=THIEF, **about),  # type: ignore[arg-type]
            did(Action.UNSHARE, minutes=4, **about),  # type: ignore[arg-type]
            did(Action.DELETE, minutes=5, **about),  # type: ignore[arg-type]
        ]
    )
    run(store, 2)

    assert said(store) == ["create-share-chain", "foreign-copy", "unbaselined-share"]
    assert {each.rule for each in report(store).findings} == set(said(store))


def test_what_an_approved_holder_does_is_no_theft(store: Store) -> None:
    run(store, 0, grants=(grant(),))
    store.add_events([did(Action.COPY, days=1, actor=THIEF)])
    approve(store, 0)
    run(store, 2, grants=(grant(),))

    assert said(store) == []


def test_what_a_holder_does_whose_share_was_held_back_is_theft(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    shared = run(store, 1, grants=(grant(),))
    finding = next(each for each in report(store).findings if each.grantee)
    approve(store, 1, of=shared, excepted=(finding.id,))
    store.add_events([did(Action.COPY, days=1.5, actor=THIEF)])
    run(store, 2, grants=(grant(),))

    assert said(store) == ["foreign-copy"]


def test_a_share_approved_by_itself_may_be_used(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    run(store, 1, grants=(grant(),))
    finding = next(each for each in report(store).findings if each.grantee)
    approve(store, 1, findings=(finding.id,))
    store.add_events([did(Action.COPY, days=1.5, actor=THIEF)])
    run(store, 2, grants=(grant(),))

    assert said(store) == []


def test_an_approved_removal_is_no_approval_of_the_next_share(store: Store) -> None:
    run(store, 0, grants=(grant(),))
    approve(store, 0)
    run(store, 1)
    (removed,) = report(store).findings
    approve(store, 1, findings=(removed.id,))
    store.add_events([did(Action.SHARE, days=1.5), did(Action.UNSHARE, days=1.5, minutes=1)])
    run(store, 2)

    assert said(store) == ["share-then-unshare"]


def test_a_snapshot_approved_whole_is_approved_with_its_holders_of_that_run(store: Store) -> None:
    run(store, 0, grants=(grant(),))
    approve(store, 0)
    run(store, 1)
    approve(store, 1, snapshots=(SNAPSHOT,))
    store.add_events([did(Action.SHARE, days=1.5), did(Action.UNSHARE, days=1.5, minutes=1)])
    run(store, 2)

    assert said(store) == ["share-then-unshare"]


@pytest.mark.parametrize("revoked", [False, True])
def test_an_approval_that_does_not_count_settles_no_event(store: Store, *, revoked: bool) -> None:
    """Nothing in the inventory changed meanwhile: both runs have one revision."""
    first = run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.SHARE, days=1), did(Action.UNSHARE, days=1, minutes=1)])
    second = run(store, 2)
    assert first.last_rev == second.last_rev
    request = approving.Request(run=second, by="eve", reason="fine", allow_unknown=True)
    line = approving.approve(store, approving.plan(store, request), at=DAY + timedelta(days=2), pending=not revoked)
    if revoked:
        evidence.revoke(store, line.id, by="ann", reason="it was not")
    store.add_events([did(Action.INHIBIT, days=3, name="rbin:DeleteRule")])
    run(store, 4)
    other = next(each for each in told(store) if each.rule == "recovery-inhibited")

    approve(store, 4, findings=(other.id,))

    assert said(store) == ["unbaselined-share"]


def _many(count: int, days: float, **fields: object) -> list[Event]:
    action = fields.pop("action", Action.DELETE)
    return [
        did(Action(str(action)), days=days, minutes=each / 10, **{"subjects": (f"s-{days}-{each}",), **fields})  # type: ignore[arg-type]
        for each in range(count)
    ]


def test_a_burst_is_measured_by_what_its_actor_did_before(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events(_many(50, 1))
    run(store, 2)
    (burst,) = told(store)
    assert (burst.rule, burst.count) == ("deletion-burst", 50)

    store.add_events([each for day in range(10) for each in _many(40, day - 15)])

    assert said(store) == []


def test_what_was_refused_or_tried_dry_is_no_habit(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([each for day in range(10) for each in _many(40, day - 15, result=Result.DENIED)])
    store.add_events([did(Action.RESTORE, days=-10, result=Result.DRY_RUN), did(Action.RESTORE, days=1)])
    store.add_events(_many(50, 1))
    run(store, 2)

    assert said(store) == ["deletion-burst", "restore-by-new-principal"]


def test_polling_is_neither_read_nor_a_habit_of_listing(store: Store) -> None:
    regions = [f"region-{number}" for number in range(12)]
    store.add_events(
        did(Action.ENUMERATE, days=-9, minutes=number, subjects=("x",), ids=1, detail='"ids":0,')
        for number in range(60)
    )
    run(store, 0)
    approve(store, 0)
    store.add_events(
        did(Action.ENUMERATE, days=1, minutes=number, subjects=(), ids=0, region=region)
        for number, region in enumerate(regions)
    )
    run(store, 2)

    assert said(store) == ["unusual-enumeration"]
    assert len(list(store.telling_events(DAY - timedelta(days=30), DAY + timedelta(days=30)))) == 13


def test_two_runs_are_compared_by_the_events_of_their_stretch(store: Store) -> None:
    store.add_events(did(Action.INHIBIT, days=day) for day in (0.5, 1.5, 2.5))
    runs = [run(store, day) for day in range(4)]

    def between(older: Run, newer: Run) -> list[str]:
        found = diff(store, newer, against_run(store, older)).findings
        return [each.covers[0][0] for each in found if each.rule in EVENTS]

    assert between(runs[1], runs[2]) == ["event:aws:inhibit-1.5-0-:user/eve"]
    assert len(between(runs[0], runs[3])) == 3
    assert between(runs[2], runs[2]) == []


def test_before_the_first_approval_the_last_days_are_judged(store: Store) -> None:
    store.add_events([did(Action.INHIBIT, days=-3), did(Action.INHIBIT, days=-9)])
    run(store, 0)

    (found,) = told(store)
    assert found.covers == (("event:aws:inhibit--3-0-:user/eve", "event"),)


def test_an_event_can_be_approved_before_anything_else_was(store: Store) -> None:
    store.add_events([did(Action.INHIBIT, days=-3), did(Action.EXPORT, days=-2)])
    run(store, 0)
    inhibited = next(each for each in told(store) if each.rule == "recovery-inhibited")

    approve(store, 0, findings=(inhibited.id,))

    assert said(store) == ["snapshot-export"]


def test_an_approval_of_events_is_proven_and_moves_to_another_store(store: Store, tmp_path: Path) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=1)])
    run(store, 2)
    approve(store, 2, findings=(told(store)[0].id,))

    assert store.verify_baselines().problems == ()
    with Store.open(f"sqlite:///{tmp_path}/other.db", write=True) as other:
        exported = bundle.parse("".join(store.export_baselines()).splitlines())
        other.import_baselines(exported, claimed={}, at=DAY + timedelta(days=3))
        other.add_events(store.events(DAY - timedelta(days=30), DAY + timedelta(days=30)))
        run(other, 4)

        assert said(other) == []
        assert any(pin.subject.startswith("event:aws:inhibit") for pin in other.effective()[1])


def test_a_young_log_says_that_it_cannot_tell_who_is_new(store_url: str) -> None:
    with Store.open(store_url, write=True) as opened:
        opened.mark_log(("aws.cloudtrail", OURS, "eu-west-1"), DAY - timedelta(hours=1), DAY)
        run(opened, 0)
        approve(opened, 0)
        opened.add_events([did(Action.RESTORE, days=1)])
        run(opened, 2)

        found = report(opened)

    assert [each for each in found.findings if each.rule in EVENTS] == []
    assert any("Who is new cannot be told yet from the logs of 111122223333" in note for note in found.notes)


def test_a_log_grows_up_under_a_baseline_of_its_first_day(store_url: str) -> None:
    with Store.open(store_url, write=True) as opened:
        opened.mark_log(("aws.cloudtrail", OURS, "eu-west-1"), DAY - timedelta(hours=1), DAY)
        run(opened, 0)
        approve(opened, 0)
        opened.add_events([did(Action.RESTORE, days=day, actor=replace(EVE, id="usual")) for day in (1, 9)])
        opened.add_events([did(Action.RESTORE, days=9, minutes=1)])
        run(opened, 10)

        found = report(opened)

    assert [each.title.partition(",")[0] for each in found.findings if each.rule in EVENTS] == ["eve"]
    assert not any("Who is new" in note for note in found.notes)


def test_a_role_taken_for_an_hour_by_one_who_may_is_no_news(store: Store) -> None:
    people = [Principal(PrincipalKind.USER, f"0b5fe924-0000-4000-8000-00000000000{number}") for number in (1, 2)]
    run(store, 0, grants=(grant(people[0]),))
    approve(store, 0)
    for each in people:
        about = {"subjects": ("/subscriptions/s1",), "targets": (each,), "cloud": "azure", "days": 1}
        share = did(Action.SHARE, **about)  # type: ignore[arg-type]
        back = did(Action.UNSHARE, minutes=60, **about)  # type: ignore[arg-type]
        store.add_events([replace(one, id=f"{one.id}{each.id}") for one in (share, back)])
    run(store, 2, grants=(grant(people[0]),))

    (found,) = told(store)

    assert found.grantee is not None
    assert found.grantee.principal == people[1]


def test_what_no_event_can_show_is_said_once(store: Store) -> None:
    run(store, 0)
    (note,) = [each for each in report(store).notes if each.startswith("Not observable here")]
    assert "data event of EBS" in note
    assert "Azure" not in note

    azure = did(Action.CREATE, days=-20, actor=replace(EVE, id="ann@example.com"))
    store.add_events([did(Action.READ_BLOCKS, days=-20), replace(azure, cloud="azure"), replace(azure, cloud="gcp")])
    (note,) = [each for each in report(store).notes if each.startswith("Not observable here")]

    assert "EBS" not in note
    assert "Activity Log has no reads" in note
    assert "Data Access" in note


def test_events_that_are_too_old_are_not_judged_and_that_is_said(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=1), did(Action.INHIBIT, days=29)])
    run(store, 30, tuning=Tuning(days=5))

    assert len(told(store)) == 1
    assert any("Events before 2026-11-26" in note for note in report(store).notes)


def test_a_run_is_judged_by_what_was_set_when_it_was_made(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events(_many(12, 1))
    first = run(store, 2, tuning=Tuning(burst=10))
    second = run(store, 2.1, tuning=Tuning(burst=10, trusted_actors=("*:user/eve",)))
    third = run(store, 2.2)

    for each, expected in ((first, ["deletion-burst"]), (second, []), (third, [])):
        found = diff(store, each, against_baseline(store, each)).findings
        assert [finding.rule for finding in found] == expected


def test_settings_are_kept_only_where_anything_was_set() -> None:
    plain = Config.model_validate({"aws": [{}]})
    named = Config.model_validate(
        {
            "aws": [{"role": "snapbase-collector"}, {"role": "arn:aws:iam::{account}:role/x/reader"}],
            "gcp": [{"impersonate": "snapbase@audit-project.iam.gserviceaccount.com"}],
            "detect": {"networks": ["192.0.2.0/24"]},
        }
    )

    assert detecting.settings(plain) == {}
    assert detecting.tuning_of(named).collectors == (
        "arn:*:iam::*:role/snapbase-collector",
        "arn:aws:iam::*:role/x/reader",
        "snapbase@audit-project.iam.gserviceaccount.com",
    )
    assert Tuning.from_json(detecting.settings(named)) == detecting.tuning_of(named)
    assert trusting.to_bytes(TrustList(), {}) == trusting.to_bytes(TrustList())


def test_azure_resources_are_found_in_whatever_case_their_ids_are(store: Store) -> None:
    address = "/subscriptions/S1/resourceGroups/RG/providers/Microsoft.Compute/snapshots/Orders"
    place = Scope(Cloud.AZURE, "s1", "westeurope", "azure.compute.snapshot")
    run_id = store.begin_run("", "config", DAY)
    found = replace(snapshot("a"), uid=f"{address}@1", address=address, name="Orders")
    store.record(run_id, reading(place, 0, [seen(found, (grant(Principal(PrincipalKind.USER, "u1")),))]))
    last = store.finish_run(run_id, trust=trusting.to_bytes(TrustList()), at=DAY)

    met = store.met(Cloud.AZURE, [address.lower(), "/nothing"], 0, last.last_rev)

    assert set(met) == {address.lower()}
    assert met[address.lower()].state.resource.name == "Orders"
    assert met[address.lower()].ever == {Principal(PrincipalKind.USER, "u1")}
    assert met[address.lower()].then == frozenset()
