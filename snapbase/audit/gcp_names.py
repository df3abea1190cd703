"""Google Cloud's audited methods -> what they do and how their records are read; whom a policy's member names.

Sources: the services' "audit logging" pages (compute, cloudsql, backupdr, cloudresourcemanager, cloudkms, orgpolicy),
and the discovery documents compute.v1 and sqladmin.v1.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache, lru_cache
from hashlib import sha256

from snapbase.event import Action
from snapbase.model import Principal, PrincipalKind

_VERSION = re.compile(r"v\d+\w*|alpha|beta")
_LONGEST_NAME = 128
_LONGEST_MEMBER = 512


class Shape(StrEnum):
    """Where a record says what it is about."""

    THING = "thing"
    """`resourceName` is what it was done to."""
    MADE = "made"
    """`resourceName` is what came of it; the request names the source."""
    DISK = "disk"
    """As `MADE`; only the request tells a restore or a clone from an empty disk."""
    SNAPPED = "snapped"
    """`resourceName` is the source; the request names the snapshot."""
    INSTANCE = "instance"
    """A machine: about snapshots only if its disks come from one, or were there before."""
    ATTACHED = "attached"
    SHARED = "shared"
    """A resource's allow policy."""
    CONTAINER = "container"
    """The allow policy of a project, a folder or an organisation."""
    LISTING = "listing"
    SQL = "sql"
    SQL_SETTINGS = "sql-settings"
    VAULT = "vault"
    KEY_VERSION = "key-version"
    """A version of a key, which can be enabled as well."""
    GUARDRAIL = "guardrail"
    """An organisation policy, of which few are about snapshots."""


Rule = tuple[str, Shape]

_COPIES = (
    "snapshots",
    "regionSnapshots",
    "images",
    "machineImages",
    "instantSnapshots",
    "regionInstantSnapshots",
    "instantSnapshotGroups",
    "regionInstantSnapshotGroups",
)
_COPY: Mapping[str, Rule] = {
    "insert": (Action.CREATE, Shape.MADE),
    "delete": (Action.DELETE, Shape.THING),
    "setIamPolicy": (Action.SHARE, Shape.SHARED),
    "setLabels": (Action.MODIFY, Shape.THING),
    "patch": (Action.MODIFY, Shape.THING),
    "update": (Action.MODIFY, Shape.THING),
    "deprecate": (Action.MODIFY, Shape.THING),
    "updateKmsKey": (Action.MODIFY, Shape.THING),
    "export": (Action.EXPORT, Shape.THING),
    "list": (Action.ENUMERATE, Shape.LISTING),
    "aggregatedList": (Action.ENUMERATE, Shape.LISTING),
    "get": (Action.ENUMERATE, Shape.THING),
    "getIamPolicy": (Action.ENUMERATE, Shape.THING),
}
_DISK: Mapping[str, Rule] = {
    "insert": (Action.CREATE, Shape.DISK),
    "bulkInsert": (Action.COPY, Shape.THING),
    "createSnapshot": (Action.CREATE, Shape.SNAPPED),
    "delete": (Action.DELETE, Shape.THING),
    "setIamPolicy": (Action.SHARE, Shape.SHARED),
    "setLabels": (Action.MODIFY, Shape.THING),
    "updateKmsKey": (Action.MODIFY, Shape.THING),
    "startAsyncReplication": (Action.COPY, Shape.THING),
    "addResourcePolicies": (Action.POLICY, Shape.THING),
    "removeResourcePolicies": (Action.INHIBIT, Shape.THING),
    "list": (Action.ENUMERATE, Shape.LISTING),
    "aggregatedList": (Action.ENUMERATE, Shape.LISTING),
    "getIamPolicy": (Action.ENUMERATE, Shape.THING),
}
METHODS: Mapping[str, Rule] = {
    **{f"compute.{each}.{verb}": rule for each in _COPIES for verb, rule in _COPY.items()},
    **{f"compute.{each}.{verb}": rule for each in ("disks", "regionDisks") for verb, rule in _DISK.items()},
    "compute.instances.insert": (Action.RESTORE, Shape.INSTANCE),
    "compute.instances.bulkInsert": (Action.RESTORE, Shape.INSTANCE),
    "compute.regionInstances.bulkInsert": (Action.RESTORE, Shape.INSTANCE),
    "compute.instances.attachDisk": (Action.MOUNT, Shape.ATTACHED),
    "compute.resourcePolicies.insert": (Action.POLICY, Shape.THING),
    "compute.resourcePolicies.patch": (Action.INHIBIT, Shape.THING),
    "compute.resourcePolicies.delete": (Action.INHIBIT, Shape.THING),
    "compute.resourcePolicies.setIamPolicy": (Action.POLICY, Shape.SHARED),
    "compute.snapshotSettings.patch": (Action.POLICY, Shape.THING),
    "compute.recoverableSnapshots.recover": (Action.RECYCLE, Shape.THING),
    "compute.recoverableSnapshots.delete": (Action.DELETE, Shape.THING),
    "compute.recoverableSnapshots.list": (Action.ENUMERATE, Shape.LISTING),
    "ScheduledSnapshots": (Action.CREATE, Shape.SNAPPED),
    "cloudsql.backupRuns.create": (Action.CREATE, Shape.SQL),
    "cloudsql.backupRuns.insert": (Action.CREATE, Shape.SQL),
    "cloudsql.backupRuns.delete": (Action.DELETE, Shape.SQL),
    "cloudsql.backupRuns.list": (Action.ENUMERATE, Shape.LISTING),
    "cloudsql.backups.create": (Action.CREATE, Shape.SQL),
    "cloudsql.backups.update": (Action.MODIFY, Shape.SQL),
    "cloudsql.backups.delete": (Action.DELETE, Shape.SQL),
    "cloudsql.backups.list": (Action.ENUMERATE, Shape.LISTING),
    "cloudsql.instances.export": (Action.EXPORT, Shape.SQL),
    "cloudsql.instances.clone": (Action.COPY, Shape.SQL),
    "cloudsql.instances.restoreBackup": (Action.RESTORE, Shape.SQL),
    "cloudsql.instances.delete": (Action.INHIBIT, Shape.SQL),
    "cloudsql.instances.update": (Action.INHIBIT, Shape.SQL_SETTINGS),
    "cloudsql.instances.patch": (Action.INHIBIT, Shape.SQL_SETTINGS),
}
"""By the method's name without its version."""

_BACKUPDR: Mapping[str, Rule] = {
    "CreateBackupVault": (Action.POLICY, Shape.VAULT),
    "UpdateBackupVault": (Action.POLICY, Shape.VAULT),
    "DeleteBackupVault": (Action.INHIBIT, Shape.VAULT),
    "UpdateBackup": (Action.MODIFY, Shape.VAULT),
    "DeleteBackup": (Action.DELETE, Shape.VAULT),
    "RestoreBackup": (Action.RESTORE, Shape.VAULT),
    "TriggerBackup": (Action.CREATE, Shape.VAULT),
    "CreateBackupPlan": (Action.POLICY, Shape.VAULT),
    "UpdateBackupPlan": (Action.INHIBIT, Shape.VAULT),
    "DeleteBackupPlan": (Action.INHIBIT, Shape.VAULT),
    "CreateBackupPlanAssociation": (Action.POLICY, Shape.VAULT),
    "UpdateBackupPlanAssociation": (Action.INHIBIT, Shape.VAULT),
    "DeleteBackupPlanAssociation": (Action.INHIBIT, Shape.VAULT),
    "ListBackupVaults": (Action.ENUMERATE, Shape.LISTING),
    "ListBackups": (Action.ENUMERATE, Shape.LISTING),
}
SERVICES: Mapping[str, Mapping[str, Rule]] = {
    "compute.googleapis.com": {},
    "cloudsql.googleapis.com": {},
    "backupdr.googleapis.com": _BACKUPDR,
    "cloudresourcemanager.googleapis.com": {
        "SetIamPolicy": (Action.SHARE, Shape.CONTAINER),
        "setIamPolicy": (Action.SHARE, Shape.CONTAINER),
        # The first version of organisation policies, which still works.
        "SetOrgPolicy": (Action.POLICY, Shape.GUARDRAIL),
        "ClearOrgPolicy": (Action.POLICY, Shape.GUARDRAIL),
    },
    "iam.googleapis.com": {
        "CreateRole": (Action.POLICY, Shape.THING),
        "UpdateRole": (Action.POLICY, Shape.THING),
        "DeleteRole": (Action.POLICY, Shape.THING),
        "UndeleteRole": (Action.POLICY, Shape.THING),
    },
    "cloudkms.googleapis.com": {
        "SetIamPolicy": (Action.POLICY, Shape.SHARED),
        "DestroyCryptoKeyVersion": (Action.INHIBIT, Shape.THING),
        "UpdateCryptoKeyVersion": (Action.INHIBIT, Shape.KEY_VERSION),
    },
    "orgpolicy.googleapis.com": {
        "CreatePolicy": (Action.POLICY, Shape.GUARDRAIL),
        "UpdatePolicy": (Action.POLICY, Shape.GUARDRAIL),
        "DeletePolicy": (Action.POLICY, Shape.GUARDRAIL),
    },
}
"""Every service that is read; and of those that name methods after their gRPC ones, these by the last word."""

GUARDRAILS = (
    "compute.storageResourceUseRestrictions",
    "compute.trustedImageProjects",
    "iam.allowedPolicyMemberDomains",
    "iam.managed.allowedPolicyMembers",
    "gcp.restrictCmekCryptoKeyProjects",
)
"""Constraints that decide who may be given a snapshot, an image or its key."""

REACHING = (
    "roles/owner",
    "roles/editor",
    "roles/viewer",
    "roles/backupdr.",
    "roles/cloudmigration.",
    "roles/cloudsql.",
    "roles/compute.",
    "roles/iam.",
    "roles/notebooks.",
    "roles/resourcemanager.",
    "projects/",
    "organizations/",
)
"""How roles begin that, on a project or above, can reach what lies below it; custom ones may hold anything."""
AGENT_ROLE = "erviceAgent"
"""How roles end that are meant for Google's own agents, and can be given to anybody; many reach everything."""

PUBLIC_IMAGES = frozenset(
    (
        "centos-cloud",
        "cos-cloud",
        "cloud-hpc-image-public",
        "confidential-vm-images",
        "debian-cloud",
        "deeplearning-platform-release",
        "fedora-cloud",
        "fedora-coreos-cloud",
        "gke-node-images",
        "gke-windows-node-images",
        "ml-images",
        "opensuse-cloud",
        "oracle-linux-cloud",
        "rhel-cloud",
        "rhel-sap-cloud",
        "rocky-linux-accelerator-cloud",
        "rocky-linux-cloud",
        "suse-cloud",
        "suse-sap-cloud",
        "ubuntu-os-cloud",
        "ubuntu-os-accelerator-images",
        "ubuntu-os-gke-cloud",
        "ubuntu-os-pro-cloud",
        "windows-cloud",
        "windows-sql-cloud",
    )
)
"""Projects whose images everybody starts machines from: no data of anybody's.

By name, not by `-cloud`: a company's own project may end so. Source: Compute Engine, "Operating system details".
"""

_AGENT_PROJECTS = (
    "cloud-filer",
    "cloudcomposer-accounts",
    "compute-system",
    "container-engine-robot",
    "dataflow-service-producer-prod",
    "gcp-sa-backupdr",
    "gcp-sa-cloud-sql",
    "gcp-sa-cloudasset",
    "gcp-sa-gkebackup",
    "gcp-sa-logging",
    "gcp-sa-osconfig",
    "gcp-sa-vmmigration",
    "security-center-api",
    "service-networking",
)
AGENTS = {f"{each}.iam.gserviceaccount.com" for each in _AGENT_PROJECTS} | {
    "system.gserviceaccount.com",
}
"""Mail domains of Google's own agents (IAM documentation, "Service agents"). By name, as a project of anybody's may
look like one of these. Not among them is the Google APIs Service Agent (`cloudservices`), as which Deployment Manager
does whatever somebody tells it."""

_PLAIN = {
    "user:": PrincipalKind.USER,
    "group:": PrincipalKind.GROUP,
    "serviceAccount:": PrincipalKind.SERVICE_ACCOUNT,
    "domain:": PrincipalKind.DOMAIN,
}
_WHOLE = {
    "principal://": PrincipalKind.FEDERATED,
    "principalSet://": PrincipalKind.FEDERATED,
    "deleted:": PrincipalKind.DELETED,
    "projectOwner:": PrincipalKind.PROJECT_TEAM,
    "projectEditor:": PrincipalKind.PROJECT_TEAM,
    "projectViewer:": PrincipalKind.PROJECT_TEAM,
}


def rule(name: str, service: str) -> Rule | None:
    """What a method does; None for one that is not about snapshots. The name may carry any version, or none."""
    return _rule(name, service) if len(name) <= _LONGEST_NAME and len(service) <= _LONGEST_NAME else None


@lru_cache(maxsize=4096)
def _rule(name: str, service: str) -> Rule | None:
    key = ".".join(part for part in name.split(".") if not _VERSION.fullmatch(part))
    return METHODS.get(key) or SERVICES.get(service, {}).get(key.rpartition(".")[2])


@cache
def method_pattern() -> str:
    """An RE2 expression of all names, for the service to filter by: the end counts, versions come before it."""
    verbs: dict[str, list[str]] = {}
    for name in METHODS:
        noun, _, verb = name.rpartition(".")
        verbs.setdefault(noun, []).append(verb)
    last = sorted({*verbs.pop(""), *(verb for named in SERVICES.values() for verb in named)})
    parts = [f"{noun.replace('.', '[.]')}[.]({'|'.join(each)})" for noun, each in verbs.items()]
    return f"(^|[.])({'|'.join((*parts, *last))})$"


def principal(member: str) -> Principal:
    """A binding's member, as the collectors name it. Source: IAM documentation, "Principal identifiers"."""
    if member == "allUsers":
        return Principal(PrincipalKind.PUBLIC, member)
    if member == "allAuthenticatedUsers":
        return Principal(PrincipalKind.AUTHENTICATED, member)
    member = _bounded(member)
    for prefix, kind in _PLAIN.items():
        if member.startswith(prefix):
            return Principal(kind, member.removeprefix(prefix).lower())
    return Principal(next((kind for prefix, kind in _WHOLE.items() if member.startswith(prefix)), "other"), member)


def _bounded(text: str) -> str:
    """One line; what is cut off still tells two members apart, as it does in the store."""
    line = " ".join(text.split())
    if len(line) <= _LONGEST_MEMBER:
        return line
    mark = f"… #{sha256(line.encode(errors='replace')).hexdigest()[:16]}"
    return line[: _LONGEST_MEMBER - len(mark)] + mark
