"""azure.compute.snapshot: what is read of a snapshot, who can reach its data, and what is never kept."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from snapbase.collect.azure import compute_snapshot
from snapbase.collect.azure.compute_snapshot import resource_of
from snapbase.collect.azure.errors import Unread, classify
from snapbase.collect.azure.managed import SAS
from snapbase.model import Limits, Outcome, PrincipalKind, Scope
from snapbase.sandbox.azure import roles
from snapbase.sandbox.faults import FaultKind
from tests.collect.azure.arm import GROUP, HERE, SUBSCRIPTION, WHO, Arm, grants, held

LIST = "Microsoft.Compute/snapshots/read"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"
UNIQUE = "A395E9C1-FB9E-446E-A9BA-7B2FA0BCD305"


def _listed(**properties: Any) -> dict[str, Any]:
    """A list item as ARM sends it, of a version that may be newer than the SDK."""
    return {
        "id": f"{HERE}/resourceGroups/{GROUP}/providers/Microsoft.Compute/snapshots/one",
        "name": "one",
        "location": "westeurope",
        "properties": {"uniqueId": UNIQUE, "timeCreated": "2024-12-28T04:41:35.0798721+00:00", **properties},
    }


def test_a_snapshot_as_arm_describes_it(arm: Arm) -> None:
    keys = f"{arm.group}/providers/Microsoft.Compute/diskEncryptionSets/DES-One"
    address = arm.snapshot(
        "one",
        incremental=True,
        networkAccessPolicy="DenyAll",
        encryption={"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": keys},
    )

    resource = arm.snapshots()["one"].resource

    assert resource.uid == arm.stored("one")["properties"]["uniqueId"]
    assert resource.address == address
    assert resource.created_at is not None
    assert resource.created_at.utcoffset() is not None
    assert (resource.owner, resource.encrypted, resource.inferred) == (SUBSCRIPTION, True, None)
    assert resource.key == keys.lower()
    assert resource.source == f"{arm.group}/providers/microsoft.compute/disks/disk-one".lower()
    assert resource.guards == (f"{HERE}/resourcegroups/{GROUP}", HERE)
    assert resource.attributes["network_access_policy"] == "DenyAll"
    assert resource.attributes["public_network_access"] == "Enabled"
    assert resource.attributes["encryption_type"] == "EncryptionAtRestWithCustomerKey"
    assert resource.attributes["incremental"] is True


def test_every_page_is_read(arm: Arm) -> None:
    arm.sandbox.page_size = 2
    names = {f"snap-{number}" for number in range(5)}
    for name in names:
        arm.snapshot(name)
    arm.switchboard.calls.clear()

    assert set(arm.snapshots()) == names
    assert [call[3] for call in arm.switchboard.calls].count(LIST) == 3


def test_a_page_that_is_refused_leaves_the_list_incomplete(arm: Arm) -> None:
    arm.sandbox.page_size = 2
    for number in range(3):
        arm.snapshot(f"snap-{number}")
    arm.fault(FaultKind.DENIED, LIST, skip=1)
    reading = compute_snapshot.read(arm.target().handle, Scope("azure", SUBSCRIPTION, "global", "x"))

    assert [next(reading).resource.name, next(reading).resource.name] == ["snap-0", "snap-1"]
    with pytest.raises(Unread) as refused:
        next(reading)
    miss = classify(refused.value)
    assert miss is not None
    assert miss.outcome == Outcome.DENIED
    assert LIST in miss.reason
    assert SUBSCRIPTION in miss.reason


def test_an_item_that_moves_to_the_next_page_is_yielded_once(arm: Arm) -> None:
    arm.sandbox.page_size = 1
    arm.snapshot("one")
    twin = arm.stored("one") | {"id": f"{arm.group}/providers/Microsoft.Compute/snapshots/two"}
    arm.sandbox.estate.resources[twin["id"].lower()] = twin

    observations = arm.read(compute_snapshot.COLLECTOR)

    assert len(observations) == 1


def test_throttling_is_waited_out(arm: Arm) -> None:
    arm.snapshot("one")
    fault = arm.fault(FaultKind.THROTTLED, LIST, times=2)

    assert set(arm.snapshots()) == {"one"}
    assert fault.struck == 2


def test_a_deleted_snapshot_is_gone(arm: Arm) -> None:
    arm.snapshot("one")
    arm.snapshot("two")
    arm.writer.snapshots.begin_delete(GROUP, "one").result()

    assert set(arm.snapshots()) == {"two"}


def test_recreated_under_the_same_name_is_another(arm: Arm) -> None:
    arm.snapshot("one")
    before = arm.snapshots()["one"].resource
    arm.writer.snapshots.begin_delete(GROUP, "one").result()
    arm.snapshot("one")

    after = arm.snapshots()["one"].resource

    assert before.address == after.address
    assert before.uid != after.uid


def test_an_update_keeps_the_identity(arm: Arm) -> None:
    arm.snapshot("one", networkAccessPolicy="DenyAll")
    before = arm.snapshots()["one"].resource
    opened = {"properties": {"networkAccessPolicy": "AllowAll"}, "tags": {"team": "x"}}
    arm.writer.snapshots.begin_update(GROUP, "one", opened).result()

    after = arm.snapshots()["one"].resource

    assert before.uid == after.uid
    assert before.attributes["network_access_policy"] == "DenyAll"
    assert after.attributes["network_access_policy"] == "AllowAll"
    assert after.tags == {"team": "x"}


def test_a_live_sas_is_a_grant_until_it_is_revoked(arm: Arm) -> None:
    arm.snapshot("one")
    assert grants(arm.snapshots()["one"]) == frozenset()

    arm.writer.snapshots.begin_grant_access(GROUP, "one", {"access": "Read", "durationInSeconds": 300}).result()
    assert grants(arm.snapshots()["one"]) == {SAS}

    arm.writer.snapshots.begin_revoke_access(GROUP, "one").result()
    assert grants(arm.snapshots()["one"]) == frozenset()


@pytest.mark.parametrize("state", ["ActiveSAS", "ActiveSASFrozen", "activesas"])
def test_every_state_with_a_readable_link_counts(arm: Arm, state: str) -> None:
    arm.snapshot("one")
    arm.stored("one")["properties"]["diskState"] = state

    assert SAS in grants(arm.snapshots()["one"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("User", PrincipalKind.USER),
        ("Group", PrincipalKind.GROUP),
        ("ServicePrincipal", PrincipalKind.SERVICE_PRINCIPAL),
        ("ForeignGroup", PrincipalKind.FOREIGN_GROUP),
        ("Device", PrincipalKind.OTHER),
        ("SomethingNew", PrincipalKind.OTHER),
    ],
)
def test_direct_assignments_by_kind_of_principal(arm: Arm, kind: str, expected: str) -> None:
    address = arm.snapshot("one")
    arm.writer.assign(address, roles.DISK_SNAPSHOT_CONTRIBUTOR, WHO.upper(), kind)

    assert held(arm.snapshots()["one"]) == {(expected, WHO, "read", "azure.rbac/Disk Snapshot Contributor")}


def test_owner_on_a_snapshot_can_reshare_and_reader_can_do_nothing(arm: Arm) -> None:
    address = arm.snapshot("one")
    arm.writer.assign(address, roles.OWNER, WHO, "User")
    arm.writer.assign(address, roles.READER, "00000000-0000-4000-8000-0000000000ee", "User")

    assert held(arm.snapshots()["one"]) == {
        ("user", WHO, "read", "azure.rbac/Owner"),
        ("user", WHO, "reshare", "azure.rbac/Owner"),
    }


def test_assignments_above_are_not_repeated_on_every_snapshot(arm: Arm) -> None:
    arm.snapshot("one")
    arm.writer.assign(HERE, roles.OWNER, WHO, "User")
    arm.writer.assign(arm.group, roles.OWNER, WHO, "User")

    assert grants(arm.snapshots()["one"]) == frozenset()


def test_scopes_and_ids_meet_whatever_their_case(arm: Arm) -> None:
    address = arm.snapshot("One")
    arm.writer.assign(address.upper(), roles.DISK_SNAPSHOT_CONTRIBUTOR, WHO, "User")

    assert len(grants(arm.snapshots()["One"])) == 1


def test_a_condition_is_kept_as_written(arm: Arm) -> None:
    address = arm.snapshot("one")
    condition = "@Resource[Microsoft.Compute/snapshots:name] StringEquals 'x'"
    arm.writer.assign(address, roles.DISK_SNAPSHOT_CONTRIBUTOR, WHO, "User", condition=condition)

    assert {grant.condition for grant in grants(arm.snapshots()["one"])} == {condition}


def test_unread_assignments_make_every_snapshots_sharing_unknown(arm: Arm) -> None:
    arm.snapshot("one")
    arm.snapshot("two")
    arm.writer.snapshots.begin_grant_access(GROUP, "two", {"access": "Read", "durationInSeconds": 300}).result()
    arm.fault(FaultKind.DENIED, ASSIGNMENTS)

    found = arm.snapshots()

    assert set(found) == {"one", "two"}
    assert all(each.grants is None for each in found.values())
    for name, live in (("one", False), ("two", True)):
        miss = found[name].miss
        assert miss is not None
        assert miss.outcome == Outcome.DENIED
        assert ASSIGNMENTS in miss.reason
        assert ("a SAS is live" in miss.reason) is live


def test_a_role_that_cannot_be_read_makes_that_snapshots_sharing_unknown(arm: Arm) -> None:
    address = arm.snapshot("one")
    arm.snapshot("two")
    arm.writer.assign(address, "99999999-0000-4000-8000-000000000000", WHO, "User")

    found = arm.snapshots()

    assert found["one"].grants is None
    miss = found["one"].miss
    assert miss is not None
    assert "99999999-0000-4000-8000-000000000000" in miss.reason
    assert grants(found["two"]) == frozenset()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"networkAccessPolicy": "AllowAll", "publicNetworkAccess": "Enabled"}, None),
        ({"networkAccessPolicy": "DenyAll"}, Limits(blocks=("bearer",))),
        ({"networkAccessPolicy": "denyall"}, Limits(blocks=("bearer",))),
        ({"networkAccessPolicy": "AllowPrivate"}, Limits(blocks=("bearer",))),
        ({"publicNetworkAccess": "Disabled"}, Limits(blocks=("bearer",))),
        ({"networkAccessPolicy": "0"}, Limits(unknown="network setting '0' is not one this version knows")),
    ],
)
def test_what_the_network_settings_do_to_a_link(settings: dict[str, str], expected: Limits | None) -> None:
    assert resource_of(_listed(**settings), SUBSCRIPTION).limits == expected


def test_immutability_is_posture_and_its_end_a_fact() -> None:
    policy = {
        "type": "Locked",
        "immutabilityDurationDays": 7,
        "policyStartTime": "2026-01-01T00:00:00Z",
        "policyExpirationTime": "2026-01-08T00:00:00Z",
        "isPolicyExpired": False,
    }

    resource = resource_of(_listed(immutabilityPolicy=policy), SUBSCRIPTION)

    assert resource.attributes["immutability"] == "Locked"
    assert resource.attributes["immutability_days"] == 7
    assert resource.facts["immutability_expires_at"] == "2026-01-08T00:00:00+00:00"


def test_what_changes_by_itself_is_left_out() -> None:
    calm = _listed(completionPercent=10.0, provisioningState="Updating", snapshotAccessState="Pending", diskSizeBytes=1)
    later = _listed(
        completionPercent=100.0,
        provisioningState="Succeeded",
        snapshotAccessState="Available",
        diskSizeBytes=2,
        aFieldOfTheFuture={"any": ["thing"]},
    )
    later |= {"etag": "x", "systemData": {"lastModifiedAt": "2026-01-01T00:00:00Z", "lastModifiedBy": "eve"}}

    assert resource_of(calm, SUBSCRIPTION) == resource_of(later, SUBSCRIPTION)


def test_enums_and_fields_of_the_future_pass_through_the_sdk(arm: Arm) -> None:
    arm.snapshot("one")
    arm.sandbox.estate.strict = False
    arm.stored("one")["properties"] |= {
        "diskState": "0",
        "networkAccessPolicy": "AllowMartians",
        "publicNetworkAccess": 7,
        "incremental": "perhaps",
        "brandNew": {"deep": [1]},
    }

    resource = arm.snapshots()["one"].resource

    assert resource.attributes["network_access_policy"] == "AllowMartians"
    assert resource.attributes["public_network_access"] is None
    assert resource.attributes["incremental"] is None


def test_hostile_names_and_tags_arrive_unharmed_and_unused(arm: Arm) -> None:
    arm.snapshot("one")
    evil = "\x1b[31m=cmd|' /C calc'!A0\r\n<script>{0.__class__}%s/../../etc/passwd"
    arm.stored("one").update(name=evil, tags={evil: evil, "number": 7})

    resource = arm.snapshots()[evil].resource

    assert resource.name == evil
    assert resource.tags == {evil: evil}


def test_without_a_unique_id_the_time_of_creation_tells_incarnations_apart() -> None:
    listed = _listed()
    del listed["properties"]["uniqueId"]

    assert resource_of(listed, SUBSCRIPTION).uid == f"{listed['id'].lower()}@2024-12-28T04:41:35.0798721+00:00"
    assert resource_of(_listed(), SUBSCRIPTION).uid == UNIQUE.lower()


def test_a_snapshot_still_being_made_without_identity_is_not_one_yet(arm: Arm) -> None:
    arm.snapshot("one")
    properties = arm.stored("one")["properties"]
    properties["provisioningState"] = "Updating"
    assert set(arm.snapshots()) == {"one"}

    del properties["uniqueId"], properties["timeCreated"]
    assert arm.snapshots() == {}


def test_no_secret_is_kept(arm: Arm) -> None:
    arm.snapshot("one")
    arm.writer.snapshots.begin_grant_access(GROUP, "one", {"access": "Read", "durationInSeconds": 300}).result()
    blob = "https://user:pw@acct.blob.core.windows.net/vhds/os.vhd?sv=2022&sig=topsecret"
    arm.stored("one")["properties"]["creationData"] = {"createOption": "Import", "sourceUri": blob}

    observation = arm.snapshots()["one"]

    assert observation.resource.source == "https://acct.blob.core.windows.net/vhds/os.vhd"
    kept = json.dumps(asdict(observation.resource), default=str) + repr(observation.grants)
    assert not any(secret in kept for secret in ("sig=", "topsecret", "sandboxsignature", "user:pw", "faketoken"))


@pytest.mark.parametrize("source", ["not a url", "http://[", "", 7, None])
def test_a_source_that_is_no_url_is_none(source: object) -> None:
    assert resource_of(_listed(creationData={"sourceUri": source}), SUBSCRIPTION).source is None


def test_an_id_without_a_leading_slash_is_the_same_source() -> None:
    """Microsoft's own examples carry both."""
    bare = resource_of(_listed(creationData={"sourceResourceId": "subscriptions/s/x/Disk"}), SUBSCRIPTION)
    full = resource_of(_listed(creationData={"sourceResourceId": "/subscriptions/s/x/disk"}), SUBSCRIPTION)

    assert bare.source == full.source == "/subscriptions/s/x/disk"
