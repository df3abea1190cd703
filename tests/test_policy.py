"""Generated policies: everything the collectors declare, nothing else, in the form each cloud takes."""

import json
import stat
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from typer.testing import CliRunner

from snapbase.cli.app import app
from snapbase.collect.collector import collectors
from snapbase.errors import UsageError
from snapbase.operations import policy

ROOT = Path(__file__).parent.parent
IAM_ONLY = {"backup:CopyFromBackupVault", "backup:GetBackupVaultSharingPolicy"}
"""Actions without an API operation of that name (Service Authorization Reference)."""
LARGEST_POLICY = 6144
"""Characters of a managed policy without white space (IAM quotas)."""


def _declared(cloud: str) -> set[str]:
    return {permission for each in collectors(cloud) for permission in each.permissions} | policy.log_permissions(cloud)


def _allowed(document: dict[str, Any]) -> set[str]:
    return {action for each in document["Statement"] if each["Sid"] == "Read" for action in each["Action"]}


def test_the_policy_is_what_the_collectors_declare_and_finding_accounts() -> None:
    assert _allowed(policy.aws_policy()) == _declared("aws") | {"ec2:DescribeRegions"}


def test_every_action_only_reads_and_none_is_denied_at_the_same_time() -> None:
    for action in _declared("aws"):
        assert action.partition(":")[2].startswith(("Describe", "Get", "List", "Lookup")), action
        assert not any(fnmatchcase(action, never) for never in policy.NEVER), action


def test_what_reads_data_is_denied_whatever_else_is_attached() -> None:
    denied = next(each for each in policy.aws_policy()["Statement"] if each["Effect"] == "Deny")

    assert {"ebs:GetSnapshotBlock", "ebs:ListSnapshotBlocks", "ebs:ListChangedBlocks", "kms:Decrypt"} <= {
        *denied["Action"]
    }
    assert denied["Resource"] == "*"
    assert "Condition" not in denied


@pytest.mark.parametrize("pattern", sorted({*policy.NEVER, *_declared("aws")} - IAM_ONLY))
def test_every_action_is_an_operation_of_its_service(pattern: str) -> None:
    service, _, operation = pattern.partition(":")
    known = botocore.session.get_session().get_service_model(service).operation_names

    assert any(fnmatchcase(name, operation) for name in known)


def test_the_policy_fits_into_one() -> None:
    assert len(json.dumps(policy.aws_policy(assume_role="x" * 64), separators=(",", ":"))) < LARGEST_POLICY


def test_kinds_narrow_it() -> None:
    assert _allowed(policy.aws_policy(("aws.organizations",))) == {
        "backup:ListCopyJobs",
        "backup:ListRestoreJobs",
        "cloudtrail:LookupEvents",
        "ec2:DescribeRegions",
        "organizations:DescribeOrganization",
        "organizations:ListAccounts",
    }
    narrow, wide = (_allowed(policy.aws_policy((glob,))) for glob in ("aws.rds.snapshot", "aws.rds.*"))
    assert narrow < wide


def test_a_kind_that_does_not_exist_is_said_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        policy.aws_policy(("aws.ec2.snapshots",))

    assert "aws.ec2.snapshot?" in caught.value.hint


@pytest.mark.parametrize("partition", policy.PARTITIONS)
def test_entering_accounts_is_one_role_s_and_of_the_partition(partition: str) -> None:
    statements = policy.aws_policy(assume_role="auditor", partition=partition)["Statement"]

    assert [each["Resource"] for each in statements if each["Action"] == "sts:AssumeRole"] == [
        f"arn:{partition}:iam::*:role/auditor"
    ]
    assert "sts:AssumeRole" not in json.dumps(policy.aws_policy())


def test_a_partition_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError):
        policy.aws_policy(partition="aws-moon")


def test_the_stack_s_role_is_for_members_only() -> None:
    text = json.dumps(policy.aws_stack())

    assert "organizations:" not in text
    assert "ebs:GetSnapshotBlock" in text


def test_an_azure_role_only_reads_and_no_data() -> None:
    role = policy.azure_role(("/subscriptions/1", "/providers/Microsoft.Management/managementGroups/all"))

    declared = {each for each in _declared("azure") if not each.startswith(policy.GRAPH)}
    assert set(role["Actions"]) == declared | {"Microsoft.Resources/subscriptions/read"}
    assert {policy.GRAPH + each for each in policy.graph_permissions()} == _declared("azure") - declared
    assert all(action.endswith("/read") and "*" not in action for action in role["Actions"])
    assert (role["NotActions"], role["DataActions"], role["NotDataActions"]) == ([], [], [])
    assert role["AssignableScopes"] == ["/subscriptions/1", "/providers/Microsoft.Management/managementGroups/all"]


@pytest.mark.parametrize("scopes", [(), ("00000000-0000-4000-8000-000000000001",)])
def test_an_azure_role_needs_its_scopes(scopes: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        policy.azure_role(scopes)

    assert "/subscriptions/" in caught.value.hint


def test_a_google_role_is_yaml_and_only_reads() -> None:
    role = yaml.safe_load(policy.gcp_role(title="snapbase: the 'collector' #1"))

    assert role["title"] == "snapbase: the 'collector' #1"
    assert role["stage"] == "GA"
    assert _declared("gcp") <= set(role["includedPermissions"])
    assert all(name.rpartition(".")[2] in ("get", "list", "getIamPolicy") for name in role["includedPermissions"])


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
@pytest.mark.parametrize("glob", ["*.snapshot", "*"])
def test_each_policy_is_sorted_and_says_nothing_twice(cloud: str, glob: str) -> None:
    found = policy.permissions(cloud, policy.chosen(cloud, (glob,)))

    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("aws", '"Sid": "NeverTouchData"'),
        ("aws --format cloudformation", "AWS::IAM::Role"),
        ("aws --assume-role snapbase-collector", "role/snapbase-collector"),
        ("azure --scope /subscriptions/1 --name mine", '"Name": "mine"'),
        ("gcp --kind gcp.compute.image", "- compute.images.list"),
    ],
)
def test_the_commands_print_it(words: str, part: str) -> None:
    done = CliRunner().invoke(app, ["policy", *words.split()])

    assert done.exit_code == 0
    assert part in done.stdout


def test_the_file_is_its_owner_s_and_stdout_stays_empty(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--quiet", "policy", "gcp", "--output", str(tmp_path / "role.yaml")])

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert stat.S_IMODE((tmp_path / "role.yaml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "words",
    [
        "aws --format yaml",
        "aws --kind nothing",
        "aws --format cloudformation --assume-role x",
        "azure",
        "gcp --kind a.b",
    ],
)
def test_words_that_do_not_fit_are_refused(words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snapbase", "policy", *words.split()], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2, done.stderr


def test_no_cloud_sdk_is_needed_to_write_a_policy() -> None:
    code = "import sys; from snapbase.operations import policy; policy.aws_stack(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert not {"boto3", "botocore", "azure.core", "google.cloud.compute_v1"} & set(done.stdout.split())
