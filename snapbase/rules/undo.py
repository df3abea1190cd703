"""The commands that would take an exposure back. Printed for a person to judge, never run."""

import shlex
from collections.abc import Iterable
from functools import lru_cache

from snapbase.diff import Change
from snapbase.model import Grant, PrincipalKind, State

_RDS = {
    "aws.rds.snapshot": ("modify-db-snapshot-attribute", "--db-snapshot-identifier"),
    "aws.rds.cluster-snapshot": ("modify-db-cluster-snapshot-attribute", "--db-cluster-snapshot-identifier"),
}


_quoted = lru_cache(1_024)(shlex.quote)
"""Thousands of commands differ in little more than what they name."""


def _joined(words: Iterable[str]) -> str:
    return " ".join(map(_quoted, words))


def unshare(change: Change) -> str:
    """The vendor CLI's command that removes the change's grant; empty where there is no such single command."""
    exposure, state = change.exposure, change.after
    if exposure is None or state is None:
        return ""
    grant = exposure.grant
    if state.scope.cloud == "aws":
        return _aws(grant, state)
    if state.scope.cloud == "azure":
        return _azure(grant, state)
    return _gcp(grant, state)


def _aws(grant: Grant, state: State) -> str:
    public = grant.principal.kind == PrincipalKind.PUBLIC
    region = ("--region", state.scope.location)
    native_id = state.resource.address.rpartition("/")[2]
    if grant.mechanism == "ec2:createVolumePermission":
        whom = ("--group-names", "all") if public else ("--user-ids", grant.principal.id)
        what = ("--snapshot-id", native_id, "--attribute", "createVolumePermission", "--operation-type", "remove")
        return _joined(("aws", "ec2", "modify-snapshot-attribute", *what, *whom, *region))
    if grant.mechanism == "ec2:launchPermission":
        name = {
            PrincipalKind.PUBLIC: "Group=all",
            PrincipalKind.ORGANIZATION: f"OrganizationArn={grant.principal.id}",
            PrincipalKind.ORGANIZATIONAL_UNIT: f"OrganizationalUnitArn={grant.principal.id}",
        }.get(PrincipalKind(grant.principal.kind), f"UserId={grant.principal.id}")
        image = ("--image-id", native_id, "--launch-permission", f"Remove=[{{{name}}}]")
        return _joined(("aws", "ec2", "modify-image-attribute", *image, *region))
    if grant.mechanism == "rds:restore" and state.scope.kind in _RDS:
        command, flag = _RDS[state.scope.kind]
        whom = ("--values-to-remove", "all" if public else grant.principal.id)
        name = state.resource.name or state.resource.address
        return _joined(("aws", "rds", command, flag, name, "--attribute-name", "restore", *whom, *region))
    if grant.mechanism == "redshift:restore":
        cluster, _, name = state.resource.address.partition(":snapshot:")[2].partition("/")
        named = ("--snapshot-identifier", name, "--snapshot-cluster-identifier", cluster)
        holder = ("--account-with-restore-access", grant.principal.id)
        return _joined(("aws", "redshift", "revoke-snapshot-access", *named, *holder, *region))
    return ""


def _azure(grant: Grant, state: State) -> str:
    address = state.resource.address
    if grant.principal.kind == PrincipalKind.BEARER:
        noun = "disk" if state.scope.kind == "azure.compute.disk" else "snapshot"
        return _joined(("az", noun, "revoke-access", "--ids", address))
    way, _, role = grant.mechanism.partition("/")
    if way == "azure.lighthouse":
        return _joined(("az", "managedservices", "assignment", "delete", "--assignment", address))
    if way == "azure.gallery":
        return _gallery(grant, address, role)
    if not way.startswith("azure.rbac"):
        return ""
    what = ("--assignee", grant.principal.id, "--role", role, "--scope", state.resource.address)
    return _joined(("az", "role", "assignment", "delete", *what))


def _gallery(grant: Grant, address: str, way: str) -> str:
    parts = address.split("/")
    names = dict(zip((each.lower() for each in parts[1::2]), parts[2::2], strict=False))
    where = ("--resource-group", names.get("resourcegroups", ""), "--gallery-name", names.get("galleries", ""))
    if way == "community":
        return _joined(("az", "sig", "share", "reset", *where))
    flag = "--tenant-ids" if grant.principal.kind == PrincipalKind.TENANT else "--subscription-ids"
    return _joined(("az", "sig", "share", "remove", *where, flag, grant.principal.id))


_GCP_MEMBER = {
    PrincipalKind.USER: "user:",
    PrincipalKind.GROUP: "group:",
    PrincipalKind.DOMAIN: "domain:",
    PrincipalKind.SERVICE_ACCOUNT: "serviceAccount:",
}
_GCP_COMMANDS = {
    "snapshots": ("compute", "snapshots"),
    "images": ("compute", "images"),
    "machineImages": ("compute", "machine-images"),
    "disks": ("compute", "disks"),
    "instantSnapshots": ("compute", "instant-snapshots"),
    "projects": ("projects",),
    "folders": ("resource-manager", "folders"),
    "organizations": ("organizations",),
}
"""gcloud's words for a collection, as a full resource name spells it."""


def _gcp(grant: Grant, state: State) -> str:
    kind = PrincipalKind(grant.principal.kind)
    public = {PrincipalKind.PUBLIC: "allUsers", PrincipalKind.AUTHENTICATED: "allAuthenticatedUsers"}
    member = public.get(kind, f"{_GCP_MEMBER.get(kind, '')}{grant.principal.id}")
    # //compute.googleapis.com/projects/p/zones/z/disks/d: collections and names by turns.
    path = state.resource.address.removeprefix("//").split("/")[1:]
    named = dict(zip(path[::2], path[1::2], strict=False))
    command = _GCP_COMMANDS.get(path[-2]) if len(path) > 1 else None
    if command is None:
        return ""
    what = (path[-1], "--member", member, "--role", grant.mechanism.partition("/")[2])
    places = (("--zone", "zones"), ("--region", "regions"), ("--project", "projects"))
    inside = [f"{flag}={named[name]}" for flag, name in places if name in named and command[0] == "compute"]
    return _joined(("gcloud", *command, "remove-iam-policy-binding", *what, *inside))
