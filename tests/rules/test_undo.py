"""The command that takes a share back, in the cloud's own command line."""

from dataclasses import replace

import pytest

from snapbase.exposure import Exposure
from snapbase.model import Access, Grant, Principal, PrincipalKind, Scope
from snapbase.rules.example import shared
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass

_COMPUTE = "//compute.googleapis.com/projects/prod"
_MANAGER = "//cloudresourcemanager.googleapis.com"
_EVE = ("--member", "user:eve@evil.example", "--role", "roles/compute.storageAdmin")


def _undo(kind: PrincipalKind, key: str, mechanism: str, scope: Scope, address: str) -> str:
    change = shared(kind, key, TrustClass.UNKNOWN, scope=scope, address=address)
    assert isinstance(change.exposure, Exposure)
    grant = Grant(Principal(kind, key), Access.READ, mechanism)
    return unshare(replace(change, exposure=replace(change.exposure, grant=grant)))


@pytest.mark.parametrize(
    ("address", "command", "more"),
    [
        (f"{_COMPUTE}/global/snapshots/db", "compute snapshots", "--project=prod"),
        (f"{_COMPUTE}/regions/eu-west1/snapshots/db", "compute snapshots", "--region=eu-west1 --project=prod"),
        (f"{_COMPUTE}/global/images/db", "compute images", "--project=prod"),
        (f"{_COMPUTE}/global/machineImages/db", "compute machine-images", "--project=prod"),
        (f"{_COMPUTE}/zones/eu-west1-b/disks/db", "compute disks", "--zone=eu-west1-b --project=prod"),
        (f"{_COMPUTE}/zones/a-b/instantSnapshots/db", "compute instant-snapshots", "--zone=a-b --project=prod"),
        (f"{_MANAGER}/projects/db", "projects", ""),
        (f"{_MANAGER}/folders/db", "resource-manager folders", ""),
        (f"{_MANAGER}/organizations/db", "organizations", ""),
    ],
)
def test_a_gcp_binding_is_removed_where_it_stands(address: str, command: str, more: str) -> None:
    scope = Scope("gcp", "prod", "global", "gcp.anything")

    said = _undo(PrincipalKind.USER, "eve@evil.example", "gcp.iam/roles/compute.storageAdmin", scope, address)

    assert said == f"gcloud {command} remove-iam-policy-binding db {' '.join(_EVE)} {more}".strip()


def test_what_has_no_single_command_has_none() -> None:
    scope = Scope("gcp", "prod", "global", "gcp.anything")

    for address in ("", "//", "//sqladmin.googleapis.com/projects/prod/instances/orders"):
        assert _undo(PrincipalKind.USER, "eve@evil.example", "gcp.iam/roles/owner", scope, address) == ""


@pytest.mark.parametrize(
    ("kind", "key", "word"),
    [
        (PrincipalKind.PUBLIC, "all", "--group-names all"),
        (PrincipalKind.ACCOUNT, "999988887777", "--user-ids 999988887777"),
    ],
)
def test_an_ebs_share_is_removed(kind: PrincipalKind, key: str, word: str) -> None:
    scope = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")

    said = _undo(kind, key, "ec2:createVolumePermission", scope, "arn:aws:ec2:eu-west-1::snapshot/snap-1")

    assert said == (
        "aws ec2 modify-snapshot-attribute --snapshot-id snap-1 --attribute createVolumePermission"
        f" --operation-type remove {word} --region eu-west-1"
    )


@pytest.mark.parametrize(
    ("scope_kind", "kind", "key", "mechanism", "address", "expected"),
    [
        ("azure.compute.disk", "bearer", "sas", "azure.sas", "/x/disks/d", "az disk revoke-access --ids /x/disks/d"),
        ("azure.compute.snapshot", "bearer", "sas", "azure.sas", "/x/s", "az snapshot revoke-access --ids /x/s"),
        (
            "azure.compute.gallery", "tenant", "t", "azure.gallery/direct sharing",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/images",
            "az sig share remove --resource-group g --gallery-name images --tenant-ids t",
        ),
        (
            "azure.compute.gallery", "public", "community", "azure.gallery/community",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/images",
            "az sig share reset --resource-group g --gallery-name images",
        ),
        (
            "azure.lighthouse", "tenant", "t", "azure.lighthouse/Contributor", "/a/b",
            "az managedservices assignment delete --assignment /a/b",
        ),
        ("azure.rbac.eligible", "user", "u", "azure.pim/Owner", "/a", ""),
        (
            "azure.rbac", "user", "u", "azure.rbac/Owner", "/a",
            "az role assignment delete --assignee u --role Owner --scope /a",
        ),
    ],
)  # fmt: skip
def test_an_azure_share_is_taken_back_by_its_own_command(
    scope_kind: str, kind: str, key: str, mechanism: str, address: str, expected: str
) -> None:
    assert _undo(PrincipalKind(kind), key, mechanism, Scope("azure", "s", "global", scope_kind), address) == expected
