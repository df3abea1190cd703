"""The commands that would take an exposure back. Printed for a person to judge, never run."""

import shlex

from snapbase.diff import Change
from snapbase.model import Grant, PrincipalKind, State

_RDS = {
    "aws.rds.snapshot": ("modify-db-snapshot-attribute", "--db-snapshot-identifier"),
    "aws.rds.cluster-snapshot": ("modify-db-cluster-snapshot-attribute", "--db-cluster-snapshot-identifier"),
}


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
        return shlex.join(("aws", "ec2", "modify-snapshot-attribute", *what, *whom, *region))
    if grant.mechanism == "ec2:launchPermission":
        name = {
            PrincipalKind.PUBLIC: "Group=all",
            PrincipalKind.ORGANIZATION: f"OrganizationArn={grant.principal.id}",
            PrincipalKind.ORGANIZATIONAL_UNIT: f"OrganizationalUnitArn={grant.principal.id}",
        }.get(PrincipalKind(grant.principal.kind), f"UserId={grant.principal.id}")
        image = ("--image-id", native_id, "--launch-permission", f"Remove=[{{{name}}}]")
        return shlex.join(("aws", "ec2", "modify-image-attribute", *image, *region))
    if grant.mechanism == "rds:restore" and state.scope.kind in _RDS:
        command, flag = _RDS[state.scope.kind]
        whom = ("--values-to-remove", "all" if public else grant.principal.id)
        name = state.resource.name or state.resource.address
        return shlex.join(("aws", "rds", command, flag, name, "--attribute-name", "restore", *whom, *region))
    return ""


def _azure(grant: Grant, state: State) -> str:
    if grant.principal.kind == PrincipalKind.BEARER:
        return shlex.join(("az", "snapshot", "revoke-access", "--ids", state.resource.address))
    role = grant.mechanism.partition("/")[2]
    what = ("--assignee", grant.principal.id, "--role", role, "--scope", state.resource.address)
    return shlex.join(("az", "role", "assignment", "delete", *what))


_GCP_MEMBER = {
    PrincipalKind.USER: "user:",
    PrincipalKind.GROUP: "group:",
    PrincipalKind.DOMAIN: "domain:",
    PrincipalKind.SERVICE_ACCOUNT: "serviceAccount:",
}
_GCP_COMMANDS = {"gcp.compute.snapshot": "snapshots", "gcp.compute.image": "images"}


def _gcp(grant: Grant, state: State) -> str:
    kind = PrincipalKind(grant.principal.kind)
    public = {PrincipalKind.PUBLIC: "allUsers", PrincipalKind.AUTHENTICATED: "allAuthenticatedUsers"}
    member = public.get(kind, f"{_GCP_MEMBER.get(kind, '')}{grant.principal.id}")
    what = ("--member", member, "--role", grant.mechanism.partition("/")[2])
    name = state.resource.address.rpartition("/")[2]
    project = ("--project", state.scope.account)
    if state.scope.kind == "gcp.iam":
        return shlex.join(("gcloud", "projects", "remove-iam-policy-binding", state.scope.account, *what))
    command = _GCP_COMMANDS.get(state.scope.kind)
    if command is None:
        return ""
    where = () if state.scope.location == "global" else ("--region", state.scope.location)
    return shlex.join(("gcloud", "compute", command, "remove-iam-policy-binding", name, *what, *where, *project))
