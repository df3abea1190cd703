"""Entry by entry: what differs from what was approved, and what may never be called new, gone or safe."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from snapbase.diff import (
    PRESENCE,
    WHOLE,
    Candidate,
    Change,
    ChangeType,
    PinnedState,
    compare,
    compare_coverage,
    compare_trust,
    grant_entry,
    scope_subject,
)
from snapbase.exposure import Sides, View
from snapbase.model import (
    Access,
    Approval,
    Coverage,
    Grant,
    Limits,
    Miss,
    Pin,
    Principal,
    PrincipalKind,
    Resource,
    Scope,
    State,
)
from snapbase.trust import TrustedEntry, TrustList

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SCOPE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
SHARE = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), Access.READ, "ec2:createVolumePermission")
OTHER = Grant(Principal(PrincipalKind.PUBLIC, "all"), Access.READ, "ec2:createVolumePermission")
TRUST = TrustList(own=frozenset({"111122223333"}))
SIDES = Sides(View(TRUST), View(TRUST), {}, NOW - timedelta(days=1), NOW)


def _state(*grants: Grant, uid: str = "snap-1", miss: Miss | None = None, **fields: object) -> State:
    resource = Resource(**{"uid": uid, "address": uid, **fields})  # type: ignore[arg-type]
    return State(SCOPE, resource, frozenset(grants), miss)


def _candidate(before: State | None, after: State | None, *pins: PinnedState, known: bool = True) -> Candidate:
    uid = next(state.resource.uid for state in (before, after) if state)
    return Candidate(SCOPE, uid, before, after, known, pins)


def _pin(entry: str, state: State | None, *, until: datetime | None = None, trust_id: int | None = None) -> PinnedState:
    approval = Approval("ada", NOW - timedelta(hours=1), "fine", until=until)
    return PinnedState(Pin("snap-1", entry, 1, trust_id, approval), state, absence_known=True)


def _types(*candidates: Candidate, sides: Sides = SIDES) -> list[ChangeType]:
    return [change.type for change in compare(candidates, sides)]


def _only(candidate: Candidate, sides: Sides = SIDES) -> Change:
    (change,) = compare([candidate], sides)
    return change


def test_nothing_differs() -> None:
    assert _types(_candidate(_state(SHARE), _state(SHARE))) == []


def test_new_is_a_fact_only_where_absence_was_one() -> None:
    assert _types(_candidate(None, _state())) == [ChangeType.APPEARED]
    assert _types(_candidate(None, _state(), known=False)) == []


def test_exposure_is_listed_even_where_presence_is_folded() -> None:
    change = _only(_candidate(None, _state(SHARE), known=False))

    assert (change.type, change.initial) == (ChangeType.GRANT_ADDED, True)


def test_what_is_public_by_its_list_is_listed_though_it_is_folded_and_nobody_s_grants_were_read() -> None:
    unread = replace(_state(attributes={"public": True, "live_sas": False}), grants=None)

    change = _only(_candidate(None, unread, known=False))

    assert (change.type, change.entry, change.now, change.initial) == (ChangeType.MODIFIED, "attr:public", True, True)
    assert _types(_candidate(None, unread, _pin("attr:public", unread), known=False)) == []
    assert _types(_candidate(None, _state(attributes={"public": True}), known=False)) == []


def test_a_new_snapshot_lists_its_shares_too() -> None:
    assert sorted(_types(_candidate(None, _state(SHARE)))) == [ChangeType.APPEARED, ChangeType.GRANT_ADDED]


def test_gone_is_one_change_whatever_it_was_shared_with() -> None:
    assert _types(_candidate(_state(SHARE, OTHER), None)) == [ChangeType.DISAPPEARED]


def test_the_same_address_with_another_uid_is_a_replacement() -> None:
    old = _state(uid="arn@2026-01-01", address="arn")
    new = _state(uid="arn@2026-11-25", address="arn")

    (change,) = compare([_candidate(old, None), _candidate(None, new)], SIDES)

    assert change.type == ChangeType.REPLACED
    assert change.covers == (("arn@2026-11-25", PRESENCE), ("arn@2026-01-01", WHOLE))


def test_two_that_went_from_one_address_are_both_gone() -> None:
    one, other, new = (_state(uid=f"arn@{number}", address="arn") for number in range(3))

    assert _types(_candidate(one, None), _candidate(other, None)) == [ChangeType.DISAPPEARED] * 2
    replaced = _types(_candidate(one, None), _candidate(other, None), _candidate(None, new))
    assert sorted(replaced) == [ChangeType.DISAPPEARED, ChangeType.REPLACED]


def test_each_attribute_is_an_entry_of_its_own() -> None:
    before = _state(attributes={"tier": "standard", "size": 1}, tags={"a": "b"})
    after = _state(attributes={"tier": "archive", "size": 1}, tags={"a": "c"})

    changes = list(compare([_candidate(before, after)], SIDES))

    assert [(c.entry, c.was, c.now) for c in changes] == [
        ("attr:tags", {"a": "b"}, {"a": "c"}),
        ("attr:tier", "standard", "archive"),
    ]


def test_grants_added_removed_and_on_other_terms() -> None:
    limited = replace(SHARE, expires_at=NOW + timedelta(days=9))

    assert _types(_candidate(_state(), _state(SHARE))) == [ChangeType.GRANT_ADDED]
    assert _types(_candidate(_state(SHARE), _state())) == [ChangeType.GRANT_REMOVED]
    assert _types(_candidate(_state(limited), _state(SHARE))) == [ChangeType.GRANT_CHANGED]


def test_a_share_that_was_never_readable_before_is_news_when_it_is_read() -> None:
    before = replace(_state(), grants=None, miss=Miss("denied", "x"))

    assert _types(_candidate(before, _state(SHARE))) == [ChangeType.GRANT_ADDED]


def test_unreadable_sharing_is_said_once_and_not_again() -> None:
    unread = _state(SHARE, miss=Miss("denied", "ec2:DescribeSnapshotAttribute denied"))

    assert _types(_candidate(_state(SHARE), unread)) == [ChangeType.SHARING_UNREAD]
    assert _types(_candidate(unread, unread)) == []


def test_a_share_gets_worse_when_its_holder_is_trusted_less() -> None:
    member = TrustList(own=TRUST.own, members=frozenset({"999988887777"}))
    left = TrustList(own=TRUST.own, former=frozenset({"999988887777"}))
    sides = replace(SIDES, before=View(member), after=View(left))

    assert _types(_candidate(_state(SHARE), _state(SHARE)), sides=sides) == [ChangeType.GRANT_WORSE]
    better = replace(SIDES, before=View(left), after=View(member))
    assert _types(_candidate(_state(SHARE), _state(SHARE)), sides=better) == []


def test_a_share_gets_worse_when_a_guardrail_falls() -> None:
    def settings(*blocks: str) -> dict[str, State]:
        return {"settings": _state(uid="settings", limits=Limits(blocks=blocks))}

    public = _candidate(_state(OTHER, guards=("settings",)), _state(OTHER, guards=("settings",)))
    sides = replace(SIDES, before=View(TRUST, settings("public")), after=View(TRUST, settings()))

    assert _types(public, sides=sides) == [ChangeType.GRANT_WORSE]
    assert _types(public, sides=replace(sides, before=sides.after, after=sides.before)) == []


def test_a_pinned_value_is_approved_and_another_value_is_not() -> None:
    after = _state(SHARE)
    approved = _pin(grant_entry(SHARE), after)

    assert _types(_candidate(_state(), after, approved)) == []
    on_other_terms = _state(replace(SHARE, condition="x"))
    assert _types(_candidate(_state(), on_other_terms, approved)) == [ChangeType.GRANT_CHANGED]


def test_an_ended_pin_falls_back_and_says_who_let_it_through() -> None:
    ended = _pin(grant_entry(SHARE), _state(SHARE), until=NOW - timedelta(minutes=1))

    change = _only(_candidate(_state(), _state(SHARE), ended))

    assert change.type == ChangeType.GRANT_ADDED
    assert change.ended is not None
    assert change.ended.by == "ada"


def test_a_pin_on_presence_covers_the_thing_and_never_who_may_use_it() -> None:
    after = _state(SHARE, attributes={"tier": "archive"})

    assert _types(_candidate(None, after, _pin(PRESENCE, after))) == [ChangeType.GRANT_ADDED]
    assert _types(_candidate(None, after, _pin(WHOLE, after))) == []


def test_a_held_pin_keeps_the_older_value() -> None:
    held = _pin(grant_entry(SHARE), None)

    assert _types(_candidate(_state(SHARE), _state(SHARE), held)) == [ChangeType.GRANT_ADDED]


def test_a_deletion_that_was_approved_stays_approved_until_it_is_back() -> None:
    gone = _pin(PRESENCE, None)

    assert _types(_candidate(_state(), None, gone)) == []
    assert _types(_candidate(_state(), _state(), gone)) == [ChangeType.APPEARED]


def test_a_pin_is_judged_under_the_trust_list_it_was_approved_under() -> None:
    unknown_then = _pin(grant_entry(SHARE), _state(SHARE), trust_id=7)
    member = TrustList(own=TRUST.own, members=frozenset({"999988887777"}))
    sides = replace(SIDES, before=View(member), pinned={7: TRUST})

    assert _types(_candidate(_state(SHARE), _state(SHARE), unknown_then), sides=sides) == []
    assert _types(_candidate(_state(SHARE), _state(SHARE)), sides=sides) == [ChangeType.GRANT_WORSE]


def test_coverage_is_lost_only_where_it_was_complete() -> None:
    complete, denied = Coverage(SCOPE, "list", "complete"), Coverage(SCOPE, "list", "denied", "no")
    key = (SCOPE, "list")

    (change,) = compare_coverage({key: complete}, {key: denied}, [], at=NOW)

    assert (change.type, change.now) == (ChangeType.COVERAGE_LOST, "denied: no")
    assert not list(compare_coverage({}, {key: denied}, [], at=NOW))
    assert not list(compare_coverage({key: denied}, {key: denied}, [], at=NOW))
    pin = Pin(scope_subject(SCOPE), "coverage:list", 1, None, Approval("ada", NOW, "known"))
    assert not list(compare_coverage({key: complete}, {key: denied}, [(pin, denied)], at=NOW))


def test_a_widened_trust_list_is_a_finding_until_it_is_approved() -> None:
    wider = TrustList(entries=(TrustedEntry("777788889999", "Acme", "backups"),))

    (change,) = compare_trust(TrustList(), wider, {})

    assert change.uid == "trust:account:777788889999"
    assert not list(compare_trust(TrustList(), wider, {change.uid: wider}))
