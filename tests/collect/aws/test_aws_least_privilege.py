"""The generated policy is enough, and not too much: without any one of its actions, something is said to be lost."""

import ast
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from snapbase.collect import collector, engine
from snapbase.collect.aws import cloud as aws_cloud
from snapbase.collect.aws.cloud import AwsConnection
from snapbase.collect.collector import CloudDescriptor, collectors
from snapbase.collect.limit import Limiter
from snapbase.collect.runtime import Runtime
from snapbase.model import Observation, Reading
from snapbase.operations import policy
from snapbase.sandbox.aws.story import MANAGEMENT, REGIONS
from snapbase.settings import AwsEntry, Config
from tests.collect.aws.reader import Amazon, plain_client

ALWAYS = ("sts:AssumeRole", "sts:GetCallerIdentity")
"""The first is allowed by the policy's own statement, the second by AWS to everyone."""
ALLOWED = policy.permissions("aws", collectors("aws"))


@pytest.fixture
def reading(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    """The engine reads through the module's clients."""
    clients = amazon.region().clients
    entry = clients.entry

    def connect(given: AwsEntry, runtime: Runtime) -> AwsConnection:
        connection = AwsConnection(given, runtime)
        clients.runtime, connection.clients = runtime, clients
        runtime.limiter = Limiter(attempts=1)
        return connection

    descriptor = CloudDescriptor("aws", "AWS", connect, aws_cloud.CLOUD.classify)
    monkeypatch.setattr(aws_cloud, "CLOUD", descriptor)
    collector.cloud.cache_clear()
    yield amazon
    clients.entry = entry
    collector.cloud.cache_clear()


@dataclass
class Seen:
    """What one run learnt, and what it says it did not."""

    observations: dict[tuple[str, str], Observation]
    complete: set[str]
    """Scopes whose list is said to be complete."""
    lost: set[str]

    @classmethod
    def of(cls, readings: list[Reading]) -> "Seen":
        observations = {(str(each.scope), seen.resource.uid): seen for each in readings for seen in each.observations}
        gaps = {f"{c.scope} {c.aspect} {c.outcome}" for each in readings for c in each.coverage if not c.complete}
        for (scope, uid), seen in observations.items():
            limits = seen.resource.limits
            if seen.miss is not None or (limits is not None and limits.unknown):
                gaps.add(f"{scope} {uid}")
        complete = {str(each.scope) for each in readings if each.coverage[0].complete}
        return cls(observations, complete, gaps)


def _run(amazon: Amazon, kinds: tuple[str, ...] = (), **more: Any) -> Seen:
    config = Config(aws=(amazon.entry(**more),))
    selection = engine.Selection(kinds=kinds)
    found = engine.collect(config, selection, known={}, progress=lambda _: None, stop=threading.Event())
    return Seen.of(list(found))


@pytest.fixture(scope="module")
def runs() -> dict[tuple[str, ...], tuple[Seen, set[str]]]:
    """Unhindered runs and the operations they called, by kinds."""
    return {}


def test_the_policy_is_enough_for_everything(reading: Amazon) -> None:
    free = _run(reading)
    reading.switchboard.permit("aws", (*ALLOWED, *ALWAYS))
    bound = _run(reading)

    assert free.observations.keys() == bound.observations.keys()
    assert free.lost == bound.lost
    assert {key: seen.grants for key, seen in free.observations.items()} == {
        key: seen.grants for key, seen in bound.observations.items()
    }


@pytest.mark.parametrize("action", ALLOWED)
def test_without_one_action_something_is_lost_and_nothing_reads_as_clean(
    reading: Amazon, runs: dict[tuple[str, ...], tuple[Seen, set[str]]], action: str
) -> None:
    kinds = tuple(each.kind for each in collectors("aws") if action in each.permissions) or ("only accounts",)
    regions = () if action == "ec2:DescribeRegions" else REGIONS
    if kinds not in runs:
        runs[kinds] = _run(reading, kinds, regions=regions), {operation for *_, operation in reading.switchboard.calls}
    free, asked = runs[kinds]
    if action not in asked:
        pytest.skip("nothing in the estate needs it")
    reading.switchboard.permit("aws", ({*ALLOWED} - {action}) | {*ALWAYS})

    bound = _run(reading, kinds, regions=regions)

    assert bound.lost - free.lost, "nobody says that anything is missing"
    for key, seen in free.observations.items():
        left = bound.observations.get(key)
        if left is None:
            assert key[0] not in bound.complete, f"{key} reads as deleted"
        elif left.grants is not None:
            assert left.grants == seen.grants, f"{key} reads as less shared"


def test_what_is_not_permitted_is_denied_until_healed(amazon: Amazon) -> None:
    ec2 = amazon.client("ec2")
    amazon.switchboard.permit("aws", ["ec2:DescribeImages"])

    ec2.describe_images(Owners=["self"])
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.describe_snapshots(OwnerIds=["self"])

    amazon.switchboard.heal()
    ec2.describe_snapshots(OwnerIds=["self"])


@pytest.mark.parametrize("external_id", ["", "agreed-with-snapbase"])
def test_the_stack_makes_the_role(amazon: Amazon, external_id: str) -> None:
    """CloudFormation takes the template, and IAM the role in it."""
    name = f"made-{len(external_id)}"
    collector_arn = f"arn:aws:iam::{MANAGEMENT}:role/snapbase"
    given = {"RoleName": name, "CollectorArn": collector_arn, "ExternalId": external_id}
    plain_client(amazon.url, "cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps(policy.aws_stack()),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    iam = plain_client(amazon.url, "iam")
    role = iam.get_role(RoleName=name)["Role"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": collector_arn}
    wanted = {"StringEquals": {"sts:ExternalId": external_id}} if external_id else None
    assert trust.get("Condition") == wanted
    document = iam.get_role_policy(RoleName=name, PolicyName="snapbase")["PolicyDocument"]
    # moto keeps a stack's inline policies as the text of the dictionary.
    read, never = ast.literal_eval(document)["Statement"]
    assert (read["Effect"], never["Effect"]) == ("Allow", "Deny")
    assert set(never["Action"]) == set(policy.NEVER)
    assert set(read["Action"]) == set(ALLOWED) - {"organizations:DescribeOrganization", "organizations:ListAccounts"}
