"""The sandbox's ARM, as the real SDKs see it."""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from snapbase.collect.azure import compute_snapshot
from snapbase.collect.azure.session import AzureConnection
from snapbase.collect.collector import collectors
from snapbase.collect.runtime import Runtime
from snapbase.model import Observation, Scope
from snapbase.sandbox.azure import roles, story
from snapbase.sandbox.azure.bodies import Malformed, check_authorization, check_compute, check_subscription
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.server import MANAGEMENT_GROUP, SUBSCRIPTIONS, AzureSandbox, routes
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import AzureEntry

HERE = f"/subscriptions/{SUBSCRIPTIONS[0]}"
DEFINITION = "Microsoft.ManagedServices/registrationDefinitions/00000000-0000-4000-8000-000000000001"
WHO = "00000000-0000-4000-8000-0000000000ff"


@pytest.fixture
def sandbox() -> Iterator[AzureSandbox]:
    started = AzureSandbox(Switchboard())
    started.start()
    yield started
    started.stop()


@pytest.fixture
def writer(sandbox: AzureSandbox) -> Writer:
    made = Writer(sandbox.url, SUBSCRIPTIONS[0])
    made.group("rg-one")
    return made


def _code(error: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str | None]:
    return error.value.status_code, error.value.error.code if error.value.error else None


def test_a_new_snapshot_has_what_the_server_assigns_and_its_permissive_defaults(writer: Writer) -> None:
    writer.snapshot("rg-one", "one", "disk")

    made = writer.snapshots.get("rg-one", "one")

    assert made.unique_id
    assert made.time_created.tzinfo is not None
    assert (made.network_access_policy, made.public_network_access) == ("AllowAll", "Enabled")
    assert (made.disk_state, made.provisioning_state) == ("Unattached", "Succeeded")
    assert made.creation_data.source_resource_id.endswith("/disks/disk")


def test_an_update_keeps_what_it_does_not_name(writer: Writer) -> None:
    writer.snapshot("rg-one", "one", "disk", networkAccessPolicy="DenyAll")
    before = writer.snapshots.get("rg-one", "one")

    updated = writer.snapshots.begin_update("rg-one", "one", {"tags": {"a": "b"}}).result()

    assert updated.tags == {"a": "b"}
    assert (updated.unique_id, updated.network_access_policy) == (before.unique_id, "DenyAll")


def test_put_over_an_existing_snapshot_is_an_update(writer: Writer) -> None:
    writer.snapshot("rg-one", "one", "disk")
    before = writer.snapshots.get("rg-one", "one").unique_id
    writer.snapshot("rg-one", "one", "disk", networkAccessPolicy="AllowPrivate")

    assert writer.snapshots.get("rg-one", "one").unique_id == before


def test_deleted_and_made_again_is_another(writer: Writer) -> None:
    writer.snapshot("rg-one", "one", "disk")
    before = writer.snapshots.get("rg-one", "one").unique_id
    writer.snapshots.begin_delete("rg-one", "one").result()
    with pytest.raises(ResourceNotFoundError):
        writer.snapshots.get("rg-one", "one")
    writer.snapshot("rg-one", "one", "disk")

    assert writer.snapshots.get("rg-one", "one").unique_id != before


def test_access_is_granted_and_revoked_as_long_running_operations(writer: Writer) -> None:
    writer.snapshot("rg-one", "one", "disk")

    link = writer.snapshots.begin_grant_access("rg-one", "one", {"access": "Read", "durationInSeconds": 60}).result()
    assert "sig=" in link.access_sas
    assert writer.snapshots.get("rg-one", "one").disk_state == "ActiveSAS"

    writer.snapshots.begin_revoke_access("rg-one", "one").result()
    assert writer.snapshots.get("rg-one", "one").disk_state == "Unattached"


def test_no_link_is_minted_behind_deny_all(writer: Writer) -> None:
    writer.snapshot("rg-one", "one", "disk", networkAccessPolicy="DenyAll")

    with pytest.raises(HttpResponseError) as refused:
        writer.snapshots.begin_grant_access("rg-one", "one", {"access": "Read", "durationInSeconds": 60})

    assert _code(refused) == (409, "OperationNotAllowed")


def test_a_snapshot_needs_its_resource_group_and_its_subscription(writer: Writer) -> None:
    with pytest.raises(HttpResponseError) as refused:
        writer.snapshot("rg-none", "one", "disk")
    assert _code(refused) == (404, "ResourceGroupNotFound")

    with pytest.raises(HttpResponseError) as refused:
        Writer(writer.url, WHO).snapshot("rg-one", "one", "disk")
    assert _code(refused) == (404, "SubscriptionNotFound")


def test_a_body_the_models_do_not_know_is_refused(writer: Writer) -> None:
    with pytest.raises(HttpResponseError) as refused:
        writer.snapshot("rg-one", "one", "disk", networkPolicy="typo")

    assert _code(refused) == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    ("check", "body"),
    [
        (lambda body: check_compute(body, "Snapshot"), {"properties": {"creationData": {"sourceId": 1}}}),
        (lambda body: check_compute(body, "Snapshot"), {"colour": "red"}),
        (check_subscription, {"subscriptionPolicies": {"nope": 1}}),
        (lambda body: check_authorization(body, "RoleAssignment"), {"properties": {"principal": WHO}}),
        (lambda body: check_authorization(body, "RoleDefinition"), {"properties": {"permissions": [{"action": []}]}}),
    ],
)
def test_the_check_finds_what_no_model_has(check: Any, body: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        check(body)


def test_microsofts_own_example_passes_the_check_and_the_sdk(sandbox: AzureSandbox, writer: Writer) -> None:
    """Snapshot_GetIncrementalSnapshot of azure-rest-api-specs: enums "0", an id of a source without a slash."""
    writer.snapshot("rg-one", "one", "disk")
    stored = sandbox.estate.resource(f"{HERE}/resourceGroups/rg-one/providers/Microsoft.Compute/snapshots/one")
    stored["properties"] = {
        "osType": "Windows",
        "hyperVGeneration": "V1",
        "purchasePlan": {"name": "test_sku", "publisher": "test_test_pmc2pc1", "product": "marketplace_vm_test"},
        "supportedCapabilities": {"acceleratedNetwork": True},
        "supportsHibernation": True,
        "creationData": {"createOption": "Copy", "sourceResourceId": "subscriptions/s/resourceGroups/g/disks/d"},
        "diskSizeGB": 100,
        "encryptionSettingsCollection": {"enabled": True, "encryptionSettings": [{"diskEncryptionKey": {}}]},
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "incremental": True,
        "networkAccessPolicy": "0",
        "diskState": "0",
        "diskSizeBytes": 10737418240,
        "uniqueId": "a395e9c1-fb9e-446e-a9ba-7b2fa0bcd305",
        "incrementalSnapshotFamilyId": "d1a341d5-1ea7-4a85-b304-944ad8021639",
        "timeCreated": "2016-12-28T04:41:35.079872+00:00",
        "provisioningState": "Succeeded",
    }

    (listed,) = writer.snapshots.list()

    assert listed.unique_id == "a395e9c1-fb9e-446e-a9ba-7b2fa0bcd305"
    (observation,) = _snapshots(sandbox, SUBSCRIPTIONS[0])
    assert observation.resource.attributes["guest_encryption"] is True
    assert observation.resource.attributes["network_access_policy"] == "0"


def test_pages_do_not_shift_while_the_list_changes(sandbox: AzureSandbox, writer: Writer) -> None:
    sandbox.page_size = 2
    for name in ("a", "b", "c", "d"):
        writer.snapshot("rg-one", name, "disk")
    pages = writer.snapshots.list().by_page()

    first = [each.name for each in next(pages)]
    writer.snapshots.begin_delete("rg-one", "a").result()
    rest = [each.name for page in pages for each in page]

    assert first + rest == ["a", "b", "c", "d"]


def test_assignments_at_above_and_below_apply_to_a_subscription(writer: Writer) -> None:
    management = f"/providers/Microsoft.Management/managementGroups/{MANAGEMENT_GROUP}"
    scopes = {HERE, management, f"{HERE}/resourceGroups/rg-one"}
    for scope in scopes:
        writer.assign(scope, roles.READER, WHO, "User")
    writer.assign(f"/subscriptions/{SUBSCRIPTIONS[1]}", roles.READER, WHO, "User")

    everything = {each.scope for each in writer.assignments.list_for_subscription()}
    at_scope = {each.scope for each in writer.assignments.list_for_subscription(filter="atScope()")}

    assert everything == scopes
    assert at_scope == {HERE, management}


def test_assignments_and_roles_can_be_taken_back_and_written(writer: Writer) -> None:
    name = writer.assign(HERE, roles.OWNER, WHO, "User", condition="x")
    (assigned,) = writer.assignments.list_for_subscription()
    assert (assigned.condition, assigned.principal_type) == ("x", "User")
    writer.assignments.delete(HERE.lstrip("/"), name)
    assert list(writer.assignments.list_for_subscription()) == []

    permissions = [{"actions": ["Microsoft.Compute/*"]}]
    body = {"properties": {"roleName": "Ours", "permissions": permissions, "assignableScopes": [HERE]}}
    writer.definitions.create_or_update(HERE.lstrip("/"), WHO, body)
    listed = {each.role_name: each.role_type for each in writer.definitions.list(HERE.lstrip("/"))}
    assert listed["Ours"] == "CustomRole"
    assert {"Owner", "Contributor", "Reader", "Disk Snapshot Contributor"} <= set(listed)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.DENIED, 403, "AuthorizationFailed"),
        (FaultKind.EXPIRED, 401, "ExpiredAuthenticationToken"),
        (FaultKind.THROTTLED, 429, "TooManyRequests"),
        (FaultKind.ERROR, 503, "ServerTimeout"),
        (FaultKind.DISABLED, 409, "MissingSubscriptionRegistration"),
    ],
)
def test_faults_answer_with_arms_own_codes(
    sandbox: AzureSandbox, writer: Writer, kind: FaultKind, status: int, code: str
) -> None:
    sandbox.switchboard.break_(Fault(kind, cloud="azure", operation="Microsoft.Compute/snapshots/read"))

    with pytest.raises(HttpResponseError) as refused:
        list(writer.snapshots.list())

    assert _code(refused) == (status, code)


def test_every_act_of_the_story_is_there_to_be_found(sandbox: AzureSandbox) -> None:
    story.seed(sandbox.url)
    before = _everything(sandbox)

    acts = story.attack(sandbox.url)

    after = _everything(sandbox)
    changed = [f"{key} {each.resource.address}" for key, each in after.items() if before.get(key) != each]
    for act in acts:
        assert any(act.uid_contains in each for each in changed), act.did
    for each in changed:
        assert any(act.uid_contains in each for act in acts), each


def _everything(sandbox: AzureSandbox) -> dict[str, Observation]:
    runtime = Runtime(threads=1)
    found = {}
    for target in AzureConnection(AzureEntry(endpoint=sandbox.url), runtime).targets():
        for kind in collectors("azure"):
            read = kind.read(target.handle, Scope("azure", target.account, target.location, kind.kind))
            found.update({each.resource.uid: each for each in read})
    runtime.close()
    return found


def _snapshots(sandbox: AzureSandbox, subscription: str) -> list[Observation]:
    runtime = Runtime(threads=1)
    entry = AzureEntry(endpoint=sandbox.url, subscriptions=(subscription,))
    (target,) = AzureConnection(entry, runtime).targets()
    found = list(compute_snapshot.read(target.handle, Scope("azure", subscription, "global", "x")))
    runtime.close()
    return found


def test_the_folder_is_the_registry() -> None:
    operations = {route.operation.rpartition("/")[0] for route in routes()}

    for kind in ("disks", "images", "galleries", "diskAccesses", "restorePointCollections", "snapshots"):
        assert f"Microsoft.Compute/{kind}" in operations
    assert {"Microsoft.RecoveryServices/vaults", "Microsoft.DataProtection/backupVaults"} <= operations


@pytest.mark.parametrize(
    "make",
    [
        lambda writer: writer.disk("rg-one", "one", diskColour="red"),
        lambda writer: writer.vault("rg-one", "one", softDelete="Enabled"),
        lambda writer: writer.vault("rg-one", "one", "DataProtection/backupVaults", publicNetworkAccess="Enabled"),
        lambda writer: writer.put(f"{HERE}/providers/{DEFINITION}", "2022-10-01", {"properties": {"tenant": WHO}}),
    ],
)
def test_a_field_that_no_model_of_the_kind_has_is_refused(writer: Writer, make: Any) -> None:
    with pytest.raises(HttpResponseError) as refused:
        make(writer)

    assert refused.value.status_code == 400


def test_a_gallery_hides_its_groups_unless_they_are_asked_for(writer: Writer) -> None:
    writer.gallery("rg-one", "one", "Groups")
    groups = [{"type": "AADTenants", "ids": [WHO]}]
    profile = writer.compute.gallery_sharing_profile
    profile.begin_update("rg-one", "one", {"operationType": "Add", "groups": groups}).result()

    galleries = writer.compute.galleries
    asked = galleries.get("rg-one", "one", expand="SharingProfile/Groups").properties.sharing_profile
    assert [each.ids for each in asked.groups] == [[WHO]]
    assert galleries.get("rg-one", "one").properties.sharing_profile.groups is None
    assert [each.properties.sharing_profile.groups for each in galleries.list()] == [None]


def test_what_lies_inside_goes_with_what_holds_it(writer: Writer) -> None:
    writer.restore_point("rg-one", "vm", "first")
    collections, points = writer.compute.restore_point_collections, writer.compute.restore_points
    assert points.get("rg-one", "vm", "first").name == "first"

    collections.begin_delete("rg-one", "vm").result()

    with pytest.raises(ResourceNotFoundError):
        points.get("rg-one", "vm", "first")


def test_microsofts_own_example_of_a_disk_restore_point_passes_the_check(sandbox: AzureSandbox, writer: Writer) -> None:
    """DiskRestorePoint_Get of azure-rest-api-specs."""
    writer.restore_point("rg-one", "vm", "first")
    kind = "Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints"
    (stored,) = sandbox.estate.of_type(kind, HERE)
    stored["properties"] = {
        "timeCreated": "2020-09-16T04:41:35.079872+00:00",
        "sourceResourceId": f"{HERE}/resourceGroups/rg-one/providers/Microsoft.Compute/disks/TestDisk45ceb03433006d1b",
        "osType": "Windows",
        "hyperVGeneration": "V1",
        "familyId": "996bf3ce-b6ff-4e86-9db6-dc27ea06cea5",
        "sourceUniqueId": "48e058b1-7eea-4968-b532-10a8a1130c13",
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Disabled",
        "logicalSectorSize": 4096,
    }

    (listed,) = writer.compute.disk_restore_point.list_by_restore_point("rg-one", "vm", "first")

    assert listed.properties.public_network_access == "Disabled"
