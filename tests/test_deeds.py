"""Who made a snapshot and who deleted it, by audit logs: what bears a claim out, and what speaks against it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.rotation.cohort import Approved, Cohort
from snapbase.rotation.deeds import UNTOLD, Deeds, Doer, deeds_of
from snapbase.rotation.origin import Evidence, origins_of
from snapbase.rotation.rhythm import History, Proposal
from snapbase.rotation.verdict import Around, Broken, Fate, Invariant, Jury, judge
from tests.test_cohort import COHORT, DAY, HERE, JURY, NEW, NOW, OLD, POLICY, SAID, passage, past, snapshot

DLM = Actor("arn:aws:sts::1:assumed-role/backup/dlm", ActorKind.SERVICE, "arn:aws:iam::1:role/backup",
            "dlm.amazonaws.com")  # fmt: skip
LINKED = Actor("x", ActorKind.SERVICE, "arn:aws:iam::1:role/aws-service-role/backup.amazonaws.com/AWSServiceRoleFor")
ADA = Actor("arn:aws:iam::1:user/ada", ActorKind.HUMAN)
BUILD = Actor("arn:aws:sts::1:assumed-role/ci-build/7", ActorKind.ROLE, "arn:aws:iam::1:role/ci-build")
TAGGED: dict[str, Any] = {"origin": None, "tags": {"pipeline": "ci"}}
BY_DLM, BY_BUILD, BY_ADA = Doer("dlm.amazonaws.com", by_itself=True), Doer(BUILD.issuer), Doer(ADA.id, is_person=True)
BY_THIEF = Doer("arn:aws:iam::1:role/stolen")


def event(actor: Actor, action: Action, back: timedelta = timedelta(), **fields: Any) -> Event:
    name = f"ec2:{action}"
    return Event(cloud="aws", id=f"{actor.id}{back}", at=NOW - back, name=name, action=action, actor=actor, account="1",
                 **fields)  # fmt: skip


def told(*made: Event, others: Iterable[Event] = ()) -> Deeds:
    """Of a snapshot that was made a day ago and is gone now."""
    about = [*((each, True) for each in made), *((each, False) for each in others)]
    return deeds_of(snapshot(1, NOW - DAY), about, NOW)


@pytest.mark.parametrize(
    ("actor", "source_ip", "doer"),
    [
        (DLM, "", BY_DLM),
        (LINKED, "", Doer("backup.amazonaws.com", by_itself=True)),
        (BUILD, "dlm.amazonaws.com", BY_DLM),
        (BUILD, "192.0.2.1", BY_BUILD),
        (ADA, "dlm.amazonaws.com", BY_ADA),
        (Actor("a", ActorKind.SERVICE, "app", "Backup Management Service"), "",
         Doer("Backup Management Service", by_itself=True)),
        (Actor("s", ActorKind.SERVICE, "", "compute.googleapis.com"), "", Doer("compute.googleapis.com", True)),
        (Actor("s", ActorKind.SERVICE, "", "scheduler.amazonaws.com"), "", Doer("s")),
        (Actor("9", ActorKind.FOREIGN), "", Doer("9", is_person=True)),
        (Actor(""), "", None),
    ],
)  # fmt: skip
def test_a_service_by_itself_is_told_from_everybody_else(actor: Actor, source_ip: str, doer: Doer | None) -> None:
    assert told(event(actor, Action.CREATE, DAY, source_ip=source_ip)).maker == doer


@pytest.mark.parametrize(
    "other",
    [
        event(ADA, Action.CREATE, 3 * DAY),  # of one that had its name before
        event(ADA, Action.CREATE, timedelta(hours=2)),
        event(ADA, Action.CREATE, DAY, result=Result.DENIED),
        event(ADA, Action.SHARE, DAY),
    ],
)
def test_only_what_happened_when_it_was_made_made_it(other: Event) -> None:
    assert told(other) == UNTOLD
    assert told(event(DLM, Action.CREATE, DAY), other).maker == BY_DLM


def test_whoever_told_the_service_to_made_it() -> None:
    asked = event(ADA, Action.CREATE, DAY + timedelta(minutes=1), result=Result.STARTED)

    assert told(asked, event(LINKED, Action.CREATE, DAY)).maker == BY_ADA
    assert told(event(LINKED, Action.CREATE, DAY), asked).maker == BY_ADA


def test_everybody_who_deleted_it_is_told() -> None:
    ends = (event(DLM, Action.DELETE), event(ADA, Action.DELETE, timedelta(hours=1)))
    not_it = (
        event(BUILD, Action.DELETE, -DAY),
        event(BUILD, Action.DELETE, 2 * DAY),
        event(BUILD, Action.DELETE, result=Result.FAILED),
        event(BUILD, Action.MODIFY),
    )

    assert told(others=(*ends, *not_it)).deleters == (BY_DLM, BY_ADA)
    assert deeds_of(snapshot(1, NOW - DAY), [(each, False) for each in ends], None).deleters == ()


def test_a_log_bears_a_tag_out_and_its_name_stays() -> None:
    plain, unnamed = snapshot(1, NOW, **TAGGED), snapshot(1, NOW, origin=None, tags={})

    (claimed,), (proven,) = origins_of(HERE, plain), origins_of(HERE, plain, "dlm.amazonaws.com")
    (only,) = origins_of(HERE, unnamed, "dlm.amazonaws.com")

    assert (claimed.id, claimed.evidence, claimed.strong) == (proven.id, Evidence.TAG, False)
    assert (proven.evidence, proven.strong, proven.is_proof) == (Evidence.ACTOR, True, False)
    assert (only.id, only.evidence) == ("actor:aws.ec2.snapshot:dlm.amazonaws.com", Evidence.ACTOR)
    assert origins_of(HERE, unnamed) == ()


def derived(maker: Doer | None, *deleters: Doer, **fields: Any) -> Proposal:
    history = History()
    for each in past(**fields):
        history.add(each, Deeds(maker, deleters if each.went_at else ()))
    (only,) = history.proposals(NOW, ())
    return only


def ci(maker: Doer | None = BY_BUILD, *deleters: Doer) -> tuple[Cohort, Jury]:
    cohort = derived(maker, *deleters, **TAGGED).cohort
    return cohort, Jury({cohort.origin: Approved(cohort, SAID, low_trust=True)})


def broken(jury: Jury, each: Any, deeds: Deeds) -> list[Broken]:
    return list(judge(each, jury, Around(gap=DAY, points=14, deeds=deeds)).broken)


def test_a_forged_tag_does_not_get_the_cohort_s_silence() -> None:
    cohort, jury = ci()
    new = replace(NEW, state=replace(NEW.state, resource=snapshot(99, NOW, **TAGGED)))

    assert cohort.actors == {BY_BUILD.name}
    for stranger in (BY_THIEF, BY_ADA):
        assert broken(jury, new, Deeds(stranger)) == [Broken(Invariant.MAKER, stranger.name)]
    for maker in (BY_BUILD, BY_DLM, None):
        assert broken(jury, new, Deeds(maker)) == []


def test_where_no_log_told_at_the_approval_whoever_it_names_now_is_listed() -> None:
    cohort, jury = ci(None)
    new = replace(NEW, state=replace(NEW.state, resource=snapshot(99, NOW, **TAGGED)))

    assert cohort.actors == frozenset()
    assert broken(jury, new, UNTOLD) == []
    assert broken(jury, new, Deeds(BY_BUILD)) == [Broken(Invariant.MAKER, BY_BUILD.name)]


def test_evidence_is_that_of_the_weakest() -> None:
    assert derived(BY_DLM, **TAGGED).cohort.evidence == Evidence.ACTOR
    history = History()
    for number, each in enumerate(past(**TAGGED)):
        history.add(each, Deeds(BY_DLM if number else None))
    (mixed,) = history.proposals(NOW, ())

    assert mixed.cohort.evidence == Evidence.TAG


def test_one_approved_by_its_log_is_listed_where_the_log_is_silent() -> None:
    cohort = derived(BY_DLM, **TAGGED).cohort
    jury = Jury({cohort.origin: Approved(cohort, SAID)})
    new = replace(NEW, state=replace(NEW.state, resource=snapshot(99, NOW, **TAGGED)))

    assert judge(new, jury, Around(DAY, 14, Deeds(BY_DLM))).fate == Fate.EXPECTED
    assert judge(new, jury, Around(DAY, 14)).fate == Fate.UNCOVERED


@pytest.mark.parametrize("by", [BY_ADA, BY_THIEF])
def test_what_somebody_deleted_is_early_however_old(by: Doer) -> None:
    assert broken(JURY, OLD, Deeds(deleters=(by,))) == [Broken(Invariant.DELETER, by.name)]
    assert broken(JURY, OLD, Deeds(deleters=(BY_DLM, by))) == [Broken(Invariant.DELETER, by.name)]
    assert broken(JURY, OLD, Deeds(deleters=(BY_DLM,))) == broken(JURY, OLD, UNTOLD) == []


def test_the_role_that_a_service_works_with_is_known_and_no_person_is() -> None:
    assert derived(Doer("role/dlm")).cohort.actors == {"role/dlm"}
    assert derived(BY_ADA, BY_THIEF).cohort.actors == frozenset()
    assert COHORT.actors == frozenset()


def test_software_that_clears_what_software_made_is_known() -> None:
    cohort, jury = ci(BY_BUILD, Doer("role/ci-clean"), BY_ADA)
    old = replace(OLD, state=replace(OLD.state, resource=snapshot(98, NOW - 14 * DAY, **TAGGED)))

    assert cohort.actors == {BY_BUILD.name, "role/ci-clean"}
    assert broken(jury, old, Deeds(deleters=(Doer("role/ci-clean"),))) == []
    assert broken(jury, old, Deeds(deleters=(BY_ADA,))) == [Broken(Invariant.DELETER, BY_ADA.name)]


def test_whoever_deleted_before_the_time_is_not_learned_and_a_rare_deleter_is_shown() -> None:
    history = History()
    for each in past(**TAGGED):
        history.add(each, Deeds(BY_BUILD, (Doer("role/ci-clean"),) if each.went_at else ()))
    found = passage(snapshot(500, NOW - 2 * DAY, **TAGGED), came=False, went_at=NOW - DAY)
    history.add(found, Deeds(BY_BUILD, (BY_THIEF,)))
    (early,) = history.proposals(NOW, ())
    old = replace(found, state=replace(found.state, resource=snapshot(501, NOW - 15 * DAY, **TAGGED)))
    history.add(old, Deeds(BY_BUILD, (Doer("role/else"),)))
    (late,) = history.proposals(NOW, ())

    assert early.cohort.actors == {BY_BUILD.name, "role/ci-clean"}
    assert late.cohort.actors == {BY_BUILD.name, "role/ci-clean", "role/else"}
    assert ("deleter", "role/else", 1) in late.rare


def test_whoever_tells_the_service_to_let_it_go_deleted_it() -> None:
    asked = replace(event(BUILD, Action.INHIBIT, timedelta(hours=2)), name="backup:UpdateRecoveryPointLifecycle")
    unlocked = replace(event(BUILD, Action.INHIBIT, timedelta(hours=2)), name="ec2:UnlockSnapshot")

    assert told(others=(asked, event(LINKED, Action.DELETE))).deleters[0] == BY_BUILD
    assert told(others=(unlocked,)).deleters == ()


def test_a_stranger_s_that_went_before_its_time_is_not_learned_and_a_rare_maker_is_shown() -> None:
    history = History()
    for each in past(**TAGGED):
        history.add(each, Deeds(BY_BUILD))
    found = passage(snapshot(500, NOW - DAY, **TAGGED), came=False, went_at=NOW)
    history.add(found, Deeds(BY_THIEF))
    (early,) = history.proposals(NOW, ())
    history.add(replace(found, went_at=None), Deeds(BY_ADA))
    (there,) = history.proposals(NOW, ())

    assert early.cohort.actors == {BY_BUILD.name}
    assert ("maker", BY_ADA.name, 1) in there.rare


_doers = st.builds(Doer, st.sampled_from(["a", "b", BY_BUILD.name, "dlm.amazonaws.com"]), st.booleans(), st.booleans())


@given(st.none() | _doers, st.lists(_doers, max_size=3).map(tuple), st.booleans(), st.booleans())
def test_nobody_whom_the_approval_does_not_know_is_ever_silent(
    maker: Doer | None, deleters: tuple[Doer, ...], tagged: bool, goes: bool
) -> None:
    jury = ci()[1] if tagged else JURY
    made = NOW - 14 * DAY if goes else NOW
    resource = snapshot(1, made, **TAGGED) if tagged else snapshot(1, made)
    each = passage(resource, came=not goes, went_at=NOW if goes else None)
    known = {BY_BUILD.name} if tagged else set()
    strangers = [by for by in deleters if not by.by_itself and by.name not in known] if goes else []
    forged = bool(not goes and tagged and maker and not maker.by_itself and maker.name not in known)

    verdict = judge(each, jury, Around(gap=DAY, points=14, deeds=Deeds(maker, deleters)))

    assert (verdict.fate == Fate.EXPECTED) == (not strangers and not forged)
    assert verdict.origin == ("tag:aws.ec2.snapshot:pipeline=ci" if tagged else POLICY)
