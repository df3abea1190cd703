"""The Activity Log as the sandbox's own writes leave it, read back through the real SDK's pipeline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from snapbase.audit.activity_log import AUDIT_LOG
from snapbase.audit.activity_names import PROVIDERS
from snapbase.audit.azure_fetch import HISTORY, fetch, path, source
from snapbase.audit.log import OVERLAP, Broken, Fetched
from snapbase.collect.azure.errors import classify
from snapbase.collect.azure.paging import pager
from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Miss, Outcome, Principal, PrincipalKind
from snapbase.sandbox.azure import roles, story
from snapbase.sandbox.azure.activity import token
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.server import SUBSCRIPTIONS, TENANT, AzureSandbox
from snapbase.sandbox.faults import FaultKind, Switchboard
from tests.collect.azure.arm import GROUP, SUBSCRIPTION, Arm

READ = "Microsoft.Insights/eventtypes/values/read"
EVE, EVE_ID = "eve@evil.example", "eeeeeeee-0000-4000-8000-00000000000e"
BACKUP = "262044b1-e2ce-469f-a196-69ab7ada62d3"
TAKE = {"access": "Read", "durationInSeconds": 60}


def writer(arm: Arm, **claims: str) -> Writer:
    """Somebody with a token of their own."""
    return Writer(arm.url, SUBSCRIPTION, token(**claims))


def eve(arm: Arm) -> Writer:
    return writer(arm, upn=EVE, oid=EVE_ID, tid=TENANT, scp="user_impersonation", appid="x")


def read(
    arm: Arm, since: datetime | None = None, until: datetime | None = None, subscription: str = SUBSCRIPTION
) -> list[Fetched]:
    """As the operation reads it: through the session, its limiter and its ledger."""
    handle = arm.target().handle

    def pages(operation: str, path: str, version: str) -> Iterator[Sequence[Mapping[str, Any]]]:
        return handle.pages(operation, partial(pager, handle.compute.send_request, path, version))

    now = datetime.now(UTC)
    return list(fetch(pages, classify, subscription, since or now - timedelta(minutes=5), until or now))


def events(stretches: Sequence[Fetched]) -> list[Event]:
    assert [each.miss for each in stretches if each.miss] == []
    assert [dict(each.broken) for each in stretches if each.broken] == []
    return [event for each in stretches for event in each.events]


def named(arm: Arm, name: str) -> list[Event]:
    return [each for each in events(read(arm)) if each.name == f"Microsoft.Compute/{name}"]


def test_whoever_takes_a_snapshot_away_is_named(arm: Arm) -> None:
    snapshot = arm.snapshot("ledger")
    mallory = eve(arm)
    mallory.snapshots.begin_grant_access(GROUP, "ledger", TAKE).result()
    mallory.snapshots.begin_revoke_access(GROUP, "ledger").result()
    mallory.snapshots.begin_delete(GROUP, "ledger").result()

    (made,) = named(arm, "snapshots/write")
    linked, revoked, gone = (
        named(arm, each)[0]
        for each in ("snapshots/beginGetAccess/action", "snapshots/endGetAccess/action", "snapshots/delete")
    )

    assert [each.action for each in (linked, revoked, gone)] == [Action.EXPORT, Action.UNSHARE, Action.DELETE]
    for each in (linked, revoked, gone):
        assert (each.actor.id, each.actor.kind, each.source_ip) == (EVE, ActorKind.HUMAN, "127.0.0.1")
        assert (each.subjects, each.account, each.result) == ((snapshot.lower(),), SUBSCRIPTION, Result.SUCCEEDED)
    assert linked.targets == (Principal(PrincipalKind.BEARER, "sas"),)
    assert linked.detail == "Read, for 60 seconds"
    assert (made.actor.id, made.made) == ("operator@shop.example", snapshot.lower())
    assert made.source.endswith("/disks/disk-one")


def test_a_restore_names_the_snapshot_and_the_disk(arm: Arm) -> None:
    snapshot = arm.snapshot("ledger")
    properties = {"creationData": {"createOption": "Copy", "sourceResourceId": snapshot}}
    disk = eve(arm).compute.disks.begin_create_or_update(
        GROUP, "probe", {"location": "westeurope", "properties": properties}
    )
    made = disk.result().id

    (found,) = named(arm, "disks/write")
    assert (found.action, found.source, found.made) == (Action.RESTORE, snapshot.lower(), made.lower())


def test_a_change_is_no_making(arm: Arm) -> None:
    arm.snapshot("ledger")
    opened = {"properties": {"networkAccessPolicy": "AllowAll"}}
    eve(arm).snapshots.begin_update(GROUP, "ledger", opened).result()

    made, changed = sorted(named(arm, "snapshots/write"), key=lambda each: each.at)
    # Written within a second, a snapshot's record of making and its change have different callers and ids.
    assert (made.action, changed.action, changed.actor.id) == (Action.CREATE, Action.MODIFY, EVE)
    assert changed.detail == "networkAccessPolicy AllowAll"


def test_shares_have_their_targets_and_unshares_are_none(arm: Arm) -> None:
    mallory = eve(arm)
    mallory.gallery(GROUP, "golden")
    profile = mallory.compute.gallery_sharing_profile
    for verb in ("Add", "Remove"):
        groups = [{"type": "Subscriptions", "ids": [SUBSCRIPTIONS[1]]}]
        profile.begin_update(GROUP, "golden", {"operationType": verb, "groups": groups}).result()
    assignment = mallory.assign(arm.group, roles.OWNER, EVE_ID, "User")
    mallory.assignments.delete(arm.group.strip("/"), assignment)
    mallory.make_eligible(arm.group, roles.OWNER, EVE_ID)
    mallory.delegate(f"/subscriptions/{SUBSCRIPTION}", "0e0e0e0e-0000-4000-8000-00000000000e", roles.CONTRIBUTOR)

    found = sorted(events(read(arm)), key=lambda each: each.at)
    shares = [each for each in found if each.action in (Action.SHARE, Action.UNSHARE)]

    subscription = Principal(PrincipalKind.SUBSCRIPTION, SUBSCRIPTIONS[1])
    holder, group = Principal(PrincipalKind.USER, EVE_ID), arm.group.lower()
    assert [(each.action, each.targets) for each in shares] == [
        (Action.SHARE, (subscription,)),
        (Action.UNSHARE, (subscription,)),
        (Action.SHARE, (holder,)),
        (Action.UNSHARE, (holder,)),
        (Action.SHARE, (Principal(PrincipalKind.OTHER, EVE_ID),)),  # a request for eligibility does not say of whom
        (Action.SHARE, ()),
    ]
    assert [each.subjects[0] for each in shares[2:5]] == [group, group, f"{group}#eligible"]
    assert {each.actor.id for each in shares} == {EVE}
    assert Principal(PrincipalKind.TENANT, "0e0e0e0e-0000-4000-8000-00000000000e") in {
        target for each in found if each.action == Action.POLICY for target in each.targets
    }


def test_a_vault_that_loses_its_protection_is_recovery_inhibited(arm: Arm) -> None:
    vault = eve(arm).vault(GROUP, "shop", securitySettings={"softDeleteSettings": {"softDeleteState": "Disabled"}})

    (found,) = [each for each in events(read(arm)) if "RecoveryServices" in each.name]
    assert (found.action, found.subjects, found.detail) == (Action.INHIBIT, (vault.lower(),), "soft delete off")


def test_the_backup_service_is_one_and_no_tag_makes_it(arm: Arm) -> None:
    service = writer(arm, appid=BACKUP, oid="0b5fe924-0000-4000-8000-00000000000c", idtyp="app", tid=TENANT)
    service.snapshot(GROUP, "nightly", "disk-one")
    eve(arm).snapshots.begin_create_or_update(
        GROUP, "mine", {"location": "westeurope", "tags": {"createdBy": "AzureBackup"}, "properties": {}}
    ).result()

    kinds = {each.subjects[0].rpartition("/")[2]: each.actor for each in named(arm, "snapshots/write")}
    assert (kinds["nightly"].kind, kinds["nightly"].via) == (ActorKind.SERVICE, "Backup Management Service")
    assert kinds["mine"].kind == ActorKind.HUMAN


def test_what_was_refused_is_kept_as_such(arm: Arm) -> None:
    from azure.core.exceptions import HttpResponseError

    arm.snapshot("ledger", networkAccessPolicy="DenyAll")
    mallory = eve(arm)
    with pytest.raises(HttpResponseError):
        mallory.snapshots.begin_grant_access(GROUP, "ledger", TAKE).result()
    arm.fault(FaultKind.DENIED, "Microsoft.Compute/snapshots/delete")
    with pytest.raises(HttpResponseError):
        mallory.snapshots.begin_delete(GROUP, "ledger").result()

    (link,) = named(arm, "snapshots/beginGetAccess/action")
    (gone,) = named(arm, "snapshots/delete")
    assert (link.result, link.detail, link.actor.id) == (Result.FAILED, "OperationNotAllowed", EVE)
    assert (gone.result, gone.detail, gone.actor.id) == (Result.DENIED, "AuthorizationFailed", EVE)


def test_an_operation_leaves_its_records_as_the_real_log_has_them(arm: Arm) -> None:
    arm.snapshot("ledger")
    eve(arm).assign(arm.group, roles.READER, EVE_ID, "User")

    told: dict[str, list[tuple[str, str]]] = {}
    for each in arm.sandbox.activity:
        steps = told.setdefault(each["operationName"]["value"], [])
        steps.append((each["eventName"]["value"], each["status"]["value"]))
    begun, accepted, done = ("BeginRequest", "Started"), ("EndRequest", "Accepted"), ("EndRequest", "Succeeded")
    assert told["Microsoft.Compute/snapshots/write"] == [begun, accepted, done]
    assert told["Microsoft.Authorization/roleAssignments/write"] == [begun, done]
    last = arm.sandbox.activity[-1]
    assert (last["caller"], last["httpRequest"]["method"], last["subscriptionId"]) == (EVE, "PUT", SUBSCRIPTION)
    assert len({each["eventDataId"] for each in arm.sandbox.activity}) == len(arm.sandbox.activity)
    assert len({each["correlationId"] for each in arm.sandbox.activity}) == len(told)


def test_reads_leave_nothing(arm: Arm) -> None:
    arm.snapshot("ledger")
    before = len(arm.sandbox.activity)
    arm.snapshots()
    read(arm)

    assert len(arm.sandbox.activity) == before


def test_every_page_is_read(arm: Arm) -> None:
    arm.sandbox.page_size = 2
    names = [f"s{number}" for number in range(4)]
    for name in names:
        arm.snapshot(name)

    found = named(arm, "snapshots/write")
    assert sorted(each.subjects[0].rpartition("/")[2] for each in found) == names
    assert {each.result for each in found} == {Result.SUCCEEDED}


def test_another_subscription_s_log_is_another_s(arm: Arm) -> None:
    arm.snapshot("ledger")

    assert events(read(arm, subscription=SUBSCRIPTIONS[1])) == []


def test_what_happens_above_subscriptions_is_in_the_tenant_s_log(arm: Arm) -> None:
    scope = "/providers/Microsoft.Management/managementGroups/mg-corp"
    eve(arm).assign(scope, roles.OWNER, EVE_ID, "User")

    (found,) = events(read(arm, subscription=""))
    assert (found.action, found.subjects[0], found.account) == (Action.SHARE, scope.lower(), "")
    assert source("").account == "tenant"
    assert events(read(arm)) == []


def test_windows_of_a_day_leave_no_gap_and_are_read_again(arm: Arm) -> None:
    arm.snapshot("ledger")
    until = datetime.now(UTC)
    since = until - timedelta(days=3)
    found = read(arm, since, until)

    assert found[0].since == since - OVERLAP
    assert [each.until for each in found[:-1]] == [each.since for each in found[1:]]
    assert found[-1].until == until
    assert len(found) == 4
    again = read(arm, until, until + timedelta(minutes=1))
    assert [each.id for each in events(again)] == [each.id for each in events(found)]


def test_an_operation_that_spans_two_windows_is_one_event(arm: Arm) -> None:
    arm.snapshot("ledger")
    until = datetime.now(UTC)
    edge = until - timedelta(days=1)
    for number, each in enumerate(sorted(arm.sandbox.activity, key=lambda one: one["eventTimestamp"])):
        at = edge + timedelta(minutes=number - 2)
        each["eventTimestamp"] = at.isoformat()
    begun, ended = read(arm, until - timedelta(days=2) + OVERLAP, until)

    started, done = begun.events[-1], ended.events[-1]
    assert (started.result, done.result) == (Result.STARTED, Result.SUCCEEDED)
    assert replace(done, result=started.result) == started


def test_what_the_log_forgot_is_said(arm: Arm) -> None:
    until = datetime.now(UTC)
    since = until - timedelta(days=120)
    found = read(arm, since, until)

    *windows, gone = found
    assert gone.miss is not None
    assert (gone.since, gone.miss.outcome, gone.events) == (since, Outcome.PARTIAL, ())
    assert abs(gone.until - (until - HISTORY)) < timedelta(seconds=5)
    assert [each.miss for each in windows] == [None] * 90
    assert (gone.until, windows[-1].until) == (windows[0].since, until)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [(FaultKind.DENIED, Outcome.DENIED), (FaultKind.THROTTLED, Outcome.THROTTLED), (FaultKind.ERROR, Outcome.FAILED)],
)
def test_what_cannot_be_read_is_said(arm: Arm, fault: FaultKind, outcome: Outcome) -> None:
    arm.snapshot("ledger")
    arm.fault(fault, READ)
    until = datetime.now(UTC)
    (found,) = read(arm, until - timedelta(days=3), until)

    assert found.miss is not None
    assert (found.miss.outcome, found.events, found.until) == (outcome, (), until)
    assert READ in found.miss.reason


def test_what_was_read_before_it_broke_is_kept(arm: Arm) -> None:
    arm.snapshot("ledger")
    arm.fault(FaultKind.DENIED, READ, skip=1)
    (found,) = read(arm)

    assert found.miss is not None
    assert "Microsoft.Compute/snapshots/write" in {each.name for each in found.events}


def test_a_throttled_page_is_asked_for_again(arm: Arm) -> None:
    arm.snapshot("ledger")
    arm.fault(FaultKind.THROTTLED, READ, times=1)

    assert len(named(arm, "snapshots/write")) == 1
    assert READ in arm.runtime.operations


def test_a_bug_is_no_miss() -> None:
    def pages(*_: str) -> Iterator[Sequence[Mapping[str, Any]]]:
        raise KeyError("bug")

    now = datetime.now(UTC)
    with pytest.raises(KeyError):
        list(fetch(pages, classify, SUBSCRIPTION, now, now))


def test_broken_records_are_counted_and_named() -> None:
    bad = {"operationName": {"value": "Microsoft.Compute/snapshots/delete"}, "resourceId": "/x"}

    def pages(_: str, path: str, __: str) -> Iterator[Sequence[Mapping[str, Any]]]:
        yield [bad, {}] if "Compute" in path else []

    now = datetime.now(UTC)
    (found,) = fetch(pages, classify, SUBSCRIPTION, now, now)
    assert found.broken == {"the time is missing or no time": 1, "operationName is missing": 1}


def test_a_log_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapbase.audit.azure_fetch.PAGES", 3)

    def pages(*_: str) -> Iterator[Sequence[Mapping[str, Any]]]:
        while True:
            yield []

    now = datetime.now(UTC)
    (found,) = fetch(pages, lambda _: Miss(Outcome.FAILED, ""), SUBSCRIPTION, now, now)
    assert found.miss is not None
    assert found.miss.outcome == Outcome.PARTIAL


def test_the_log_explains_everything_that_the_story_s_attacker_does() -> None:
    """But the invitation of a guest, which Entra logs; the role that the guest is given is another act."""
    sandbox = AzureSandbox(Switchboard())
    story.seed(sandbox.start())
    seeded = len(sandbox.activity)
    acts = story.attack(sandbox.url)
    sandbox.stop()
    seen = set()
    for record in sandbox.activity[seeded:]:
        parsed = AUDIT_LOG.parse(record)
        assert not isinstance(parsed, Broken)
        seen |= {f"{name} " for name in parsed.subjects} if parsed else set()

    unexplained = [act.did for act in acts if not any(act.uid_contains.lower() in each for each in seen)]
    assert unexplained == ["invited a guest and gave them a role on rg-lake"]


@pytest.mark.parametrize(
    "asked",
    [
        "resourceProvider eq 'Microsoft.Compute'",
        "eventTimestamp ge '2020-01-01T00:00:00Z'",
        "eventTimestamp ge '2026-11-01T00:00:00Z' and caller eq 'x'",
        "eventTimestamp ge '2026-11-01T00:00:00Z' or 1 eq 1",
    ],
)
def test_the_sandbox_refuses_what_the_api_refuses(arm: Arm, asked: str) -> None:
    from azure.core.rest import HttpRequest

    url = f"{{endpoint}}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values"
    request = HttpRequest("GET", url, params={"api-version": "2015-04-01", "$filter": asked})

    assert arm.writer.compute.send_request(request).status_code == 400


def test_the_question_is_of_the_only_form_there_is() -> None:
    at = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
    found = path("s", PROVIDERS[0], at, at)

    assert found.startswith("/subscriptions/s/providers/Microsoft.Insights/eventtypes/management/values?$filter=")
    assert "eventTimestamp%20ge%20%272026-11-03T04%3A05%3A06.000000Z%27%20and%20" in found
    assert found.endswith("resourceProvider%20eq%20%27Microsoft.Compute%27")
