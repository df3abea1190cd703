"""REST-JSON services on the sandbox's wire: which operation a request is, what it asks, and how it is refused."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session
from moto.core.utils import get_service_model

from snapbase.sandbox.aws import wire
from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.aws.wire import Call
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard

REGION = "us-east-1"
ARN = "arn:aws:dlm:us-east-1:123456789012:policy/policy-1"
SERVICES = ("backup", "dlm", "ram", "rbin")


@pytest.fixture(scope="module")
def switchboard() -> Switchboard:
    return Switchboard()


@pytest.fixture(scope="module")
def url(switchboard: Switchboard) -> Iterator[str]:
    sandbox = AwsSandbox(switchboard)
    yield sandbox.start()
    sandbox.stop()


@pytest.fixture
def client(url: str, switchboard: Switchboard) -> Iterator[Any]:
    once = Config(retries={"total_max_attempts": 1})
    keys = boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=REGION)
    yield lambda service: keys.client(service, endpoint_url=url, config=once)
    switchboard.heal()


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_found_by_the_method_and_path_that_botocore_sends(service: str) -> None:
    model = get_service_model(service)
    made = get_session().create_client(service, REGION, config=Config(parameter_validation=False))
    for name in model.operation_names:
        operation = made.meta.service_model.operation_model(name)
        labels = {
            member: f"a {member}/1"
            for member, shape in (operation.input_shape.members.items() if operation.input_shape else ())
            if shape.serialization.get("location") == "uri"
        }
        sent = made._serializer.serialize_to_request(labels, operation)
        path = sent["url_path"].partition("?")[0]

        assert wire.operation_of(service, {}, b"", sent["method"], path) == name
        if labels:
            call = Call("1", REGION, service, name, b"", {}, sent["method"], path)
            assert {member: call.parameters()[member] for member in labels} == labels


def test_what_is_asked_in_the_path_the_query_and_the_body() -> None:
    query = "maxResults=7&nextToken=a%2Fb"
    path = "/backup-vaults/my%20vault/recovery-points/"
    listed = Call("1", REGION, "backup", "ListRecoveryPointsByBackupVault", b"", {}, "GET", path, query)
    body = b'{"Policy": "{}"}'
    put = Call("1", REGION, "backup", "PutBackupVaultAccessPolicy", body, {}, "PUT", "/backup-vaults/v/access-policy")

    assert listed.parameters() == {"BackupVaultName": "my vault", "MaxResults": 7, "NextToken": "a/b"}
    assert put.parameters() == {"BackupVaultName": "v", "Policy": "{}"}


def test_an_arn_in_a_path_keeps_its_slashes() -> None:
    path = "/tags/arn%3Aaws%3Adlm%3Aus-east-1%3A123456789012%3Apolicy%2Fpolicy-1"

    assert wire.operation_of("dlm", {}, b"", "GET", path) == "ListTagsForResource"
    assert Call("1", REGION, "dlm", "ListTagsForResource", b"", {}, "GET", path).parameters() == {"ResourceArn": ARN}


@pytest.mark.parametrize(
    ("service", "method", "path"), [("dlm", "GET", "/nothing"), ("ec2", "GET", "/policies"), ("nosuch", "GET", "/")]
)
def test_a_request_of_no_operation_is_left_to_moto(service: str, method: str, path: str) -> None:
    assert wire.operation_of(service, {}, b"", method, path) == ""


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (FaultKind.DENIED, "AccessDeniedException", 403),
        (FaultKind.SCP_DENIED, "AccessDeniedException", 403),
        (FaultKind.EXPIRED, "ExpiredTokenException", 403),
        (FaultKind.THROTTLED, "ThrottlingException", 429),
        (FaultKind.DISABLED, "UnrecognizedClientException", 403),
        (FaultKind.ERROR, "InternalFailure", 500),
    ],
)
@pytest.mark.parametrize("service", SERVICES)
def test_faults_come_in_the_services_own_format(
    client: Any, switchboard: Switchboard, service: str, kind: FaultKind, code: str, status: int
) -> None:
    switchboard.break_(Fault(kind, operation=f"{service}:*"))

    with pytest.raises(ClientError) as refused:
        _ask(client, service)

    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def _ask(client: Any, service: str) -> Any:
    made = client(service)
    if service == "backup":
        return made.list_backup_vaults()
    if service == "dlm":
        return made.get_lifecycle_policies()
    if service == "ram":
        return made.get_resource_share_associations(associationType="PRINCIPAL")
    return made.list_rules(ResourceType="EBS_SNAPSHOT")


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_fault_the_same_requests_are_answered(client: Any, service: str) -> None:
    assert _ask(client, service)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_refusal_of_a_handler_has_the_services_code(client: Any) -> None:
    with pytest.raises(ClientError) as refused:
        client("dlm").get_lifecycle_policy(PolicyId="policy-0")

    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_associations_of_a_share_come_in_pages(client: Any) -> None:
    ram = client("ram")
    principals = [f"{number:012}" for number in range(3)]
    share = ram.create_resource_share(name="s", principals=principals)["resourceShare"]["resourceShareArn"]

    pages = ram.get_paginator("get_resource_share_associations").paginate(
        associationType="PRINCIPAL", resourceShareArns=[share], maxResults=2
    )

    listed = [[each["associatedEntity"] for each in page["resourceShareAssociations"]] for page in pages]
    assert listed == [principals[:2], principals[2:]]
