"""What stood in front of an approved share goes with the approval: elsewhere, too, it is told when that falls."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from snapbase.finding import Report
from snapbase.model import Grant, Limits, Resource, ResourceType
from snapbase.operations import evidence
from snapbase.store import Store
from snapbase.store.prune import BEGINNING, Wanted, prune
from tests.store.test_candidates import CLOSED, KEYS, OPEN, TRUST, Desk, _shared, desk
from tests.store.world import EPOCH, EUROPE, grant, minute, reading, seen, snapshot, url_of

__all__ = ["desk"]
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"


def _told(report: Report) -> list[tuple[str, str, str]]:
    return [(each.subject.uid, each.change.type, each.severity) for each in report.findings]


@pytest.mark.parametrize("before", [None, CLOSED, OPEN], ids=["nothing whole", "whole and closed", "whole and open"])
@pytest.mark.parametrize("seen_there", [(), (CLOSED,)], ids=["fell before the first run", "fell later"])
def test_a_guardrail_that_falls_after_an_import_is_told(
    desk: Desk, tmp_path: Path, before: Limits | None, seen_there: Sequence[Limits]
) -> None:
    if before is not None:
        desk.collect(key=before)
        desk.approve()
    found = desk.collect(_shared(KEY), key=CLOSED).findings
    desk.approve([each.id for each in found])
    assert _told(desk.collect(_shared(KEY), key=CLOSED)) == []
    bundle, verified = evidence.load("".join(evidence.export(desk.store)).splitlines())
    assert verified.problems == ()
    fell = _told(desk.collect(_shared(KEY), key=OPEN))
    assert "grant-worse" in {change for _, change, _ in fell}

    with Store.open(f"sqlite:///{tmp_path}/there.db", write=True) as store:
        evidence.restore(store, bundle)
        there = Desk(store, int((datetime.now(UTC) - EPOCH) / timedelta(minutes=1)) + 1)
        for limits in seen_there:
            assert _told(there.collect(_shared(KEY), key=limits)) == []

        assert _told(there.collect(_shared(KEY), key=OPEN)) == fell
        assert store.verify_baselines().problems == ()
        again, verified = evidence.load("".join(evidence.export(store)).splitlines())
        assert verified.problems == ()
        assert {each["uid"] for each in again.of("guard")} == {KEY}


def test_what_stood_in_front_is_covered(desk: Desk) -> None:
    found = desk.collect(_shared(KEY), key=CLOSED).findings
    desk.approve([each.id for each in found])
    text = "".join(evidence.export(desk.store))
    bundle, verified = evidence.load(text.splitlines(), head=desk.store.baselines()[-1].hash)

    assert (len(bundle.of("guard")), verified.problems, verified.unproven) == (1, (), ())

    (guard,) = (line for line in text.splitlines() if '"thing":"guard"' in line)
    opened = guard.replace('"admits":["111122223333"]', '"admits":["999988887777"]')
    assert opened != guard
    assert evidence.load(text.replace(guard, opened).splitlines())[1].problems


@pytest.mark.parametrize("then", [{grant()}, None], ids=["held", "unread"])
def test_what_stood_in_front_stays_as_it_was_when_the_rest_is_pruned(desk: Desk, then: set[Grant] | None) -> None:
    """With who held roles on it: whoever holds one inside may get the key from our own."""

    def collect(held: set[Grant] | None) -> Report:
        number = desk.store.begin_run("", "", minute(desk.tick()))
        above = Resource(uid=KEY, address=KEY, type=ResourceType.CONTAINER)
        desk.store.record(number, reading(KEYS, desk.tick(), [seen(above, held), seen(snapshot("b"))]))
        desk.store.record(number, reading(EUROPE, desk.tick(), [_shared(KEY)]))
        desk.run = desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))
        return desk.report()

    desk.approve([each.id for each in collect(then).findings if each.subject.uid == snapshot("a").uid])
    collect(set())
    collect(set())
    before = list(evidence.export(desk.store))
    (guard,) = (json.loads(line) for line in before if '"thing":"guard"' in line)
    assert guard["state"]["grants"] if then else guard["state"]["unread"]

    url = url_of(desk.store)
    prune(url, Wanted(minute(desk.now), events_before=BEGINNING, heard_since=minute(desk.now)))

    assert desk.store.verify_baselines().problems == ()
    assert list(evidence.export(desk.store)) == before
