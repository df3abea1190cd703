"""The least a cloud must allow for the chosen kinds, written as that cloud's own policy or role.

Everything comes from the collectors' `permissions`, so a new kind brings its own. What is denied explicitly is what
reads, copies, restores or shares data: the collector's role stays harmless whatever else is attached to it.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from snapbase.audit import aws_queue
from snapbase.collect.collector import Collector, Where, collectors
from snapbase.errors import UsageError
from snapbase.operations import skips
from snapbase.operations.logs import READERS

ROLE = "snapbase-collector"
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc")

_ENTERING: Mapping[str, tuple[str, ...]] = {
    "aws": ("ec2:DescribeRegions",),
    "azure": ("Microsoft.Resources/subscriptions/read",),
    "gcp": ("compute.regions.list", "resourcemanager.projects.get"),
}
"""What finding the accounts and regions takes, whatever is read in them."""

GRAPH = "graph:"
"""Before what Microsoft Graph must allow: application permissions that an administrator consents to, in no role."""

NEVER: tuple[str, ...] = (
    "backup:CopyFromBackupVault",
    "backup:CreateRestoreAccessBackupVault",
    "backup:PutBackupVault*",
    "backup:StartCopyJob",
    "backup:StartRestoreJob",
    "dynamodb:ExportTableToPointInTime",
    "dynamodb:RestoreTable*",
    "ebs:GetSnapshotBlock",
    "ebs:ListChangedBlocks",
    "ebs:ListSnapshotBlocks",
    "ec2:CopyImage",
    "ec2:CopySnapshot",
    "ec2:CreateRestoreImageTask",
    "ec2:CreateStoreImageTask",
    "ec2:CreateVolume",
    "ec2:ExportImage",
    "ec2:ModifyImageAttribute",
    "ec2:ModifySnapshotAttribute",
    "elasticache:CopySnapshot",
    "fsx:CopyBackup",
    "fsx:CreateFileSystemFromBackup",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:PutKeyPolicy",
    "kms:ReEncrypt*",
    "lightsail:ExportSnapshot",
    "memorydb:CopySnapshot",
    "rds:CopyDB*",
    "rds:ModifyDB*SnapshotAttribute",
    "rds:RestoreDB*",
    "rds:StartExportTask",
    "redshift-serverless:PutResourcePolicy",
    "redshift-serverless:RestoreFrom*",
    "redshift:AuthorizeSnapshotAccess",
    "redshift:RestoreFrom*",
)
"""AWS actions that read, copy, restore, export or share the data of snapshots (Service Authorization Reference)."""


def chosen(cloud: str, globs: Sequence[str] = ()) -> tuple[Collector, ...]:
    """The cloud's kinds that match a glob, all without one; raises `UsageError` where a glob matches none."""
    known = collectors(cloud)
    for glob in globs:
        if not any(fnmatchcase(each.kind, glob) for each in known):
            names = [each.kind for each in known]
            near = difflib.get_close_matches(glob, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
            raise UsageError(f"No kind of {cloud} matches {glob}.", hint=hint)
    return tuple(each for each in known if not globs or any(fnmatchcase(each.kind, glob) for glob in globs))


def permissions(cloud: str, kinds: Sequence[Collector], skip: Sequence[str] = ()) -> list[str]:
    """What the cloud must allow to find its accounts and to read the kinds there and the logs that are not to skip."""
    read = (name for kind in kinds for name in kind.permissions)
    return sorted({*_ENTERING[cloud], *log_permissions(cloud, skip), *read})


def log_permissions(cloud: str, skip: Sequence[str] = ()) -> set[str]:
    """What reading the cloud's logs takes, without those to skip."""
    read = (log for log in READERS if log.startswith(f"{cloud}.") and not skips.has(skip, log))
    return {name for log in read for name in READERS[log].permissions}


def aws_policy(
    globs: Sequence[str] = (), *, assume_role: str = "", partition: str = "aws", queues: Sequence[str] = ()
) -> dict[str, Any]:
    """An IAM policy document. With `assume_role`, it also lets its holder enter that role of every account, and with
    the ARNs of `queues` receive their messages, which deletes none."""
    if partition not in PARTITIONS:
        raise UsageError(f"There is no partition {partition}.", hint=", ".join(PARTITIONS))
    statements = _statements(permissions("aws", chosen("aws", globs)))
    if assume_role:
        role = f"arn:{partition}:iam::*:role/{assume_role}"
        entering = {"Sid": "Enter", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
        statements.insert(1, entering)
    if queues:
        hearing = {"Sid": "Hear", "Effect": "Allow", "Action": aws_queue.PERMISSION, "Resource": list(queues)}
        statements.insert(1, hearing)
    return {"Version": "2012-10-17", "Statement": statements}


def _statements(actions: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"Sid": "Read", "Effect": "Allow", "Action": list(actions), "Resource": "*"},
        {"Sid": "NeverTouchData", "Effect": "Deny", "Action": list(NEVER), "Resource": "*"},
    ]


def aws_stack(globs: Sequence[str] = ()) -> dict[str, Any]:
    """A CloudFormation template of the role that each account needs, for a StackSet or a single stack.

    What only the management account is asked stays out: `aws_policy` for the identity that snapbase starts with has it.
    """
    kinds = [each for each in chosen("aws", globs) if each.where != {Where.MANAGEMENT}]
    condition = {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Ref": "CollectorArn"}},
        "Action": "sts:AssumeRole",
        "Condition": {"Fn::If": ["HasExternalId", condition, {"Ref": "AWS::NoValue"}]},
    }
    document = {"Version": "2012-10-17", "Statement": _statements(permissions("aws", kinds))}
    role = {
        "RoleName": {"Ref": "RoleName"},
        "Description": "Lets snapbase list snapshots and who they are shared with, and nothing else",
        "MaxSessionDuration": 3600,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [{"PolicyName": "snapbase", "PolicyDocument": document}],
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "snapbase: the read-only role that it enters in every account",
        "Parameters": {
            "CollectorArn": {
                "Type": "String",
                "Description": "ARN of the role or user that snapbase runs as; only it may enter",
                "AllowedPattern": r"arn:[a-z-]+:iam::\d{12}:(role|user)/.+",
            },
            "ExternalId": {
                "Type": "String",
                "Default": "",
                "Description": "The external_id of [[aws]]; empty where none is used",
                "AllowedPattern": r"|[A-Za-z0-9_+=,.@:/-]{2,1224}",
            },
            "RoleName": {"Type": "String", "Default": ROLE, "AllowedPattern": r"[A-Za-z0-9_+=,.@-]{1,64}"},
        },
        "Conditions": {"HasExternalId": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ExternalId"}, ""]}]}},
        "Resources": {"Collector": {"Type": "AWS::IAM::Role", "Properties": role}},
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Collector", "Arn"]}}},
    }


def azure_role(scopes: Sequence[str], globs: Sequence[str] = (), *, name: str = ROLE) -> dict[str, Any]:
    """A custom role as `az role definition create` takes it; raises `UsageError` without a scope."""
    if not scopes:
        raise UsageError(
            "An Azure role needs the scopes where it may be assigned.",
            hint="--scope /providers/Microsoft.Management/managementGroups/NAME, or --scope /subscriptions/ID.",
        )
    wrong = next((each for each in scopes if not each.startswith(("/subscriptions/", "/providers/Microsoft."))), None)
    if wrong is not None:
        raise UsageError(f"{wrong} is not a scope.", hint="A scope begins with /subscriptions/ or /providers/.")
    return {
        "Name": name,
        "IsCustom": True,
        "Description": "Lets snapbase list snapshots and who can reach them, and nothing else",
        "Actions": [each for each in permissions("azure", chosen("azure", globs)) if not each.startswith(GRAPH)],
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(scopes),
    }


def graph_permissions(globs: Sequence[str] = ()) -> list[str]:
    """What Microsoft Graph must allow beside the role."""
    needed = permissions("azure", chosen("azure", globs))
    return [each.removeprefix(GRAPH) for each in needed if each.startswith(GRAPH)]


def gcp_role(globs: Sequence[str] = (), *, title: str = ROLE) -> str:
    """A custom role as `gcloud iam roles create --file` takes it (YAML)."""
    lines = [
        f"title: {json.dumps(title)}",
        "description: Lets snapbase list snapshots and who they are shared with, and nothing else",
        "stage: GA",
        "includedPermissions:",
        *(f"- {each}" for each in permissions("gcp", chosen("gcp", globs))),
    ]
    return "\n".join(lines) + "\n"
