"""Rules on audit events through a store: what is news, and with what words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from snapbase.event import Action, Event, Result
from snapbase.model import Cloud, Principal, PrincipalKind, Run, Scope
from snapbase.operations import detecting, trusting
from snapbase.operations.diff import against_baseline, against_run, diff
from snapbase.rules.estate import Tuning
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.trust import TrustList
from tests.detecting.world import DAY, EVE, EVENTS, OURS, SNAPSHOT, THIEF, approve, did, report, run, said, told
from tests.store.world import OUTSIDER, grant, reading, seen, snapshot


def test_without_any_event_nothing_is_said(store_url: str) -> None:
    with Store.open(store_url, write=True) as opened:
        run(opened, 0)

        found = report(opened)

    assert found.findings == ()
    assert found.notes == ()


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

    store.add_events([did(Action.SHARE, days=3, minutes=-60), did(Action.UNSHARE, days=3, minutes=60)])
    run(store, 3, grants=(grant(),))
    run(store, 4)

    assert said(store) == ["share-then-unshare", "unbaselined-share"]
    assert unseen in told(store)


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


def _many(count: int, days: float, **fields: object) -> list[Event]:
    action = fields.pop("action", Action.DELETE)
    return [
        did(Action(str(action)), days=days, minutes=each / 10, **{"subjects": (f"s-{days}-{each}",), **fields})  # type: ignore[arg-type]
        for each in range(count)
    ]


@pytest.mark.parametrize(("usually", "bursts"), [(0, [50]), (40, [])])
def test_a_burst_is_measured_by_what_its_actor_did_before(store: Store, usually: int, bursts: list[int]) -> None:
    store.add_events([each for day in range(10) for each in _many(usually, day - 15)])
    run(store, 0)
    approve(store, 0)
    store.add_events(_many(50, 1))
    run(store, 2)

    assert [(each.rule, each.count) for each in told(store)] == [("deletion-burst", count) for count in bursts]


def test_what_was_refused_or_tried_dry_is_no_habit(store: Store) -> None:
    store.add_events([each for day in range(10) for each in _many(40, day - 15, result=Result.DENIED)])
    store.add_events([did(Action.RESTORE, days=-10, result=Result.DRY_RUN)])
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.RESTORE, days=1), *_many(50, 1)])
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
    assert met[address.lower()].ever == {(Principal(PrincipalKind.USER, "u1"), DAY, None)}
    assert met[address.lower()].then == frozenset()
