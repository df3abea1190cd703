"""Which IAM roles reach the data of snapshots and images, or can let others reach it.

The table holds every predefined role with one of five permissions, from the role definitions as of 22 August 2026
(iann0036/iam-dataset, gcp/roles: 2,461 roles as the IAM API's `roles.list` gave them). A predefined role that is not in
it held none of them then. What a custom role permits is not in its name: such a role is `UNRESOLVED`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from snapbase.model import Access

UNRESOLVED = "what this custom role permits was not read"
"""The condition that a grant by a custom role carries, so that its effect counts as unknown, never as none."""


def _roles(names: str) -> frozenset[str]:
    return frozenset(f"roles/{name}" for name in names.split())


HOLDERS: Mapping[str, frozenset[str]] = {
    "compute.snapshots.useReadOnly": _roles(
        """
        aiplatform.colabServiceAgent aiplatform.serviceAgent backupdr.computeEngineOperator backupdr.diskOperator
        backupdr.serviceAgent batch.serviceAgent clouddeploymentmanager.serviceAgent cloudmigration.inframanager
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.editor compute.instanceAdmin.v1
        compute.instanceGroupManagerServiceAgent compute.serviceAgent compute.storageAdmin container.serviceAgent
        dataflow.serviceAgent editor genomics.serviceAgent iam.infrastructureAdmin iam.networkAdmin
        iam.siteReliabilityEngineer lifesciences.serviceAgent notebooks.legacyAdmin notebooks.serviceAgent owner
        workstations.serviceAgent
        """
    ),
    "compute.snapshots.setIamPolicy": _roles(
        """
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.instanceAdmin.v1 compute.storageAdmin
        container.serviceAgent dataflow.serviceAgent genomics.serviceAgent iam.infrastructureAdmin iam.networkAdmin
        iam.securityAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent notebooks.legacyAdmin
        notebooks.serviceAgent owner
        """
    ),
    "compute.images.useReadOnly": _roles(
        """
        appengineflex.serviceAgent backupdr.computeEngineOperator backupdr.serviceAgent batch.serviceAgent
        clouddeploymentmanager.serviceAgent cloudmigration.inframanager cloudtpu.serviceAgent
        compliancescanning.serviceAgent composer.serviceAgent compute.admin compute.editor compute.imageUser
        compute.instanceAdmin compute.instanceAdmin.v1 compute.instanceGroupManagerServiceAgent compute.serviceAgent
        compute.storageAdmin container.serviceAgent dataflow.serviceAgent dataproc.serviceAgent editor
        genomics.serviceAgent hypercomputecluster.serviceAgent iam.infrastructureAdmin iam.networkAdmin
        iam.siteReliabilityEngineer iam.supportUser lifesciences.serviceAgent notebooks.legacyAdmin
        notebooks.serviceAgent owner viewer vmmigration.serviceAgent vpcaccess.serviceAgent
        """
    ),
    "compute.images.setIamPolicy": _roles(
        """
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.instanceAdmin.v1 compute.storageAdmin
        container.serviceAgent dataflow.serviceAgent genomics.serviceAgent iam.infrastructureAdmin iam.networkAdmin
        iam.securityAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent notebooks.legacyAdmin
        notebooks.serviceAgent owner
        """
    ),
    "resourcemanager.projects.setIamPolicy": _roles(
        """
        appengineflex.serviceAgent firebase.managementServiceAgent gkehub.crossProjectServiceAgent iam.securityAdmin
        krmapihosting.anthosApiEndpointServiceAgent owner privilegedaccessmanager.projectServiceAgent
        privilegedaccessmanager.serviceAgent resourcemanager.folderAdmin resourcemanager.organizationAdmin
        resourcemanager.projectIamAdmin
        """
    ),
}
"""Predefined roles by the permission they hold."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The permissions that matter on one sort of resource."""

    read: tuple[str, ...]
    """Each lets its holder make a disk of the data, in any project."""
    reshare: tuple[str, ...]
    """Each lets its holder change the policy, and so give itself and others the rest."""

    def access(self, role: str) -> Access | None:
        """The most that a role allows here; None: nothing that takes data. A custom role might allow reading."""
        if any(role in HOLDERS[permission] for permission in self.reshare):
            return Access.RESHARE
        if is_custom(role) or any(role in HOLDERS[permission] for permission in self.read):
            return Access.READ
        return None


SNAPSHOT = Reach(("compute.snapshots.useReadOnly",), ("compute.snapshots.setIamPolicy",))
IMAGE = Reach(("compute.images.useReadOnly",), ("compute.images.setIamPolicy",))
PROJECT = Reach(
    (*SNAPSHOT.read, *IMAGE.read), (*SNAPSHOT.reshare, *IMAGE.reshare, "resourcemanager.projects.setIamPolicy")
)


def is_custom(role: str) -> bool:
    """Whether a project or an organisation made the role: `projects/p/roles/r`."""
    return not role.startswith("roles/")
