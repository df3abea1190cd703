"""Which event explains which change, how certainly, and which never does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapbase.audit.attribute import SKEW, attribute, names
from snapbase.event import Action, Actor, Event, Result
from snapbase.finding import Attack, Delta, Finding, Grantee, Severity, Subject, SubjectType
from snapbase.model import Principal, PrincipalKind

BEFORE = datetime(2026, 3, 1, 9, tzinfo=UTC)
AFTER = BEFORE + timedelta(hours=6)
ACCOUNT, REGION = "111122223333", "eu-west-1"
SNAP = f"arn:aws:ec2:{REGION}::snapshot/snap-1"
NIGHT = f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:night"
THIEF = Principal(PrincipalKind.ACCOUNT, "999988887777")
PUBLIC = Principal(PrincipalKind.PUBLIC, "all")


def event(action: str, *subjects: str, minutes: int = 60, **more: Any) -> Event:
    given = {
        "cloud": "aws",
        "id": f"{action}-{minutes}",
        "at": BEFORE + timedelta(minutes=minutes),
        "name": f"ec2:{action}",
        "action": action,
        "actor": Actor("arn:mallory"),
        "account": ACCOUNT,
        "region": REGION,
        "source_ip": "203.0.113.9",
        "subjects": subjects,
    }
    return Event(**{**given, **more})


def finding(change: str, uid: str = SNAP, who: Principal | None = None, **subject: Any) -> Finding:
    given = {"type": SubjectType.SNAPSHOT, "uid": uid, "address": uid.partition("@")[0], **subject}
    return Finding(
        id="f",
        rule="r",
        severity=Severity.HIGH,
        title="t",
        cloud="aws",
        account=ACCOUNT,
        location=REGION,
        kind="aws.ec2.snapshot",
        subject=Subject(**given),
        entry="e",
        grantee=Grantee(who, "unknown") if who else None,
        change=Delta(change),
        attack=Attack((), ()),
    )


def told(one: Finding, *events: Event, **more: Any) -> list[tuple[str, str]]:
    """Event ids and certainties."""
    (explained,) = attribute([one], events, **{"since": BEFORE, "until": AFTER, **more})
    return [(each.event_id, each.certainty) for each in explained.attribution]


SHARE = event(Action.SHARE, SNAP, targets=(THIEF,))


@pytest.mark.parametrize(
    ("one", "what", "certainty"),
    [
        (finding("grant-added", who=THIEF), SHARE, "exact"),
        (finding("grant-added", who=PUBLIC), replace(SHARE, targets=(Principal(PrincipalKind.PUBLIC, "*"),)), "exact"),
        (finding("grant-added", who=PUBLIC), SHARE, None),
        (finding("grant-added", who=THIEF), replace(SHARE, targets=(PUBLIC,)), None),
        (finding("grant-added", who=THIEF), replace(SHARE, targets=()), "window"),
        (finding("grant-added", who=THIEF), replace(SHARE, action=Action.UNSHARE), None),
        (finding("grant-added", who=THIEF), event(Action.POLICY, SNAP, targets=(THIEF,)), "exact"),
        (finding("grant-added", who=THIEF), event(Action.POLICY, SNAP, targets=(PUBLIC,)), None),
        (finding("grant-added", who=THIEF), event(Action.POLICY, SNAP), "window"),
        (finding("grant-removed", who=THIEF), replace(SHARE, action=Action.UNSHARE), "exact"),
        (finding("grant-removed", who=THIEF), event(Action.UNSHARE, SNAP), "exact"),
        (finding("grant-removed", who=THIEF), event(Action.UNSHARE, SNAP, targets=(PUBLIC,)), None),
        (finding("grant-removed", who=THIEF), event(Action.POLICY, SNAP, targets=(PUBLIC,)), "window"),
        (finding("grant-removed", who=THIEF), event(Action.POLICY, SNAP, targets=(THIEF,)), None),
        (finding("appeared"), event(Action.CREATE, SNAP, made=SNAP), "exact"),
        (finding("appeared"), event(Action.COPY, "x", SNAP, made=SNAP), "exact"),
        (finding("appeared"), event(Action.COPY, SNAP, "x", made="x"), None),
        (finding("appeared"), event(Action.RECYCLE, SNAP), "exact"),
        (finding("appeared"), event(Action.DELETE, SNAP), None),
        (finding("appeared", f"{SNAP}@recycled:1"), event(Action.DELETE, SNAP), "exact"),
        (
            finding("appeared", f"{SNAP}/exports", address=SNAP),
            event(Action.EXPORT, SNAP, made=f"{SNAP}/exports"),
            "exact",
        ),
        (finding("disappeared"), event(Action.DELETE, SNAP), "exact"),
        (finding("disappeared"), event(Action.INHIBIT, SNAP), "window"),
        (
            finding("disappeared", f"{SNAP}/lock", address=SNAP, type=SubjectType.GUARDRAIL),
            event(Action.INHIBIT, SNAP, f"{SNAP}/lock"),
            "exact",
        ),
        (
            finding("disappeared", f"{SNAP}/lock", address=SNAP, type=SubjectType.GUARDRAIL),
            event(Action.DELETE, SNAP),
            "window",
        ),
        (finding("disappeared"), event(Action.CREATE, SNAP, made=SNAP), None),
        (finding("disappeared", f"{SNAP}@recycled:1"), event(Action.RECYCLE, SNAP), "exact"),
        (
            finding("disappeared", f"{NIGHT}@2026", source="orders"),
            event(Action.INHIBIT, "orders", name="rds:DeleteDBInstance"),
            "window",
        ),
        (finding("disappeared", f"{NIGHT}@2026", source="orders"), event(Action.INHIBIT, "orders", name="fsx:X"), None),
        (finding("disappeared", f"{NIGHT}@2026"), event(Action.DELETE, NIGHT), "exact"),
        (finding("modified"), event(Action.MODIFY, SNAP), "exact"),
        (finding("modified"), event(Action.SHARE, SNAP), "window"),
        (finding("modified"), event(Action.CREATE, SNAP, made=SNAP), None),
        (finding("grant-worse", who=THIEF), event(Action.POLICY, SNAP), "window"),
        (finding("coverage-lost"), event(Action.POLICY, SNAP), None),
        (finding("sharing-unread"), SHARE, None),
        # Names that calls use where an ARN ends in something they do not know.
        (
            finding("disappeared", f"arn:aws:lightsail:{REGION}:{ACCOUNT}:DiskSnapshot/0a1b", name="blog"),
            event(Action.DELETE, f"arn:aws:lightsail:{REGION}:{ACCOUNT}:DiskSnapshot/blog"),
            "exact",
        ),
        (
            finding("grant-added", f"arn:aws:redshift:{REGION}:{ACCOUNT}:snapshot:house/night@1", THIEF),
            event(Action.SHARE, f"arn:aws:redshift:{REGION}:{ACCOUNT}:snapshot:night", targets=(THIEF,)),
            "exact",
        ),
        (
            finding("grant-added", f"arn:aws:redshift:{REGION}:{ACCOUNT}:snapshot:house/night@1", THIEF),
            event(Action.SHARE, f"arn:aws:redshift:{REGION}:{ACCOUNT}:snapshot:other/night", targets=(THIEF,)),
            None,
        ),
    ],
)
def test_certainty(one: Finding, what: Event, certainty: str | None) -> None:
    assert told(one, what) == ([(what.id, certainty)] if certainty else [])
    assert certainty is None or set(names(one)) & {*what.subjects, what.made}


@pytest.mark.parametrize(
    "what",
    [
        replace(SHARE, at=AFTER + timedelta(seconds=1)),
        replace(SHARE, at=BEFORE - SKEW - timedelta(seconds=1)),
        replace(SHARE, subjects=(f"{SNAP}0",)),
        replace(SHARE, subjects=()),
        replace(SHARE, account="000000000001"),
        replace(SHARE, cloud="gcp"),
        *(replace(SHARE, result=each) for each in (Result.DENIED, Result.FAILED, Result.DRY_RUN)),
        *(replace(SHARE, action=each) for each in (Action.ENUMERATE, Action.READ_BLOCKS, Action.RESTORE, Action.MOUNT)),
    ],
)
def test_foreign_later_failed_and_idle_events_never_match(what: Event) -> None:
    assert told(finding("grant-added", who=THIEF), what) == []


def test_the_newest_of_the_most_certain_wins() -> None:
    older, newer = (event(Action.SHARE, SNAP, minutes=each, targets=(THIEF,)) for each in (10, 20))
    window = event(Action.MODIFY, SNAP, minutes=50)

    for order in ((older, newer, window), (window, newer, older)):
        assert told(finding("grant-added", who=THIEF), *order) == [(newer.id, "exact")]
    assert told(finding("grant-added", who=THIEF), window) == [(window.id, "window")]


def test_a_replacement_has_its_end_and_its_beginning() -> None:
    ended, made = event(Action.DELETE, NIGHT, minutes=10), event(Action.CREATE, NIGHT, minutes=20, made=NIGHT)

    assert told(finding("replaced", f"{NIGHT}@2"), ended, made) == [(made.id, "exact"), (ended.id, "exact")]


def test_a_guardrail_that_fell_explains_what_stood_behind_it() -> None:
    settings = f"arn:aws:ec2:{REGION}:{ACCOUNT}:region-settings"
    fell = event(Action.POLICY, settings)

    assert told(finding("grant-worse", who=PUBLIC), fell) == []
    assert told(finding("grant-worse", who=PUBLIC), fell, guards={SNAP: [settings]}) == [(fell.id, "window")]


def test_a_key_that_was_destroyed_did_not_make_a_share_work() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/backup"
    opened, destroyed = event(Action.POLICY, key, minutes=10), event(Action.INHIBIT, key, minutes=20)

    one = finding("grant-worse", who=THIEF)
    assert told(one, opened, destroyed, guards={SNAP: [key]}) == [(opened.id, "window")]
    assert told(one, destroyed, guards={SNAP: [key]}) == []
    assert told(one, event(Action.INHIBIT, SNAP)) == []


def test_azure_ids_in_any_case() -> None:
    address = "/subscriptions/S/resourceGroups/R/providers/Microsoft.Compute/snapshots/one"
    one = replace(finding("disappeared", address), cloud="azure")

    assert told(one, event(Action.DELETE, address.upper(), cloud="azure")) == [("delete-60", "exact")]


def test_what_is_known_already_stays() -> None:
    (first,) = attribute([finding("grant-added", who=THIEF)], [SHARE], since=BEFORE, until=AFTER)
    (again,) = attribute([first], [replace(SHARE, id="other")], since=BEFORE, until=AFTER)

    assert [each.event_id for each in again.attribution] == [SHARE.id]
    assert first.attribution[0].actor == "arn:mallory"
    assert first.attribution[0].source_ip == "203.0.113.9"


@given(
    st.lists(
        st.builds(
            event,
            st.sampled_from(list(Action)),
            st.sampled_from([SNAP, NIGHT, "orders", ""]),
            minutes=st.integers(-60, 600),
            result=st.sampled_from(list(Result)),
            account=st.sampled_from([ACCOUNT, "000000000001", ""]),
            targets=st.sampled_from([(), (THIEF,), (PUBLIC,)]),
            made=st.sampled_from(["", SNAP, NIGHT]),
        ),
        max_size=12,
    ),
    st.sampled_from(["appeared", "disappeared", "replaced", "modified", "grant-added", "grant-removed", "nonsense"]),
    st.sampled_from([THIEF, PUBLIC, None]),
)
def test_whatever_matches_could_have_been_it(events: list[Event], change: str, who: Principal | None) -> None:
    events = [replace(each, id=str(n)) for n, each in enumerate(events)]
    one = finding(change, who=who, source="orders")

    (explained,) = attribute([one], events, since=BEFORE, until=AFTER)

    for each in explained.attribution:
        was = events[int(each.event_id)]
        assert BEFORE - SKEW <= was.at <= AFTER
        assert was.result in (Result.SUCCEEDED, Result.STARTED)
        assert was.account in (ACCOUNT, "")
        assert SNAP in (*was.subjects, was.made) or each.certainty == "window"
        assert change != "grant-added" or each.certainty != "exact" or who is not None
    assert attribute([one], reversed(events), since=BEFORE, until=AFTER) == (explained,)
