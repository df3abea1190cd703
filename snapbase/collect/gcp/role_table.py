"""Which predefined roles hold the permissions that reach data, or can let others reach it.

The table holds every predefined role with one of these permissions, from the role definitions as of 22 August 2026
(iann0036/iam-dataset, gcp/roles: 2,461 roles as the IAM API's `roles.list` gave them). A predefined role that is not in
it held none of them then.
"""

from collections.abc import Mapping


def _roles(names: str) -> frozenset[str]:
    return frozenset(f"roles/{name}" for name in names.split())


HOLDERS: Mapping[str, frozenset[str]] = {
    "compute.snapshots.useReadOnly": _roles(
        """
        aiplatform.colabServiceAgent aiplatform.serviceAgent backupdr.computeEngineOperator
        backupdr.diskOperator backupdr.serviceAgent batch.serviceAgent clouddeploymentmanager.serviceAgent
        cloudmigration.inframanager cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.editor
        compute.instanceAdmin.v1 compute.instanceGroupManagerServiceAgent compute.serviceAgent
        compute.storageAdmin container.serviceAgent dataflow.serviceAgent editor genomics.serviceAgent
        iam.infrastructureAdmin iam.networkAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent
        notebooks.legacyAdmin notebooks.serviceAgent owner workstations.serviceAgent
        """
    ),
    "compute.snapshots.setIamPolicy": _roles(
        """
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.instanceAdmin.v1 compute.storageAdmin
        container.serviceAgent dataflow.serviceAgent genomics.serviceAgent iam.infrastructureAdmin
        iam.networkAdmin iam.securityAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent
        notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "compute.images.useReadOnly": _roles(
        """
        appengineflex.serviceAgent backupdr.computeEngineOperator backupdr.serviceAgent batch.serviceAgent
        clouddeploymentmanager.serviceAgent cloudmigration.inframanager cloudtpu.serviceAgent
        compliancescanning.serviceAgent composer.serviceAgent compute.admin compute.editor compute.imageUser
        compute.instanceAdmin compute.instanceAdmin.v1 compute.instanceGroupManagerServiceAgent
        compute.serviceAgent compute.storageAdmin container.serviceAgent dataflow.serviceAgent
        dataproc.serviceAgent editor genomics.serviceAgent hypercomputecluster.serviceAgent
        iam.infrastructureAdmin iam.networkAdmin iam.siteReliabilityEngineer iam.supportUser
        lifesciences.serviceAgent notebooks.legacyAdmin notebooks.serviceAgent owner viewer
        vmmigration.serviceAgent vpcaccess.serviceAgent
        """
    ),
    "compute.images.setIamPolicy": _roles(
        """
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.instanceAdmin.v1 compute.storageAdmin
        container.serviceAgent dataflow.serviceAgent genomics.serviceAgent iam.infrastructureAdmin
        iam.networkAdmin iam.securityAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent
        notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "compute.machineImages.useReadOnly": _roles(
        """
        batch.serviceAgent clouddeploymentmanager.serviceAgent cloudtpu.serviceAgent composer.serviceAgent
        compute.admin compute.editor compute.instanceAdmin compute.instanceAdmin.v1 compute.serviceAgent
        container.serviceAgent dataflow.serviceAgent dataproc.serviceAgent editor genomics.serviceAgent
        iam.infrastructureAdmin iam.networkAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent
        notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "compute.machineImages.setIamPolicy": _roles(
        """
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.instanceAdmin compute.instanceAdmin.v1
        container.serviceAgent dataflow.serviceAgent dataproc.serviceAgent genomics.serviceAgent
        iam.infrastructureAdmin iam.networkAdmin iam.securityAdmin iam.siteReliabilityEngineer
        lifesciences.serviceAgent notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "compute.instantSnapshots.useReadOnly": _roles(
        """
        batch.serviceAgent cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.editor
        compute.instanceAdmin.v1 compute.storageAdmin container.serviceAgent dataflow.serviceAgent editor
        genomics.serviceAgent iam.infrastructureAdmin iam.networkAdmin iam.siteReliabilityEngineer
        lifesciences.serviceAgent notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "compute.instantSnapshots.export": _roles(
        """
        batch.serviceAgent cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.editor
        compute.instanceAdmin.v1 compute.storageAdmin container.serviceAgent dataflow.serviceAgent editor
        genomics.serviceAgent iam.infrastructureAdmin iam.networkAdmin iam.siteReliabilityEngineer
        lifesciences.serviceAgent notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "compute.instantSnapshots.setIamPolicy": _roles(
        """
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.instanceAdmin.v1 compute.storageAdmin
        container.serviceAgent dataflow.serviceAgent genomics.serviceAgent iam.infrastructureAdmin
        iam.networkAdmin iam.securityAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent
        notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "compute.disks.useReadOnly": _roles(
        """
        aiplatform.colabServiceAgent aiplatform.serviceAgent backupdr.computeEngineOperator
        backupdr.diskOperator backupdr.serviceAgent batch.serviceAgent clouddeploymentmanager.serviceAgent
        cloudmigration.inframanager cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.editor
        compute.instanceAdmin compute.instanceAdmin.v1 compute.instanceGroupManagerServiceAgent
        compute.serviceAgent compute.storageAdmin container.serviceAgent dataflow.serviceAgent
        dataproc.serviceAgent editor genomics.serviceAgent gkebackup.serviceAgent iam.infrastructureAdmin
        iam.networkAdmin iam.siteReliabilityEngineer iam.supportUser lifesciences.serviceAgent
        notebooks.legacyAdmin notebooks.serviceAgent owner securitycenter.controlServiceAgent
        securitycenter.serviceAgent viewer vmmigration.serviceAgent workstations.serviceAgent
        """
    ),
    "compute.disks.use": _roles(
        """
        aiplatform.colabServiceAgent aiplatform.serviceAgent backupdr.computeEngineOperator
        backupdr.serviceAgent batch.serviceAgent clouddeploymentmanager.serviceAgent cloudmigration.inframanager
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.editor compute.instanceAdmin
        compute.instanceAdmin.v1 compute.instanceGroupManagerServiceAgent compute.serviceAgent
        compute.storageAdmin container.serviceAgent dataflow.serviceAgent dataproc.serviceAgent editor
        genomics.serviceAgent hypercomputecluster.serviceAgent iam.infrastructureAdmin iam.networkAdmin
        iam.siteReliabilityEngineer lifesciences.serviceAgent notebooks.legacyAdmin notebooks.serviceAgent owner
        spanner.serviceAgent vmmigration.serviceAgent workstations.serviceAgent
        """
    ),
    "compute.disks.createSnapshot": _roles(
        """
        aiplatform.colabServiceAgent aiplatform.serviceAgent backupdr.computeEngineOperator
        backupdr.diskOperator backupdr.serviceAgent batch.serviceAgent cloudmigration.inframanager
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.editor compute.instanceAdmin
        compute.instanceAdmin.v1 compute.instanceGroupManagerServiceAgent compute.storageAdmin
        container.serviceAgent dataflow.serviceAgent dataproc.serviceAgent editor genomics.serviceAgent
        gkebackup.serviceAgent iam.infrastructureAdmin iam.networkAdmin iam.siteReliabilityEngineer
        lifesciences.serviceAgent notebooks.legacyAdmin notebooks.serviceAgent owner vmmigration.serviceAgent
        workstations.serviceAgent
        """
    ),
    "compute.disks.setIamPolicy": _roles(
        """
        cloudtpu.serviceAgent composer.serviceAgent compute.admin compute.instanceAdmin.v1 compute.storageAdmin
        container.serviceAgent dataflow.serviceAgent genomics.serviceAgent iam.infrastructureAdmin
        iam.networkAdmin iam.securityAdmin iam.siteReliabilityEngineer lifesciences.serviceAgent
        notebooks.legacyAdmin notebooks.serviceAgent owner
        """
    ),
    "cloudsql.instances.export": _roles(
        """
        cloudsql.admin cloudsql.editor cloudsql.viewer composer.serviceAgent datamigration.serviceAgent
        discoveryengine.serviceAgent editor iam.databasesAdmin iam.devOps iam.securityAuditor
        iam.siteReliabilityEngineer iam.supportUser owner viewer
        """
    ),
    "cloudsql.backupRuns.export": _roles(
        """
        cloudsql.admin cloudsql.editor cloudsql.viewer composer.serviceAgent datamigration.serviceAgent editor
        iam.databasesAdmin iam.devOps iam.securityAuditor iam.siteReliabilityEngineer iam.supportUser owner viewer
        """
    ),
    "cloudsql.instances.clone": _roles(
        """
        cloudsql.admin composer.serviceAgent editor iam.databasesAdmin owner
        """
    ),
    "backupdr.bvbackups.restore": _roles(
        """
        backupdr.admin backupdr.backupvaultAdmin backupdr.editor backupdr.restoreUser backupdr.userv2 editor
        owner
        """
    ),
    "cloudkms.cryptoKeyVersions.useToDecrypt": _roles(
        """
        cloudkms.cryptoKeyDecrypter cloudkms.cryptoKeyEncrypterDecrypter cloudkms.cryptoOperator
        cloudkmskacls.serviceAgent dlp.serviceAgent iam.dataScientist iam.devOps owner
        """
    ),
    "cloudkms.cryptoKeyVersions.useToDecryptViaDelegation": _roles(
        """
        cloudkms.admin cloudkms.cryptoKeyDecrypterViaDelegation cloudkms.cryptoKeyEncrypterDecrypterViaDelegation
        owner
        """
    ),
    "resourcemanager.projects.setIamPolicy": _roles(
        """
        appengineflex.serviceAgent firebase.managementServiceAgent gkehub.crossProjectServiceAgent
        iam.securityAdmin krmapihosting.anthosApiEndpointServiceAgent owner
        privilegedaccessmanager.projectServiceAgent privilegedaccessmanager.serviceAgent
        resourcemanager.folderAdmin resourcemanager.organizationAdmin resourcemanager.projectIamAdmin
        """
    ),
    "resourcemanager.folders.setIamPolicy": _roles(
        """
        iam.securityAdmin privilegedaccessmanager.folderServiceAgent privilegedaccessmanager.serviceAgent
        resourcemanager.folderAdmin resourcemanager.folderIamAdmin resourcemanager.organizationAdmin
        """
    ),
    "resourcemanager.organizations.setIamPolicy": _roles(
        """
        iam.securityAdmin privilegedaccessmanager.organizationServiceAgent privilegedaccessmanager.serviceAgent
        resourcemanager.organizationAdmin
        """
    ),
}
"""Predefined roles by the permission they hold."""
