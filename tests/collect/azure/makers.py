"""One of each kind, made through the real SDK: what the tests over all kinds are parametrised with."""

from collections.abc import Callable
from dataclasses import dataclass

from snapbase.sandbox.azure import roles
from tests.collect.azure.arm import GROUP, HERE, WHO, Arm

DISK = f"{HERE}/resourceGroups/{GROUP}/providers/Microsoft.Compute/disks/one"
VAULTS = "RecoveryServices/vaults"
BACKUP_VAULTS = "DataProtection/backupVaults"


@dataclass(frozen=True)
class Maker:
    kind: str
    operation: str
    """Its list."""
    make: Callable[[Arm, str], str]
    """Makes one of that name; returns its ARM id."""
    access: str = "read"
    """What Owner on one gives beside re-sharing."""
    born: bool = True
    """Whether ARM says when it was made, or gives it an id of its own."""


def _live_disk(arm: Arm, name: str) -> str:
    address = arm.writer.disk(GROUP, name)
    arm.writer.compute.disks.begin_grant_access(GROUP, name, {"access": "Read", "durationInSeconds": 60}).result()
    return address


def _access(arm: Arm, name: str) -> str:
    accesses = arm.writer.compute.disk_accesses
    return str(accesses.begin_create_or_update(GROUP, name, {"location": "westeurope"}).result().id)


def _version(arm: Arm, name: str) -> str:
    arm.writer.gallery(GROUP, "gallery")
    return arm.writer.version(GROUP, "gallery", f"image-{name}", "1.0.0", DISK)


def _collection(arm: Arm, name: str) -> str:
    return arm.writer.restore_point(GROUP, name, "first").partition("/restorePoints/")[0]


def _point(arm: Arm, name: str) -> str:
    return arm.writer.restore_point(GROUP, f"vm-{name}", name)


COMPUTE = "Microsoft.Compute"
MAKERS = (
    Maker("azure.compute.snapshot", f"{COMPUTE}/snapshots/read", lambda arm, name: arm.snapshot(name)),
    Maker("azure.compute.disk", f"{COMPUTE}/disks/read", _live_disk),
    Maker("azure.compute.disk-access", f"{COMPUTE}/diskAccesses/read", _access),
    Maker(
        "azure.compute.image",
        f"{COMPUTE}/images/read",
        lambda arm, name: arm.writer.image(GROUP, name, DISK),
        access="launch",
    ),
    Maker(
        "azure.compute.gallery",
        f"{COMPUTE}/galleries/read",
        lambda arm, name: arm.writer.gallery(GROUP, name),
        access="launch",
    ),
    Maker("azure.compute.gallery-version", f"{COMPUTE}/galleries/images/versions/read", _version, access="launch"),
    Maker("azure.compute.restore-point-collection", f"{COMPUTE}/restorePointCollections/read", _collection),
    Maker(
        "azure.compute.restore-point",
        f"{COMPUTE}/restorePointCollections/restorePoints/diskRestorePoints/read",
        _point,
    ),
    Maker(
        "azure.recoveryservices.vault",
        "Microsoft.RecoveryServices/vaults/read",
        lambda arm, name: arm.writer.vault(GROUP, name),
        access="restore",
    ),
    Maker(
        "azure.dataprotection.backup-vault",
        "Microsoft.DataProtection/backupVaults/read",
        lambda arm, name: arm.writer.vault(GROUP, name, BACKUP_VAULTS),
        access="restore",
    ),
)
ROLED = tuple(each for each in MAKERS if each.kind != "azure.compute.disk-access")
"""Those on which a role gives access."""
BESIDE = (
    Maker(
        "azure.rbac.eligible",
        "Microsoft.Authorization/roleEligibilityScheduleInstances/read",
        lambda arm, name: arm.writer.make_eligible(arm.writer.group(f"rg-{name}"), roles.OWNER, WHO),
    ),
    Maker(
        "azure.lighthouse",
        "Microsoft.ManagedServices/registrationAssignments/read",
        lambda arm, name: arm.writer.delegate(arm.writer.group(f"rg-{name}"), WHO, roles.CONTRIBUTOR),
    ),
)
"""Those that are no resources in a resource group."""
