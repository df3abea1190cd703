"""What each kind alone can say: galleries, private endpoints, links on disks, restore points, vaults."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from snapbase.collect.azure.compute_gallery import COMMUNITY
from snapbase.collect.azure.managed import SAS
from snapbase.model import Limits, Observation, ResourceType
from snapbase.sandbox.azure import roles
from snapbase.sandbox.faults import FaultKind
from tests.collect.azure.arm import GROUP, HERE, WHO, Arm, grants, held
from tests.collect.azure.makers import BACKUP_VAULTS, DISK

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"
LINK = {"access": "Read", "durationInSeconds": 60}


def _one(arm: Arm, kind: str) -> Observation:
    (found,) = arm.kind(kind)
    return found


def _share(arm: Arm, gallery: str, operation: str, **groups: list[str]) -> None:
    wire = [{"type": kind, "ids": ids} for kind, ids in groups.items()]
    update = {"operationType": operation, "groups": wire}
    arm.writer.compute.gallery_sharing_profile.begin_update(GROUP, gallery, update).result()


def test_a_gallery_is_shared_with_subscriptions_and_tenants(arm: Arm) -> None:
    arm.writer.gallery(GROUP, "gallery", "Groups")
    assert grants(_one(arm, "azure.compute.gallery")) == frozenset()

    _share(arm, "gallery", "Add", Subscriptions=[WHO.upper()], AADTenants=[WHO], Planets=["mars"])
    shared = _one(arm, "azure.compute.gallery")
    _share(arm, "gallery", "Remove", Subscriptions=[WHO.upper()], AADTenants=[WHO])
    left = _one(arm, "azure.compute.gallery")

    expected = {(kind, WHO, "launch", "azure.gallery/direct sharing") for kind in ("subscription", "tenant")}
    assert held(shared) == expected | {("other", "mars", "launch", "azure.gallery/direct sharing")}
    assert shared.resource.attributes["shared_with"] == ["other mars", f"subscription {WHO}", f"tenant {WHO}"]
    assert held(left) == {("other", "mars", "launch", "azure.gallery/direct sharing")}


def test_a_role_on_an_image_definition_reaches_its_versions(arm: Arm) -> None:
    arm.writer.gallery(GROUP, "gallery")
    version = arm.writer.version(GROUP, "gallery", "Golden", "1.0.0", DISK)
    arm.writer.version(GROUP, "gallery", "other", "1.0.0", DISK)
    definition = version.rpartition("/versions/")[0]
    arm.writer.assign(definition.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"), roles.READER, WHO, "User")

    found = {each.resource.name: held(each) for each in arm.kind("azure.compute.gallery-version")}

    assert found == {"Golden/1.0.0": {("user", WHO, "launch", "azure.rbac/Reader")}, "other/1.0.0": set()}


def test_an_unreadable_role_on_an_image_definition_leaves_its_versions_unknown(arm: Arm) -> None:
    arm.writer.gallery(GROUP, "gallery")
    definition = arm.writer.version(GROUP, "gallery", "golden", "1.0.0", DISK).rpartition("/versions/")[0]
    arm.writer.assign(definition, "99999999-0000-4000-8000-000000000000", WHO, "User")

    assert _one(arm, "azure.compute.gallery-version").grants is None


@pytest.mark.parametrize(
    ("name", "kind", "item"),
    [
        (
            "azure.recoveryservices.vault",
            "RecoveryServices/vaults",
            "backupFabrics/Azure/protectionContainers/c/protectedItems/vm",
        ),
        ("azure.dataprotection.backup-vault", BACKUP_VAULTS, "backupInstances/disk"),
    ],
)
def test_a_role_on_one_item_of_a_vault_reaches_its_backups(arm: Arm, name: str, kind: str, item: str) -> None:
    vault = arm.writer.vault(GROUP, "vault", kind)
    arm.writer.vault(GROUP, "vault-2", kind)
    arm.writer.assign(f"{vault}/{item}", roles.CONTRIBUTOR, WHO, "User")

    found = {each.resource.name: held(each) for each in arm.kind(name)}

    assert found == {"vault": {("user", WHO, "restore", "azure.rbac/Contributor")}, "vault-2": set()}


def test_a_role_on_one_disk_of_a_restore_point_reaches_its_data(arm: Arm) -> None:
    point = arm.writer.restore_point(GROUP, "vm", "nightly")
    disk = next(key for key in arm.sandbox.estate.resources if key.startswith(f"{point}/diskRestorePoints/".lower()))
    arm.writer.assign(disk, roles.OWNER, WHO, "User")

    found = _one(arm, "azure.compute.restore-point")

    assert held(found) == {("user", WHO, access, "azure.rbac/Owner") for access in ("read", "reshare")}


def test_a_community_gallery_is_public_once_it_is_switched_on(arm: Arm) -> None:
    arm.writer.gallery(GROUP, "gallery", "Community")
    stored = arm.sandbox.estate.resource(f"{arm.group}/providers/Microsoft.Compute/galleries/gallery")
    stored["properties"]["sharingProfile"]["communityGalleryInfo"] = {"communityGalleryEnabled": False}
    armed = _one(arm, "azure.compute.gallery")
    _share(arm, "gallery", "EnableCommunity")

    on = _one(arm, "azure.compute.gallery")

    assert grants(armed) == grants(on) == {COMMUNITY}
    assert (armed.resource.limits, on.resource.limits) == (Limits(blocks=("public",)), None)
    assert on.resource.type == ResourceType.CONTAINER


def test_a_community_gallery_is_seen_while_roles_cannot_be_read(arm: Arm) -> None:
    arm.writer.gallery(GROUP, "gallery", "Community")
    arm.fault(FaultKind.DENIED, ASSIGNMENTS)

    found = _one(arm, "azure.compute.gallery")

    assert found.grants is None
    assert found.miss is not None
    assert "open to everyone" in found.miss.reason
    assert found.resource.attributes["shared_with"] == ["public community"]


@pytest.mark.parametrize("profile", [{"permissions": "Everyone"}, {"permissions": "Groups", "groups": "all"}])
def test_a_sharing_profile_of_the_future_is_unknown_and_not_private(arm: Arm, profile: dict[str, Any]) -> None:
    arm.writer.gallery(GROUP, "gallery")
    stored = arm.sandbox.estate.resource(f"{arm.group}/providers/Microsoft.Compute/galleries/gallery")
    stored["properties"]["sharingProfile"] = profile

    found = _one(arm, "azure.compute.gallery")

    assert found.grants is None
    assert found.miss is not None
    assert "not one this version knows" in found.miss.reason


def test_a_version_stands_behind_its_gallery(arm: Arm) -> None:
    arm.writer.gallery(GROUP, "gallery")
    arm.writer.version(GROUP, "gallery", "base", "1.0.0", DISK)

    gallery, version = _one(arm, "azure.compute.gallery"), _one(arm, "azure.compute.gallery-version")

    assert version.resource.guards == (gallery.resource.uid, arm.group.lower(), HERE)
    assert version.resource.name == "base/1.0.0"
    assert version.resource.source == DISK.lower()


def test_only_disks_with_a_live_link_are_there(arm: Arm) -> None:
    arm.writer.disk(GROUP, "quiet")
    arm.writer.disk(GROUP, "loud")
    assert arm.kind("azure.compute.disk") == []

    arm.writer.compute.disks.begin_grant_access(GROUP, "loud", LINK).result()
    loud = _one(arm, "azure.compute.disk")
    assert loud.resource.name == "loud"
    assert grants(loud) == {SAS}

    arm.writer.compute.disks.begin_revoke_access(GROUP, "loud").result()
    assert arm.kind("azure.compute.disk") == []


@pytest.mark.parametrize("kind", ["azure.compute.disk", "azure.compute.snapshot"])
def test_a_new_link_is_seen_while_roles_cannot_be_read(arm: Arm, kind: str) -> None:
    arm.snapshot("one")
    arm.writer.disk(GROUP, "one")
    fault = arm.fault(FaultKind.DENIED, ASSIGNMENTS)
    before = {each.resource.uid: each.resource.attributes["live_sas"] for each in arm.kind(kind)}
    arm.writer.snapshots.begin_grant_access(GROUP, "one", LINK).result()
    arm.writer.compute.disks.begin_grant_access(GROUP, "one", LINK).result()

    denied = _one(arm, kind)
    arm.switchboard.heal(fault)
    healed = _one(arm, kind)

    assert before.get(denied.resource.uid) is None
    assert denied.grants is None
    assert grants(healed) == {SAS}
    # The attribute does not depend on the roles: a refusal of those changes nothing that was approved.
    assert denied.resource == healed.resource
    assert denied.resource.attributes["live_sas"] is True


def test_no_link_is_kept_of_a_disk_or_an_image(arm: Arm) -> None:
    arm.writer.disk(GROUP, "one")
    arm.writer.compute.disks.begin_grant_access(GROUP, "one", LINK).result()
    image = arm.sandbox.estate.resource(arm.writer.image(GROUP, "one", DISK))
    blob = "https://user:pw@acct.blob.core.windows.net/vhds/os.vhd?sv=2022&sig=topsecret"
    image["properties"]["storageProfile"]["osDisk"] = {"blobUri": blob, "osType": "Linux"}

    found = [*arm.kind("azure.compute.disk"), *arm.kind("azure.compute.image")]

    kept = json.dumps([asdict(each.resource) for each in found], default=str) + repr([each.grants for each in found])
    assert not any(secret in kept for secret in ("sig=", "topsecret", "sandboxsignature", "user:pw", "faketoken"))
    assert "https://acct.blob.core.windows.net/vhds/os.vhd" in kept


def _connection(name: str, subscription: str, status: str) -> dict[str, Any]:
    endpoint = f"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/{name}"
    state = {"status": status, "description": "", "actionsRequired": "None"}
    return {
        "name": name,
        "properties": {"privateEndpoint": {"id": endpoint}, "privateLinkServiceConnectionState": state},
    }


def test_private_endpoints_are_grants_to_the_subscription_they_lie_in(arm: Arm) -> None:
    accesses = arm.writer.compute.disk_accesses
    address = accesses.begin_create_or_update(GROUP, "private", {"location": "westeurope"}).result().id
    connections = arm.sandbox.estate.resource(address)["properties"]["privateEndpointConnections"]
    connections += [_connection("ours", HERE[15:], "Approved"), _connection("theirs", WHO.upper(), "Pending")]
    waiting = _one(arm, "azure.compute.disk-access")
    approved = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}
    accesses.begin_update_a_private_endpoint_connection(GROUP, "private", "theirs", approved).result()

    let_in = _one(arm, "azure.compute.disk-access")

    way = "azure.disk-access/private-endpoint"
    assert held(waiting) == {("subscription", HERE[15:], "read", way)}
    assert [str(each).split("/")[2] for each in waiting.resource.attributes["waiting_for_approval"] or ()] == [WHO]  # type: ignore[union-attr]
    assert held(let_in) == {("subscription", HERE[15:], "read", way), ("subscription", WHO, "read", way)}
    assert let_in.resource.attributes["waiting_for_approval"] is None


def test_microsofts_own_example_of_a_disk_access(arm: Arm) -> None:
    """DiskAccess_Get_WithPrivateEndpoints of azure-rest-api-specs: an endpoint whose connection approved itself."""
    accesses = arm.writer.compute.disk_accesses
    address = accesses.begin_create_or_update(GROUP, "private", {"location": "westeurope"}).result().id
    endpoint = "/subscriptions/{subscription-id}/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/mine"
    state = {"actionsRequired": "None", "description": "Auto-Approved", "status": "Approved"}
    arm.sandbox.estate.resource(address)["properties"]["privateEndpointConnections"] = [
        {
            "name": "myDiskAccess.d4914cfa-6bc2-4049-a57c-3d1f622d8eef",
            "type": "Microsoft.Compute/diskAccesses/PrivateEndpointConnections",
            "properties": {
                "provisioningState": "Succeeded",
                "privateEndpoint": {"id": endpoint},
                "privateLinkServiceConnectionState": state,
            },
        },
        {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}},
    ]

    assert {(kind, key) for kind, key, _, _ in held(_one(arm, "azure.compute.disk-access"))} == {
        ("subscription", "{subscription-id}"),
        ("other", "unknown private endpoint"),
    }


def test_a_restore_point_is_as_open_as_its_most_open_disk(arm: Arm) -> None:
    arm.writer.restore_point(GROUP, "vm", "one")
    estate = arm.sandbox.estate
    (disk,) = estate.of_type("Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints", arm.group)
    disk["properties"] |= {"networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"}
    twin = {**disk, "id": f"{disk['id']}-data", "properties": {**disk["properties"]}}
    estate.resources[twin["id"].lower()] = twin
    closed = _one(arm, "azure.compute.restore-point").resource
    twin["properties"]["networkAccessPolicy"] = "AllowPrivate"
    opened = _one(arm, "azure.compute.restore-point").resource
    twin["properties"]["networkAccessPolicy"] = "AllowMartians"
    strange = _one(arm, "azure.compute.restore-point").resource

    settings = [each.attributes["network_access_policy"] for each in (closed, opened, strange)]
    assert settings == ["DenyAll", "AllowPrivate", "AllowMartians"]
    assert closed.attributes["public_network_access"] == "Disabled"
    assert closed.uid == opened.uid == strange.uid
    collection = _one(arm, "azure.compute.restore-point-collection").resource
    assert closed.guards == (collection.uid, arm.group.lower(), HERE)
    assert closed.source == collection.source


def test_the_posture_of_a_recovery_services_vault(arm: Arm) -> None:
    arm.writer.vault(
        GROUP,
        "vault",
        securitySettings={
            "immutabilitySettings": {"state": "Locked"},
            "softDeleteSettings": {"softDeleteState": "AlwaysON", "softDeleteRetentionPeriodInDays": 14},
            "multiUserAuthorization": "Enabled",
        },
        restoreSettings={"crossSubscriptionRestoreSettings": {"crossSubscriptionRestoreState": "PermanentlyDisabled"}},
        redundancySettings={"crossRegionRestore": "Disabled"},
        publicNetworkAccess="Disabled",
    )

    found = _one(arm, "azure.recoveryservices.vault").resource

    assert found.type == ResourceType.GUARDRAIL
    assert {name: value for name, value in found.attributes.items() if value is not None} == {
        "location": "westeurope",
        "immutability": "Locked",
        "deletion_protection": True,
        "soft_delete_permanent": True,
        "cross_subscription_restore": "PermanentlyDisabled",
        "cross_region_restore": "Disabled",
        "multi_user_authorization": "Enabled",
        "public_network_access": "Disabled",
    }


@pytest.mark.parametrize(
    ("state", "protected", "permanent"),
    [("Off", False, False), ("On", True, False), ("AlwaysOn", True, True), ("Sometimes", None, False)],
)
def test_the_posture_of_a_backup_vault(arm: Arm, state: str, protected: bool | None, permanent: bool) -> None:
    arm.writer.vault(
        GROUP,
        "vault",
        BACKUP_VAULTS,
        securitySettings={"softDeleteSettings": {"state": state}, "immutabilitySettings": {"state": "Disabled"}},
        featureSettings={"crossSubscriptionRestoreSettings": {"state": "Enabled"}},
    )

    attributes = _one(arm, "azure.dataprotection.backup-vault").resource.attributes

    assert (attributes["deletion_protection"], attributes["soft_delete_permanent"]) == (protected, permanent)
    assert (attributes["immutability"], attributes["cross_subscription_restore"]) == (None, "Enabled")


def test_a_role_on_a_gallery_that_only_shares(arm: Arm) -> None:
    address = arm.writer.gallery(GROUP, "gallery")
    role = "77777777-0000-4000-8000-000000000001"
    permissions = [{"actions": ["Microsoft.Compute/galleries/share/action"], "notActions": []}]
    definition = {"properties": {"roleName": "Sharer", "permissions": permissions, "assignableScopes": [HERE]}}
    arm.writer.definitions.create_or_update(HERE.lstrip("/"), role, definition)
    arm.writer.assign(address, role, WHO, "User")
    arm.writer.assign(address, roles.CONTRIBUTOR, WHO, "Group")

    assert held(_one(arm, "azure.compute.gallery")) == {
        ("user", WHO, "reshare", "azure.rbac/Sharer"),
        ("group", WHO, "launch", "azure.rbac/Contributor"),
    }
