"""Trust that ends, and approvals that end: what is approved beside them leaves both as they are."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from snapbase.event import Action
from snapbase.finding import Finding
from snapbase.model import Aspect, Coverage, Observation, Outcome, Reading, Resource, ResourceType, Run, Scope
from snapbase.operations import approve as approving
from snapbase.operations import trusting
from snapbase.operations.diff import against_baseline, diff, finished_run
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.trust import TrustedEntry, TrustList
from tests.detecting.world import did
from tests.store.world import EUROPE, OUTSIDER, grant, reading, seen, snapshot

DAY = datetime.fromisoformat("2026-11-01T12:00:00Z")
OURS = TrustList(own=frozenset({EUROPE.account}))
UNTIL_THE_TENTH = replace(OURS, entries=(TrustedEntry(OUTSIDER.id, "Acme", "backups", "2026-11-10"),))
SHARED = seen(snapshot("a"), {grant()})


def _run(store: Store, day: float, *found: Observation, trust: TrustList = UNTIL_THE_TENTH) -> Run:
    at = DAY + timedelta(days=day)
    number = store.begin_run("", "", at)
    store.record(number, replace(reading(EUROPE, 0, found), started_at=at))
    return store.finish_run(number, trust=trusting.to_bytes(trust), at=at)


def _report(store: Store) -> tuple[Finding, ...]:
    last = finished_run(store)
    return diff(store, last, against_baseline(store, last)).findings


def _rules(store: Store) -> list[str]:
    return [each.rule for each in _report(store)]


def _approve(store: Store, day: float, *, of: Run | None = None, **what: Any) -> None:
    flags = {"allow_unknown": True, **what}
    request = approving.Request(run=of or finished_run(store), by="ada", reason="fine", **flags)
    approving.approve(store, approving.plan(store, request), at=DAY + timedelta(days=day))


def _ids(found: Iterable[Finding], rule: str) -> tuple[str, ...]:
    return tuple(each.id for each in found if each.rule == rule)


def test_what_else_is_approved_does_not_approve_that_trust_has_ended(store: Store) -> None:
    _run(store, 0, SHARED)
    _approve(store, 0)
    _run(store, 11, SHARED, seen(snapshot("b")))
    assert _rules(store) == ["trust-lost", "snapshot-appeared"]

    _approve(store, 11, findings=_ids(_report(store), "snapshot-appeared"), allow_unknown=False)

    assert _rules(store) == ["trust-lost"]


def test_a_late_approval_approves_what_the_run_showed(store: Store) -> None:
    first = _run(store, 0, SHARED)
    _approve(store, 11, of=first, allow_unknown=False)
    _run(store, 12, SHARED)

    assert _rules(store) == ["trust-lost"]


@pytest.mark.parametrize("moved", [False, True])
def test_trust_that_ended_can_be_held_back_and_approved_later(store: Store, *, moved: bool) -> None:
    """`moved`: something else changed meanwhile; else all runs have one revision."""
    _run(store, 0, SHARED)
    _approve(store, 0)
    _run(store, 11, SHARED, *([seen(snapshot("b"))] if moved else []))
    _approve(store, 11, excepted=_ids(_report(store), "trust-lost"), allow_unknown=False)
    _run(store, 12, SHARED, *([seen(snapshot("b"))] if moved else []))
    assert _rules(store) == ["trust-lost"]

    _approve(store, 12, findings=_ids(_report(store), "trust-lost"))
    _run(store, 13, SHARED, *([seen(snapshot("b"))] if moved else []))
    assert _rules(store) == []
    _approve(store, 13)
    _run(store, 14, SHARED, *([seen(snapshot("b"))] if moved else []))
    assert _rules(store) == []


def test_a_share_that_was_approved_by_itself_while_trusted_is_news_when_trust_ends(store: Store) -> None:
    _run(store, 0, seen(snapshot("a")))
    _approve(store, 0)
    _run(store, 1, SHARED)
    _approve(store, 11, findings=_ids(_report(store), "trusted-share"), allow_unknown=False)
    _run(store, 12, SHARED)

    assert _rules(store) == ["trust-lost"]


def test_a_snapshot_approved_as_it_was_keeps_the_end_of_what_was_let_through(store: Store) -> None:
    _run(store, 0, seen(snapshot("a")), trust=OURS)
    _approve(store, 0)
    _run(store, 1, SHARED, trust=OURS)
    _approve(store, 1, findings=_ids(_report(store), "unknown-account-share"), until=DAY + timedelta(days=5))
    tagged = replace(SHARED, resource=replace(SHARED.resource, tags={"env": "other"}))
    _run(store, 2, tagged, trust=OURS)
    assert _rules(store) == ["snapshot-modified"]

    _approve(store, 2, snapshots=(snapshot("a").uid,), allow_unknown=False)

    assert _rules(store) == []
    _run(store, 6, tagged, trust=OURS)
    assert sorted(_rules(store)) == ["approval-expired", "unknown-account-share"]
    assert store.verify_baselines().problems == ()


def test_a_property_held_back_is_compared_with_what_approved_the_thing_itself(store: Store) -> None:
    closed, opened = (replace(snapshot("b"), attributes={"network_access_policy": each}) for each in _POLICIES)
    _run(store, 0, seen(snapshot("a")))
    _approve(store, 0)
    _run(store, 1, seen(snapshot("a")), seen(closed))
    _approve(store, 1, findings=_ids(_report(store), "snapshot-appeared"))
    _run(store, 2, seen(snapshot("a")), seen(opened))
    (before,) = _report(store)

    _approve(store, 2, excepted=(before.id,))

    (after,) = _report(store)
    assert (after.id, after.rule, after.change) == (before.id, "network-exposure", before.change)
    _run(store, 3, seen(snapshot("a")), seen(closed))
    assert _rules(store) == []


_POLICIES = ("DenyAll", "AllowAll")


@pytest.mark.parametrize("held", [False, True])
def test_who_did_it_is_still_said_after_an_approval_of_something_else(store: Store, *, held: bool) -> None:
    store.add_events([did(Action.SHARE, days=1.5)])
    _run(store, 1, seen(snapshot("a")), trust=OURS)
    _approve(store, 1)
    _run(store, 2, SHARED, seen(snapshot("b")), trust=OURS)
    found = _report(store)

    if held:
        _approve(store, 3, excepted=_ids(found, "unknown-account-share"))
    else:
        _approve(store, 3, findings=_ids(found, "snapshot-appeared"))
    _run(store, 4, SHARED, seen(snapshot("b")), trust=OURS)

    (shared,) = (each for each in _report(store) if each.rule == "unknown-account-share")
    assert [each.action for each in shared.attribution] == ["ec2:share"]


@pytest.mark.parametrize("read", [False, True], ids=["left", "left, and lets us in"])
def test_an_account_that_left_is_ours_only_while_it_can_be_read(store: Store, *, read: bool) -> None:
    organization = replace(EUROPE, location="global", kind="aws.organizations")
    theirs = replace(EUROPE, account=OUTSIDER.id)

    def run(day: int, members: Iterable[str], outcome: str) -> None:
        at = DAY + timedelta(days=day)
        previous = trusting.of_run(store, store.last_run())
        number = store.begin_run("", "", at)
        for scope, found in ((organization, map(_member, members)), (EUROPE, [SHARED])):
            store.record(number, replace(reading(scope, 0, found), started_at=at))
        for scope in (theirs, replace(theirs, kind="aws.cloudtrail")):
            log = scope.kind == "aws.cloudtrail"  # nobody asks for the log of an account that is not there
            store.record(number, Reading(scope, at, (), _listed(scope, Outcome.COMPLETE if log else outcome)))
        told = list(store.states(store.head(), kinds=trusting.TELLING))
        trust = trusting.trust_now(store, Config(), store.head(), previous, told)
        store.finish_run(number, trust=trusting.to_bytes(trust), at=at)

    run(0, (EUROPE.account, OUTSIDER.id), Outcome.COMPLETE)
    _approve(store, 0)
    run(1, (EUROPE.account,), Outcome.COMPLETE if read else Outcome.DISABLED)

    assert ("trust-lost" in _rules(store)) is not read


def _listed(scope: Scope, outcome: str) -> tuple[Coverage, ...]:
    return (Coverage(scope, Aspect.LIST, outcome),)


def _member(account: str) -> Observation:
    arn = f"arn:aws:organizations::{EUROPE.account}:account/o-1/{account}"
    return seen(Resource(uid=arn, address=arn, type=ResourceType.CONTAINER, facts={"account_id": account}))
