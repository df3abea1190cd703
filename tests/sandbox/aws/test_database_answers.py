"""The sandbox's answers for databases, caches and file systems have AWS's shape and refuse what AWS refuses."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from snapbase.sandbox.aws import wire
from tests.collect.aws.account import OUTSIDER, Aws, started
from tests.collect.aws.databases import KINDS, LOGIN, Kind


@pytest.fixture(scope="module")
def running() -> Iterator[Aws]:
    with started() as aws:
        yield aws


@pytest.fixture
def aws(running: Aws) -> Aws:
    running.reset()
    return running


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_answer_has_the_shape_of_the_service_model(aws: Aws, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    real, wrong = wire.answer, []

    def checked(call: wire.Call, result: Mapping[str, Any] | Exception) -> wire.Answer:
        if not isinstance(result, Exception):
            shape = get_service_model(call.service).operation_model(call.operation).output_shape
            given = {name: value for name, value in result.items() if value is not None}
            report = ParamValidator().validate(given, shape)
            wrong.extend([f"{call.name}: {report.generate_report()}"] if report.has_errors() else [])
        return real(call, result)

    monkeypatch.setattr(wire, "answer", checked)
    kind.prepare(aws)
    kind.make(aws, "monthly")
    aws.read(kind.kind)
    kind.delete(aws, "monthly")

    assert wrong == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_gone_cannot_be_deleted_again(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    kind.make(aws, "monthly")
    kind.delete(aws, "monthly")

    with pytest.raises((ClientError, IndexError)):
        kind.delete(aws, "monthly")


def _redshift(aws: Aws) -> Any:
    redshift = aws.client("redshift")
    redshift.create_cluster(ClusterIdentifier="sales", NodeType="ra3.large", **LOGIN)
    redshift.create_cluster_snapshot(SnapshotIdentifier="monthly", ClusterIdentifier="sales")
    return redshift


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_automated_redshift_snapshots_cannot_be_shared(aws: Aws) -> None:
    redshift = _redshift(aws)
    [automated] = redshift.describe_cluster_snapshots(SnapshotType="automated")["Snapshots"]

    with pytest.raises(ClientError) as refused:
        redshift.authorize_snapshot_access(
            SnapshotIdentifier=automated["SnapshotIdentifier"], AccountWithRestoreAccess=OUTSIDER
        )

    assert _code(refused) == "InvalidClusterSnapshotState"


def test_a_shared_redshift_snapshot_cannot_be_deleted_nor_shared_twice(aws: Aws) -> None:
    redshift = _redshift(aws)
    whom = {"SnapshotIdentifier": "monthly", "AccountWithRestoreAccess": OUTSIDER}
    redshift.authorize_snapshot_access(**whom)

    with pytest.raises(ClientError) as deleted:
        redshift.delete_cluster_snapshot(SnapshotIdentifier="monthly")
    with pytest.raises(ClientError) as again:
        redshift.authorize_snapshot_access(**whom)

    assert (_code(deleted), _code(again)) == ("InvalidClusterSnapshotState", "AuthorizationAlreadyExists")


@pytest.mark.parametrize(("service", "size"), [("redshift", 101), ("elasticache", 51)])
def test_pages_have_a_largest_size(aws: Aws, service: str, size: int) -> None:
    client = aws.client(service)
    listing = client.describe_cluster_snapshots if service == "redshift" else client.describe_snapshots

    with pytest.raises(ClientError) as refused:
        listing(MaxRecords=size)

    assert _code(refused) == "InvalidParameterValue"


def test_a_policy_goes_with_its_snapshot_and_can_be_taken_back(aws: Aws) -> None:
    serverless = aws.client("redshift-serverless")
    serverless.create_namespace(namespaceName="sales")
    address = serverless.create_snapshot(snapshotName="monthly", namespaceName="sales")["snapshot"]["snapshotArn"]
    statement = {"Effect": "Allow", "Principal": {"AWS": [OUTSIDER]}, "Action": "redshift-serverless:*"}
    serverless.put_resource_policy(resourceArn=address, policy=json.dumps({"Statement": [statement]}))
    [listed] = serverless.list_snapshots()["snapshots"]
    serverless.delete_resource_policy(resourceArn=address)

    with pytest.raises(ClientError) as gone:
        serverless.get_resource_policy(resourceArn=address)

    assert listed["accountsWithRestoreAccess"] == [OUTSIDER]
    assert _code(gone) == "ResourceNotFoundException"
