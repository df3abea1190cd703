"""What an approved cohort may hide, and what it never may."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapbase.model import (
    Access,
    Approval,
    Grant,
    Limits,
    Miss,
    Principal,
    PrincipalKind,
    Resource,
    ResourceType,
    Scope,
    State,
)
from snapbase.rotation.cohort import Approved, Cohort, PolicyNow, by_name, place_of, policy_of
from snapbase.rotation.origin import Evidence, origins_of
from snapbase.rotation.rhythm import History, Proposal, digest_of
from snapbase.rotation.verdict import Around, Fate, Invariant, Jury, Passage, Verdict, judge

NOW = datetime(2026, 11, 25, 6, tzinfo=UTC)
DAY = timedelta(days=1)
HERE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
POLICY = "dlm:policy-1"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/backup"
STRANGER = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), Access.READ, "ec2:createVolumePermission")
TAGS = {"aws:dlm:lifecycle-policy-id": "policy-1", "aws:dlm:lifecycle-schedule-name": "Daily"}


def snapshot(number: int, made: datetime, source: str = "vol-1", **fields: Any) -> Resource:
    return Resource(
        **{
            "uid": f"snap-{number}",
            "address": f"arn:aws:ec2:eu-west-1::snapshot/snap-{number}",
            "created_at": made,
            "source": source,
            "origin": POLICY,
            "encrypted": True,
            "key": KEY,
            "attributes": {"state": "completed", "storage_tier": "standard", "size_gib": 8},
            "tags": TAGS,
            **fields,
        }
    )


def passage(
    resource: Resource,
    *grants: Grant,
    scope: Scope = HERE,
    came: bool = True,
    went_at: datetime | None = None,
    miss: Miss | None = None,
) -> Passage:
    state = State(scope, resource, frozenset(grants), miss)
    return Passage(1, state, came, not came, went_at, run=2, bare=not grants and miss is None)


def past(*sources: str, keep: int = 14, gone: int = 5, **fields: Any) -> Iterator[Passage]:
    """A month of one point a day of each source; the oldest were deleted on time."""
    number = 0
    for source in sources or ("vol-1", "vol-2"):
        for back in range(keep + gone, 0, -1):
            number += 1
            made = NOW - back * DAY
            went = made + keep * DAY if back > keep else None
            yield passage(snapshot(number, made, source, **fields), came=False, went_at=went)


def proposal(found: Iterator[Passage], policies: tuple[State, ...] = ()) -> Proposal:
    history = History()
    for each in found:
        history.add(each)
    (only,) = history.proposals(NOW, policies)
    return only


COHORT = proposal(past()).cohort
SAID = Approval("ada", NOW, "reviewed")
JURY = Jury({POLICY: Approved(COHORT, SAID)})
NEW = passage(snapshot(99, NOW))
OLD = passage(snapshot(98, NOW - 14 * DAY), came=False, went_at=NOW)
AROUND = Around(gap=DAY, points=14)


def test_what_the_history_shows_is_what_is_proposed() -> None:
    (rhythm,) = COHORT.series[place_of(NEW.state)].values()

    assert COHORT.evidence == Evidence.RESERVED
    assert COHORT.grants == frozenset()
    assert (COHORT.keys, COHORT.sources) == (frozenset({KEY}), frozenset({"vol-1", "vol-2"}))
    assert (rhythm.keep, rhythm.low, rhythm.high, rhythm.points) == (14 * 24, 86400, 86400, 14)


@pytest.mark.parametrize("each", [NEW, OLD])
def test_one_that_fits_is_expected(each: Passage) -> None:
    assert judge(each, JURY, AROUND) == Verdict(Fate.EXPECTED, POLICY)


@pytest.mark.parametrize(
    ("resource", "scope", "around", "broken"),
    [
        (snapshot(1, NOW, "vol-9"), HERE, AROUND, Invariant.SOURCE),
        (snapshot(1, NOW), replace(HERE, location="ap-south-1"), AROUND, Invariant.REGION),
        (snapshot(1, NOW), replace(HERE, account="1"), AROUND, Invariant.ACCOUNT),
        (snapshot(1, NOW), replace(HERE, kind="aws.ec2.image"), AROUND, Invariant.KIND),
        (snapshot(1, NOW, key="theirs"), HERE, AROUND, Invariant.KEY),
        (snapshot(1, NOW, encrypted=False), HERE, AROUND, Invariant.ENCRYPTION),
        (snapshot(1, NOW, attributes={"storage_tier": "archive"}), HERE, AROUND, Invariant.POSTURE),
        (
            snapshot(1, NOW, attributes={"storage_tier": "standard", "network_access_policy": "AllowAll"}),
            HERE,
            AROUND,
            Invariant.POSTURE,
        ),
        (snapshot(1, NOW, limits=Limits(blocks=("public",))), HERE, AROUND, Invariant.POSTURE),
        (snapshot(1, NOW, tags={**TAGS, "aws:dlm:lifecycle-schedule-name": "x"}), HERE, AROUND, Invariant.RULE),
        (
            snapshot(1, NOW, attributes={"storage_tier": "standard", "vault": "theirs"}),
            HERE,
            AROUND,
            Invariant.DESTINATION,
        ),
        (snapshot(1, NOW), HERE, Around(gap=DAY / 2, points=14), Invariant.CADENCE),
        (snapshot(1, NOW), HERE, Around(gap=DAY, points=40), Invariant.COUNT),
    ],
)
def test_every_broken_invariant_is_named(resource: Resource, scope: Scope, around: Around, broken: Invariant) -> None:
    verdict = judge(passage(resource, scope=scope), JURY, around)

    assert verdict.fate == Fate.VIOLATED
    assert {each.invariant for each in verdict.broken} == {broken}


def test_a_place_approved_for_one_source_is_not_approved_for_another() -> None:
    america = replace(HERE, location="us-east-1")
    abroad = (replace(each, state=replace(each.state, scope=america)) for each in past("vol-2"))
    cohort = proposal(iter([*past("vol-1"), *abroad])).cohort
    verdict = judge(passage(snapshot(1, NOW, "vol-1"), scope=america), Jury({POLICY: Approved(cohort, SAID)}), AROUND)

    assert [each.invariant for each in verdict.broken] == [Invariant.REGION]


@pytest.mark.parametrize("age", [timedelta(hours=1), 2 * DAY, 12 * DAY])
def test_a_deletion_before_its_time_is_early(age: timedelta) -> None:
    gone = passage(snapshot(1, NOW - age), came=False, went_at=NOW)
    verdict = judge(gone, JURY, AROUND)

    assert [each.invariant for each in verdict.broken] == [Invariant.RETENTION]


def test_a_deletion_that_leaves_too_few_is_early() -> None:
    verdict = judge(OLD, JURY, Around(points=3))

    assert [each.invariant for each in verdict.broken] == [Invariant.RESTORE_POINTS]


def test_one_without_a_creation_time_is_never_old_enough() -> None:
    gone = replace(OLD, state=replace(OLD.state, resource=replace(OLD.state.resource, created_at=None)))

    assert judge(gone, JURY, AROUND).fate == Fate.VIOLATED


def test_sharing_that_was_not_read_is_not_unshared() -> None:
    for state in (
        replace(NEW.state, grants=None),
        replace(NEW.state, miss=Miss("denied", "ec2:DescribeSnapshotAttribute denied")),
    ):
        verdict = judge(replace(NEW, state=state), JURY, AROUND)

        assert [each.invariant for each in verdict.broken] == [Invariant.GRANTS]


def test_what_somebody_could_use_does_not_go_in_silence() -> None:
    gone = replace(OLD, state=replace(OLD.state, grants=frozenset({STRANGER})))

    assert judge(gone, JURY, AROUND).fate == Fate.UNCOVERED


def test_a_changed_policy_is_said_of_what_it_made_since() -> None:
    document = State(
        replace(HERE, kind="aws.dlm.policy"),
        Resource(
            uid="arn:aws:dlm:eu-west-1:1:policy/policy-1",
            address="arn:aws:dlm:eu-west-1:1:policy/policy-1",
            type=ResourceType.POLICY,
        ),
        frozenset(),
        None,
    )
    cohort = proposal(past(), (document,)).cohort
    shared = digest_of(replace(document, grants=frozenset({STRANGER})))

    def said(now: PolicyNow) -> list[Invariant]:
        verdict = judge(NEW, Jury({POLICY: Approved(cohort, SAID)}, {POLICY: now}), AROUND)
        return [each.invariant for each in verdict.broken]

    assert cohort.policy == digest_of(document) != shared
    assert said(PolicyNow(cohort.policy, 2)) == []
    assert said(PolicyNow(shared, 2)) == [Invariant.POLICY]
    assert said(PolicyNow(shared, 3)) == []
    assert said(PolicyNow("", 0)) == [Invariant.POLICY]


def test_a_policy_is_found_by_the_name_that_its_snapshots_give() -> None:
    def policy(address: str) -> State:
        return State(HERE, Resource(uid=address, address=address, type=ResourceType.POLICY), frozenset(), None)

    schedule = "//compute.googleapis.com/projects/p/regions/r/resourcePolicies/nightly"
    dlm, gcp = policy("arn:aws:dlm:eu-west-1:1:policy/policy-1"), policy(schedule)

    assert policy_of("dlm:policy-1", by_name([dlm, gcp])) == dlm
    assert policy_of(f"schedule:{schedule}", by_name([dlm, gcp])) == gcp
    assert policy_of("dlm:policy-1", by_name([dlm, dlm])) is None
    assert policy_of("dlm:policy-2", by_name([dlm, gcp])) is None


@pytest.mark.parametrize(
    ("scope", "fields", "evidence"),
    [
        (HERE, {}, Evidence.RESERVED),
        (HERE, {"origin": "aws-backup"}, Evidence.RESERVED),
        (replace(HERE, kind="aws.rds.snapshot"), {"origin": "aws-backup", "attributes": {"type": "awsbackup"}},
         Evidence.FIELD),
        (replace(HERE, kind="aws.rds.snapshot"), {"origin": "rds-automated"}, Evidence.FIELD),
        (replace(HERE, cloud="gcp"), {"origin": "schedule://x"}, Evidence.FIELD),
        (replace(HERE, cloud="azure"),
         {"origin": None, "attributes": {"created_by_type": "Application"}, "facts": {"created_by": "app-1"}},
         Evidence.FIELD),
        (HERE, {"origin": None, "tags": {"Velero.io/schedule-name": "nightly"}}, Evidence.TAG),
        (HERE, {"origin": None, "tags": {}, "name": "nightly-20261125"}, Evidence.NAME),
        (replace(HERE, cloud="azure"),
         {"origin": None, "tags": {}, "address": "/subscriptions/s/resourceGroups/AzureBackupRG_weu_1/x"},
         Evidence.NAME),
        (HERE, {"origin": None, "tags": {}, "name": "7"}, Evidence.NONE),
        (HERE, {"origin": "recycle-bin"}, Evidence.NONE),
        (HERE, {"type": ResourceType.POLICY}, Evidence.NONE),
    ],
)  # fmt: skip
def test_only_the_strongest_evidence_counts(scope: Scope, fields: dict[str, Any], evidence: Evidence) -> None:
    found = origins_of(scope, snapshot(1, NOW, **fields))

    assert {each.evidence for each in found} == ({evidence} - {Evidence.NONE})


def test_an_audit_actor_stands_between_a_field_and_a_tag() -> None:
    plain = snapshot(1, NOW, origin=None, tags={"dlm:managed": "true"})

    assert [each.evidence for each in origins_of(HERE, plain, actor="backup.amazonaws.com")] == [Evidence.ACTOR]
    assert [each.evidence for each in origins_of(HERE, snapshot(1, NOW), actor="x")] == [Evidence.RESERVED]


def test_weak_evidence_counts_only_as_low_trust() -> None:
    weak: dict[str, Any] = {"origin": None, "tags": {"pipeline": "ci"}}
    cohort = proposal(past(**weak)).cohort
    new = passage(snapshot(99, NOW, **weak))

    assert judge(new, Jury({cohort.origin: Approved(cohort, SAID)}), AROUND).fate == Fate.UNCOVERED
    assert judge(new, Jury({cohort.origin: Approved(cohort, SAID, low_trust=True)}), AROUND).fate == Fate.EXPECTED


def test_a_tag_set_before_it_went_lets_nothing_go() -> None:
    weak: dict[str, Any] = {"origin": None, "tags": {"pipeline": "ci"}}
    cohort = proposal(past(**weak)).cohort
    jury = Jury({cohort.origin: Approved(cohort, SAID, low_trust=True)})
    gone = passage(snapshot(98, NOW - 14 * DAY, **weak), came=False, went_at=NOW)

    assert judge(gone, jury, AROUND).fate == Fate.EXPECTED
    assert judge(replace(gone, changed=True), jury, AROUND).fate == Fate.UNCOVERED


def test_one_that_fits_two_cohorts_fits_none() -> None:
    weak: dict[str, Any] = {"origin": None, "tags": {"pipeline": "ci", "managed-by": "me"}}
    history = History()
    for each in past(**weak):
        history.add(each)
    found = {each.cohort.origin: Approved(each.cohort, SAID, low_trust=True) for each in history.proposals(NOW, ())}

    assert len(found) == 2
    assert judge(passage(snapshot(99, NOW, **weak)), Jury(found), AROUND).fate == Fate.UNCOVERED


def test_rare_values_are_shown_to_whoever_approves() -> None:
    odd = passage(snapshot(500, NOW, key="theirs"), came=False)

    assert ("key", "theirs", 1) in proposal(iter([*past(), odd])).rare


def test_young_sources_are_judged_by_what_the_others_show() -> None:
    young = (each for each in past("vol-3", gone=0) if each.state.resource.created_at > NOW - 4 * DAY)  # type: ignore[operator]
    cohort = proposal(iter([*past("vol-1", "vol-2"), *young])).cohort
    (rhythm,) = cohort.series[place_of(passage(snapshot(1, NOW, "vol-3")).state)].values()

    assert (rhythm.keep, rhythm.low) == (14 * 24, 86400)
    assert rhythm.most >= 14


_grants = st.builds(
    Grant,
    st.builds(Principal, st.sampled_from(list(PrincipalKind)), st.text(min_size=1, max_size=5)),
    st.sampled_from(list(Access)),
    st.just("ec2:createVolumePermission"),
)


@given(st.frozensets(_grants, min_size=1), st.booleans(), st.booleans())
def test_no_share_is_ever_silent(grants: frozenset[Grant], came: bool, goes: bool) -> None:
    made = NOW - 14 * DAY if goes else NOW
    each = passage(snapshot(1, made), *grants, came=came, went_at=NOW if goes else None)

    assert judge(each, JURY, AROUND).fate != Fate.EXPECTED


_values = {
    "source": st.sampled_from(["vol-1", "vol-2", "vol-9", None]),
    "key": st.sampled_from([KEY, "theirs", None]),
    "encrypted": st.sampled_from([True, False, None]),
    "origin": st.sampled_from([POLICY, "dlm:policy-2", "aws-backup", None]),
    "attributes": st.dictionaries(
        st.sampled_from(["storage_tier", "network_access_policy", "immutability", "vault"]),
        st.sampled_from(["standard", "archive", "AllowAll"]),
    ),
    "limits": st.sampled_from([None, Limits(blocks=("account",))]),
}


@given(
    st.fixed_dictionaries(_values),
    st.sampled_from([HERE, replace(HERE, location="x"), replace(HERE, account="x"), replace(HERE, kind="x")]),
    st.integers(0, 20),
    st.integers(0, 30),
    st.one_of(st.none(), st.integers(0, 20)),
)
def test_one_outside_any_invariant_is_never_silent(
    fields: dict[str, Any], scope: Scope, gap: int, points: int, age: int | None
) -> None:
    made = NOW if age is None else NOW - age * DAY
    each = passage(snapshot(1, made, **fields), scope=scope, came=age is None, went_at=None if age is None else NOW)
    fits = (
        fields == {**fields, "key": KEY, "encrypted": True, "origin": POLICY, "limits": None}
        and fields["attributes"] == {"storage_tier": "standard"}
        and fields["source"] in ("vol-1", "vol-2")
        and scope == HERE
        and (age is not None or (gap >= 15 and points <= 17))
        and (age is None or (age >= 13 and points >= 7))
    )

    expected = judge(each, JURY, Around(timedelta(hours=gap), points)).fate == Fate.EXPECTED

    assert expected == fits


@given(st.integers(1, 40), st.integers(1, 48), st.integers(0, 30))
def test_a_cohort_expects_its_own_history(keep: int, hours: int, gone: int) -> None:
    """Whatever the rhythm: what went on time is expected to go, and half as old is not."""
    span = timedelta(hours=hours)
    found = []
    for number in range(keep + gone):
        made = NOW - (keep + gone - number) * span
        went = made + keep * span if made + keep * span <= NOW else None
        found.append(passage(snapshot(number, made), came=False, went_at=went))
    history = History()
    for each in found:
        history.add(each)
    for cohort in (each.cohort for each in history.proposals(NOW, ())):
        jury = Jury({POLICY: Approved(cohort, SAID)})
        last = passage(snapshot(999, NOW - keep * span), came=False, went_at=NOW)
        young = passage(snapshot(999, NOW - keep * span / 3), came=False, went_at=NOW)

        if gone > 3:
            assert judge(last, jury, Around(points=keep)).fate == Fate.EXPECTED
            assert judge(young, jury, Around(points=keep)).fate == Fate.VIOLATED


def test_cohorts_are_values() -> None:
    assert isinstance(COHORT, Cohort)
    assert proposal(past()).cohort == COHORT
