"""Records in the shapes of the Azure Activity Log become the events they stand for."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest

from snapbase.audit.activity_log import AUDIT_LOG
from snapbase.audit.activity_names import OPERATIONS, REACHING, SERVICES, rule
from snapbase.audit.files import records
from snapbase.audit.log import Broken, audit_logs
from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Principal, PrincipalKind
from tests.audit.activity_records import (
    ADA,
    AT,
    ATTACHED,
    AUTH,
    BACKUP,
    CASES,
    CLI,
    COMPUTE,
    DISK,
    ELSEWHERE,
    GALLERY,
    HERE,
    IDENTITY,
    MACHINE,
    OTHERS,
    OWNER,
    ROBOT,
    SNAPSHOT,
    SUBSCRIPTION,
    TENANT,
    UPN,
    disks,
    event,
    exported,
    full,
    made_of,
    portal,
    role,
    sharing,
)

SHAPES = pytest.mark.parametrize("shape", [portal, exported])


@SHAPES
@pytest.mark.parametrize(("operation", "resource", "asked", "action", "subjects", "source", "targets"), CASES)
def test_every_behaviour_has_its_class_actor_place_and_target(
    shape: Any,
    operation: str,
    resource: str,
    asked: dict[str, Any],
    action: str,
    subjects: tuple[str, ...],
    source: str,
    targets: tuple[Principal, ...],
) -> None:
    found = event(AUDIT_LOG.parse(shape(full(operation), resource, asked=asked)))

    assert found.action == action
    assert found.name.lower() == full(operation).lower()
    assert found.name in OPERATIONS or full(operation) not in OPERATIONS  # in its documented case
    assert found.subjects == tuple(each.lower() for each in subjects)
    assert found.source == source.lower()
    assert found.targets == targets
    assert (found.actor.id, found.actor.kind, found.actor.account) == ("ada@acme.example", ActorKind.HUMAN, TENANT)
    assert (found.account, found.source_ip, found.region) == (SUBSCRIPTION, "203.0.113.9", "global")
    assert (found.at, found.result) == (AT, Result.SUCCEEDED)
    assert found.user_agent == f"Azure CLI ({CLI})"


def test_both_shapes_of_one_record_are_one_event() -> None:
    name = "Microsoft.Compute/snapshots/beginGetAccess/action"
    found = [event(AUDIT_LOG.parse(shape(name, SNAPSHOT))) for shape in (portal, exported)]

    assert found[0] == found[1]


def test_every_operation_of_the_table_is_an_event_without_its_bodies() -> None:
    for name, (action, _) in OPERATIONS.items():
        found = event(AUDIT_LOG.parse(exported(name, SNAPSHOT)))
        assert found.action == action, name


@SHAPES
@pytest.mark.parametrize(
    "name",
    [
        "Microsoft.Compute/disks/read",
        "Microsoft.Compute/virtualMachines/start/action",
        "Microsoft.Storage/storageAccounts/listKeys/action",
        "Microsoft.Network/networkSecurityGroups/delete",
    ],
)
def test_what_is_of_no_concern_is_passed_over(shape: Any, name: str) -> None:
    assert AUDIT_LOG.parse(shape(name, DISK)) is None


def test_azure_s_other_logs_are_passed_over() -> None:
    resource_log = exported("ListContainers", SNAPSHOT, category="StorageRead")
    policy = portal("Microsoft.Compute/snapshots/write", SNAPSHOT, category={"value": "Policy"})

    assert AUDIT_LOG.recognise(resource_log)
    assert [AUDIT_LOG.parse(each) for each in (resource_log, policy)] == [None, None]


@pytest.mark.parametrize(
    ("more", "action"),
    [
        ({"httpRequest": {"method": "PATCH"}}, Action.MODIFY),
        ({"asked": {"properties": {"networkAccessPolicy": "AllowAll"}}}, Action.MODIFY),
        ({"answered": made_of(DISK, timeCreated="2026-11-01T00:00:00.0000000Z")}, Action.MODIFY),
        ({"answered": made_of(DISK, timeCreated="2026-11-03T04:04:00.0000000Z")}, Action.CREATE),
        ({"httpRequest": json.dumps({"method": "PUT"}), "asked": made_of(DISK)}, Action.CREATE),
        ({}, Action.CREATE),
    ],
)
def test_making_a_snapshot_and_changing_one_are_told_apart(more: dict[str, Any], action: str) -> None:
    found = event(AUDIT_LOG.parse(portal("Microsoft.Compute/snapshots/write", SNAPSHOT, **more)))

    assert found.action == action
    assert found.made == (SNAPSHOT.lower() if action == Action.CREATE else "")


def test_a_body_that_was_cut_off_still_tells_its_source() -> None:
    whole = json.dumps(made_of(SNAPSHOT, tags={"a": "b" * 5000}))
    found = event(AUDIT_LOG.parse(exported("Microsoft.Compute/disks/write", DISK, answered=whole[:1000])))

    assert (found.action, found.source) == (Action.RESTORE, SNAPSHOT.lower())


def test_a_machine_that_gets_no_disk_is_of_no_concern() -> None:
    assert AUDIT_LOG.parse(portal("Microsoft.Compute/virtualMachines/write", MACHINE, asked=disks())) is None


OWN_IMAGE = f"{GALLERY}/images/web/versions/1.0.0"


def _from_image(image: dict[str, Any], **more: Any) -> dict[str, Any]:
    profile = {"storageProfile": {"imageReference": image, "osDisk": {"createOption": "FromImage"}}}
    return {"properties": {**profile, "virtualMachineProfile": profile, **more}}


@pytest.mark.parametrize("kind", ["virtualMachines", "virtualMachineScaleSets"])
@pytest.mark.parametrize(
    ("fields", "restored"),
    [
        ({"asked": _from_image({"id": OWN_IMAGE})}, True),
        ({"asked": _from_image({"id": f"{COMPUTE}/images/web"})}, True),
        ({"asked": _from_image({"publisher": "Canonical", "offer": "ubuntu"})}, False),
        ({"asked": _from_image({"communityGalleryImageId": "/communityGalleries/x/images/y"})}, False),
        ({"answered": _from_image({"id": OWN_IMAGE}, timeCreated="2026-11-03T04:05:00Z")}, True),
        ({"answered": _from_image({"id": OWN_IMAGE}, timeCreated="2026-10-03T04:05:00Z")}, False),
    ],
)
def test_machines_that_start_from_an_image_of_our_own_restore_it(
    kind: str, fields: dict[str, Any], restored: bool
) -> None:
    found = AUDIT_LOG.parse(portal(f"Microsoft.Compute/{kind}/write", f"{COMPUTE}/{kind}/probe", **fields))

    assert (found is not None) == restored
    if restored:
        assert (event(found).action, event(found).source in event(found).subjects) == (Action.RESTORE, True)


def test_of_a_scale_set_nothing_is_said_without_its_image() -> None:
    name, fleet = "Microsoft.Compute/virtualMachineScaleSets/write", f"{COMPUTE}/virtualMachineScaleSets/web"
    steps = operation(name, fleet, BEGUN, ACCEPTED, DONE)
    started = operation(name, fleet, {**BEGUN, "asked": _from_image({"id": OWN_IMAGE})}, ACCEPTED, DONE)

    assert list(AUDIT_LOG.fold(steps)) == []
    assert [each.source for each in AUDIT_LOG.fold(started)] == [OWN_IMAGE.lower()]


@pytest.mark.parametrize(
    ("name", "asked", "action", "detail"),
    [
        ("", {"type": "Unlocked", "immutabilityDurationDays": 30}, Action.POLICY, "immutability Unlocked, for 30 days"),
        ("Lock", {"type": "Locked", "immutabilityDurationDays": 7}, Action.POLICY, "immutability Locked, for 7 days"),
        ("Lock", {"type": "Unlocked", "immutabilityDurationDays": 0}, Action.INHIBIT, "immutability Unlocked"),
    ],
)
def test_how_long_a_snapshot_cannot_be_deleted(name: str, asked: dict[str, Any], action: str, detail: str) -> None:
    operation = f"Microsoft.Compute/snapshots/updateImmutabilityPolicy{name}/action"
    found = event(AUDIT_LOG.parse(portal(operation, SNAPSHOT, asked=asked)))

    assert (found.action, found.subjects) == (action, (SNAPSHOT.lower(),))
    assert found.detail.startswith(detail)


@pytest.mark.parametrize("name", ["VM Restore Operator", "Azure Backup Snapshot Contributor", "Azure Migrate Owner"])
def test_a_role_that_reaches_data_is_a_share_by_whatever_name(name: str) -> None:
    guid = next(key for key, each in REACHING.items() if each == name)
    resource = f"{HERE}/{AUTH}/roleAssignments/one"
    found = event(AUDIT_LOG.parse(portal("Microsoft.Authorization/roleAssignments/write", resource, asked=role(guid))))

    assert (found.action, found.detail) == (Action.SHARE, f"role {name}")


def test_only_a_request_for_a_role_can_ask_for_its_end() -> None:
    """Callers write the body, and what Azure does not know in it changes nothing."""
    asked = role(OWNER)
    asked["Properties"]["RequestType"] = "AdminRemove"
    actions = {}
    for kind in ("roleAssignments", "roleAssignmentScheduleRequests"):
        entry = portal(f"Microsoft.Authorization/{kind}/write", f"{HERE}/{AUTH}/{kind}/one", asked=asked)
        actions[kind] = event(AUDIT_LOG.parse(entry)).action

    assert actions == {"roleAssignments": Action.SHARE, "roleAssignmentScheduleRequests": Action.UNSHARE}


def test_elevation_is_a_share_of_the_whole_tenant() -> None:
    name = "Microsoft.Authorization/elevateAccess/action"
    entry = portal(name, "/providers/Microsoft.Authorization", asked={})
    del entry["subscriptionId"]
    found = event(AUDIT_LOG.parse(entry))

    assert (found.action, found.subjects, found.account) == (Action.SHARE, ("/",), "")
    assert found.targets == (Principal(PrincipalKind.USER, "0b5fe924-0000-4000-8000-00000000000a"),)


MIRID = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/x/providers"
ACTORS: tuple[tuple[dict[str, Any], str, str, str], ...] = (
    (ADA, "ada@acme.example", ActorKind.HUMAN, "ada@acme.example"),
    (ROBOT, "0b5fe924-0000-4000-8000-00000000000c", ActorKind.ROLE, "99999999-0000-4000-8000-000000000009"),
    (
        {**ROBOT, "xms_mirid": f"{MIRID}/Microsoft.ManagedIdentity/userAssignedIdentities/Backup"},
        "0b5fe924-0000-4000-8000-00000000000c",
        ActorKind.ROLE,
        f"{MIRID}/microsoft.managedidentity/userassignedidentities/backup",
    ),
    (
        {**ROBOT, "xms_mirid": f"{MIRID}/Microsoft.DataProtection/backupVaults/archive"},
        "0b5fe924-0000-4000-8000-00000000000c",
        ActorKind.SERVICE,
        f"{MIRID}/microsoft.dataprotection/backupvaults/archive",
    ),
    ({**ROBOT, "appid": BACKUP.upper()}, "0b5fe924-0000-4000-8000-00000000000c", ActorKind.SERVICE, BACKUP),
    # A person whose token was given to the service's application is not the service.
    ({**ADA, "appid": BACKUP}, "ada@acme.example", ActorKind.HUMAN, "ada@acme.example"),
    ({**ADA, f"{IDENTITY}tenantid": OTHERS}, "ada@acme.example", ActorKind.FOREIGN, "ada@acme.example"),
    # A name says nothing, and neither does an application that calls itself so.
    ({**ROBOT, "name": "Backup Management Service"}, "0b5fe924-0000-4000-8000-00000000000c", ActorKind.ROLE, ""),
)


@SHAPES
@pytest.mark.parametrize(("claims", "name", "kind", "principal"), ACTORS)
def test_people_software_and_services_are_told_apart(
    shape: Any, claims: dict[str, Any], name: str, kind: str, principal: str
) -> None:
    entry = shape("Microsoft.Compute/snapshots/delete", SNAPSHOT, claims=claims)
    if "caller" in entry and UPN not in claims:
        entry["caller"] = claims[f"{IDENTITY}objectidentifier"]
    found = event(AUDIT_LOG.parse(entry)).actor

    assert (found.id, found.kind) == (name, kind)
    assert found.principal == (principal or claims["appid"])
    assert found.via == (
        SERVICES[BACKUP]
        if kind == ActorKind.SERVICE and "xms_mirid" not in claims
        else "microsoft.dataprotection"
        if kind == ActorKind.SERVICE
        else ""
    )


@pytest.mark.parametrize(
    ("caller", "kind"),
    [
        ("ada@acme.example", ActorKind.HUMAN),
        ("0b5fe924-0000-4000-8000-00000000000c", ActorKind.ROLE),
        ("Microsoft.RecoveryServices", ActorKind.SERVICE),
        ("Microsoft.RecoveryServices@evil.example", ActorKind.HUMAN),
        ("somebody", ActorKind.UNKNOWN),
        ("", ActorKind.UNKNOWN),
    ],
)
def test_a_record_without_claims_has_its_caller(caller: str, kind: str) -> None:
    entry = portal("Microsoft.Compute/snapshots/delete", SNAPSHOT, claims={}, caller=caller)

    assert event(AUDIT_LOG.parse(entry)).actor.kind == kind


FORBIDDEN = {"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization."}}
OUTCOMES: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("Started", {}, Result.STARTED, ""),
    ("Accepted", {}, Result.STARTED, ""),
    ("Succeeded", {}, Result.SUCCEEDED, ""),
    ("Success", {}, Result.SUCCEEDED, ""),
    ("Failed", {"error": FORBIDDEN}, Result.DENIED, "AuthorizationFailed"),
    ("Failure", {"subStatus": {"value": "Forbidden"}, "resultSignature": "Failed.Forbidden"}, Result.DENIED, "denied"),
    ("Failed", {"error": {"error": {"code": "ScopeLocked"}}}, Result.DENIED, "ScopeLocked"),
    ("Failed", {"error": {"code": "Conflict"}}, Result.FAILED, "Conflict"),
    ("Failed", {}, Result.FAILED, "failed"),
)


@SHAPES
@pytest.mark.parametrize(("status", "more", "result", "detail"), OUTCOMES)
def test_only_what_succeeded_is_a_change(
    shape: Any, status: str, more: dict[str, Any], result: str, detail: str
) -> None:
    found = event(AUDIT_LOG.parse(shape("Microsoft.Compute/snapshots/delete", SNAPSHOT, status, **more)))

    assert (found.result, found.detail) == (result, detail)


def operation(name: str, resource: str, *steps: dict[str, Any], shape: Any = portal) -> list[Event]:
    """The records of one operation, a second apart, as events; those of no concern left out."""
    found = []
    for number, step in enumerate(steps):
        stamp = (AT + timedelta(seconds=number)).isoformat()
        fields = {"status": "Succeeded", **step}
        entry = shape(name, resource, **fields)
        entry["time" if "time" in entry else "eventTimestamp"] = stamp
        parsed = AUDIT_LOG.parse(entry)
        found += [parsed] if isinstance(parsed, Event) else []
    return found


BEGUN, ACCEPTED, DONE = {"status": "Started"}, {"status": "Accepted"}, {"status": "Succeeded"}
FAILED = {"status": "Failed", "error": {"code": "Conflict"}}


@SHAPES
def test_the_records_of_one_operation_are_one_event(shape: Any) -> None:
    name = "Microsoft.Compute/disks/write"
    steps = operation(name, DISK, {**BEGUN, "asked": made_of(SNAPSHOT)}, ACCEPTED, DONE, shape=shape)

    for order in (steps, steps[::-1]):
        (found,) = AUDIT_LOG.fold(order)
        assert (found.action, found.result, found.at) == (Action.RESTORE, Result.SUCCEEDED, AT)
        assert found.subjects == (SNAPSHOT.lower(), DISK.lower())


def test_a_failure_after_it_was_accepted_stays_one() -> None:
    (found,) = AUDIT_LOG.fold(operation("Microsoft.Compute/snapshots/delete", SNAPSHOT, BEGUN, ACCEPTED, FAILED))

    assert (found.result, found.detail, found.at) == (Result.FAILED, "Conflict", AT)


def test_what_one_record_tells_holds_for_all_of_them() -> None:
    old = made_of(DISK, timeCreated="2026-11-01T00:00:00Z")
    (changed,) = AUDIT_LOG.fold(
        operation("Microsoft.Compute/snapshots/write", SNAPSHOT, BEGUN, {**ACCEPTED, "answered": old}, DONE)
    )
    (shared,) = AUDIT_LOG.fold(
        operation("Microsoft.Compute/galleries/share/action", GALLERY, {**BEGUN, "asked": sharing("Reset")}, DONE)
    )

    assert (changed.action, changed.made, changed.source) == (Action.MODIFY, "", "")
    assert (shared.action, shared.result) == (Action.UNSHARE, Result.SUCCEEDED)


def test_operations_of_one_deployment_stay_apart() -> None:
    name = "Microsoft.Compute/snapshots/write"
    found = [*operation(name, SNAPSHOT, BEGUN, DONE), *operation(name, f"{SNAPSHOT}-2", BEGUN, DONE)]

    assert [each.subjects for each in AUDIT_LOG.fold(found)] == [(SNAPSHOT.lower(),), (f"{SNAPSHOT}-2".lower(),)]


def test_nobody_hides_behind_somebody_else_s_correlation_id() -> None:
    """Callers choose it, and can read the log."""
    name = "Microsoft.Compute/snapshots/beginGetAccess/action"
    found = [*operation(name, SNAPSHOT, DONE), *operation(name, SNAPSHOT, {**DONE, "claims": ROBOT, "caller": ""})]

    assert len({each.id for each in found}) == 2
    assert [each.actor.kind for each in AUDIT_LOG.fold(found)] == [ActorKind.HUMAN, ActorKind.ROLE]


LINKED, SHARING = "Microsoft.Compute/snapshots/beginGetAccess/action", "Microsoft.Compute/galleries/share/action"


def test_nobody_hides_what_they_did_behind_a_failure_of_the_same_correlation_id() -> None:
    again = operation(LINKED, SNAPSHOT, BEGUN, DONE, BEGUN, FAILED)

    for order in (again, again[::-1]):
        (found,) = AUDIT_LOG.fold(order)
        assert (found.action, found.result, found.detail) == (Action.EXPORT, Result.SUCCEEDED, "")


def test_nobody_hides_a_share_behind_its_end_by_the_same_correlation_id() -> None:
    given = {"asked": sharing("Add", "Subscriptions", ELSEWHERE)}
    taken = {"asked": sharing("Remove", "Subscriptions", ELSEWHERE, OTHERS)}
    bodies_at_the_end = operation(SHARING, GALLERY, {**DONE, **given}, {**DONE, **taken})
    bodies_at_the_beginning = operation(SHARING, GALLERY, {**BEGUN, **given}, DONE, {**BEGUN, **taken}, DONE)

    for steps in (bodies_at_the_end, bodies_at_the_beginning):
        share, end = AUDIT_LOG.fold(steps)
        assert (share.action, share.result, len(share.targets)) == (Action.SHARE, Result.SUCCEEDED, 1)
        assert (end.action, len(end.targets)) == (Action.UNSHARE, 2)
        assert share.at < end.at
        assert share.id != end.id


def test_two_changes_of_one_correlation_id_are_both_told() -> None:
    others = [{**ATTACHED, "managedDisk": {"id": f"{DISK}-{number}"}} for number in range(2)]
    steps = ({**DONE, "asked": disks(ATTACHED)}, {**DONE, "asked": disks(*others)})
    (found,) = AUDIT_LOG.fold(operation("Microsoft.Compute/virtualMachines/write", MACHINE, *steps))

    assert set(found.subjects) == {DISK.lower(), f"{DISK}-0".lower(), f"{DISK}-1".lower()}


def test_of_a_machine_s_write_nothing_is_said_without_its_disks() -> None:
    name = "Microsoft.Compute/virtualMachines/write"
    assert list(AUDIT_LOG.fold(operation(name, MACHINE, BEGUN, ACCEPTED, DONE))) == []
    assert list(AUDIT_LOG.fold(operation(name, MACHINE, {**BEGUN, "asked": disks()}, FAILED))) == []

    (found,) = AUDIT_LOG.fold(operation(name, MACHINE, BEGUN, {**ACCEPTED, "answered": disks(ATTACHED)}, DONE))
    assert (found.action, found.subjects, found.result) == (Action.MOUNT, (DISK.lower(),), Result.SUCCEEDED)
    assert found.detail == f"to {MACHINE}".lower()


def test_a_repeated_record_adds_nothing() -> None:
    (found,) = operation("Microsoft.Compute/snapshots/delete", SNAPSHOT, DONE)

    assert list(AUDIT_LOG.fold([found, found])) == [found]


@pytest.mark.parametrize(
    ("missing", "why"),
    [("eventTimestamp", "time"), ("operationName", "operationName"), ("resourceId", ""), ("correlationId", "")],
)
def test_what_is_missing_is_named_where_nothing_stands_in_for_it(missing: str, why: str) -> None:
    entry = portal("Microsoft.Compute/snapshots/delete", SNAPSHOT)
    del entry[missing]
    found = AUDIT_LOG.parse(entry)

    assert (why in found.why) if isinstance(found, Broken) else not why


def test_the_log_is_known_by_its_files_and_its_table() -> None:
    envelopes = [{"records": [exported("Microsoft.Compute/snapshots/delete", SNAPSHOT)]}]
    envelopes.append({"value": [portal("Microsoft.Compute/snapshots/delete", SNAPSHOT)]})
    found = list(records(io.BytesIO(json.dumps(envelopes).encode())))

    assert AUDIT_LOG in audit_logs()
    assert len(found) == 2
    for each in found:
        assert not isinstance(each, Broken)
        assert [log.name for log in audit_logs() if log.recognise(each)] == ["azure.activity-log"]
    assert rule("MICROSOFT.COMPUTE/SNAPSHOTS/WRITE") == rule("microsoft.compute/snapshots/write")
    assert {each.action for each in AUDIT_LOG.behaviours} >= {Action.SHARE, Action.RESTORE, Action.MODIFY, Action.COPY}
