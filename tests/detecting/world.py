"""A store that is told events, judged and approved, and what is said of it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from snapbase.event import Action, Actor, ActorKind, Event
from snapbase.finding import Finding, Report
from snapbase.model import Grant, Run
from snapbase.operations import approve as approving
from snapbase.operations import trusting
from snapbase.operations.diff import against_baseline, diff, finished_run
from snapbase.rules.detected import detections
from snapbase.rules.estate import Tuning
from snapbase.store import Store
from snapbase.trust import TrustList
from tests.store.world import EUROPE, OUTSIDER, reading, seen, snapshot

OURS = "111122223333"
DAY = datetime.fromisoformat("2026-11-01T00:00:00Z")
SNAPSHOT = snapshot("a").address
EVE = Actor(f"arn:aws:iam::{OURS}:user/eve", ActorKind.HUMAN, account=OURS)
THIEF = Actor(OUTSIDER.id, ActorKind.FOREIGN, account=OUTSIDER.id)
EVENTS = {each.id for each in detections()}


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
