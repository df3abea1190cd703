"""What stood in front of an approved share goes with the approval: elsewhere, too, it is told when that falls."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from snapbase.finding import Report
from snapbase.model import Limits
from snapbase.operations import evidence
from snapbase.store import Store
from tests.store.test_candidates import CLOSED, OPEN, Desk, _shared, desk
from tests.store.world import EPOCH

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


def test_that_no_line_covers_what_stood_in_front_is_said(desk: Desk) -> None:
    found = desk.collect(_shared(KEY), key=CLOSED).findings
    desk.approve([each.id for each in found])

    _, verified = evidence.load("".join(evidence.export(desk.store)).splitlines())

    assert any(words.startswith("What stood in front of single approvals: 1.") for words in verified.unproven)
