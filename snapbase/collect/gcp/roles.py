"""What a role allows: predefined ones by the table, custom ones by what the IAM API says they permit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from snapbase.collect.gcp.role_table import HOLDERS
from snapbase.model import Access

UNRESOLVED = "what this custom role permits was not read"
"""The condition that a grant by a custom role carries, so that its effect counts as unknown, never as none."""

Resolve: TypeAlias = Callable[[str], frozenset[str] | None]
"""A custom role's permissions by its name; None where they cannot be read."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The permissions that matter on one sort of resource."""

    read: tuple[str, ...]
    """Each lets its holder make a disk, a machine or a database of the data, or send it somewhere."""
    reshare: tuple[str, ...] = ()
    """Each lets its holder change the policy, and so give itself and others the rest."""

    def access(self, role: str, resolve: Resolve) -> tuple[Access | None, bool]:
        """The most that a role allows here, None if nothing; and whether that is certain."""
        held = resolve(role) if is_custom(role) else frozenset(each for each in HOLDERS if role in HOLDERS[each])
        if held is None:
            return Access.READ, False
        if held.intersection(self.reshare):
            return Access.RESHARE, True
        return (Access.READ if held.intersection(self.read) else None), True


SNAPSHOT = Reach(("compute.snapshots.useReadOnly",), ("compute.snapshots.setIamPolicy",))
IMAGE = Reach(("compute.images.useReadOnly",), ("compute.images.setIamPolicy",))
MACHINE_IMAGE = Reach(("compute.machineImages.useReadOnly",), ("compute.machineImages.setIamPolicy",))
INSTANT_SNAPSHOT = Reach(
    ("compute.instantSnapshots.useReadOnly", "compute.instantSnapshots.export"),
    ("compute.instantSnapshots.setIamPolicy",),
)
DISK = Reach(
    ("compute.disks.useReadOnly", "compute.disks.use", "compute.disks.createSnapshot"), ("compute.disks.setIamPolicy",)
)
KEY = Reach(("cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeyVersions.useToDecryptViaDelegation"))
"""No data by itself: what a key encrypts has a policy of its own."""
_SQL = Reach(("cloudsql.instances.export", "cloudsql.backupRuns.export", "cloudsql.instances.clone"))
_VAULT = Reach(("backupdr.bvbackups.restore",))
_SORTS = (SNAPSHOT, IMAGE, MACHINE_IMAGE, INSTANT_SNAPSHOT, DISK, _SQL, _VAULT)
PROJECT = Reach(
    tuple(permission for sort in _SORTS for permission in sort.read),
    (*(permission for sort in _SORTS for permission in sort.reshare), "resourcemanager.projects.setIamPolicy"),
)
FOLDER = Reach(PROJECT.read, (*PROJECT.reshare, "resourcemanager.folders.setIamPolicy"))
ORGANIZATION = Reach(FOLDER.read, (*FOLDER.reshare, "resourcemanager.organizations.setIamPolicy"))


def is_custom(role: str) -> bool:
    """Whether a project or an organisation made the role: `projects/p/roles/r`."""
    return not role.startswith("roles/")
