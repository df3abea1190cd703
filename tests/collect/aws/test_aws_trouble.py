"""Whatever can go wrong in a call: a list in trouble is never an empty one, unread sharing never means not shared."""

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

from snapbase.collect.aws.errors import _ABOVE, CallFailed, classify, verdict
from snapbase.model import Miss, Outcome
from snapbase.sandbox.aws.story import MEMBER
from snapbase.sandbox.faults import Fault, FaultKind
from tests.collect.aws.reader import HOME, Amazon, read

LISTS = {
    "aws.ec2.snapshot": "ec2:DescribeSnapshots",
    "aws.rds.snapshot": "rds:DescribeDBSnapshots",
    "aws.kms.key": "kms:ListKeys",
}
TROUBLE = [
    (FaultKind.DENIED, Outcome.DENIED, "grant it"),
    (FaultKind.SCP_DENIED, Outcome.DENIED, "service control policy"),
    (FaultKind.EXPIRED, Outcome.DENIED, "credentials expired"),
    (FaultKind.THROTTLED, Outcome.THROTTLED, "throttled"),
    (FaultKind.ERROR, Outcome.FAILED, "Internal"),
    (FaultKind.UNIMPLEMENTED, Outcome.FAILED, "no usable answer"),
    (FaultKind.TRUNCATED, Outcome.FAILED, "no usable answer"),
    (FaultKind.RESET, Outcome.FAILED, "no usable answer"),
    (FaultKind.DISABLED, Outcome.DISABLED, "not enabled"),
]


@pytest.mark.parametrize("kind", sorted(LISTS))
@pytest.mark.parametrize(("fault", "outcome", "words"), TROUBLE)
def test_a_list_in_trouble_is_never_an_empty_one(
    amazon: Amazon, kind: str, fault: FaultKind, outcome: str, words: str
) -> None:
    region = amazon.region()
    amazon.switchboard.break_(Fault(fault, account=MEMBER, location=HOME, operation=LISTS[kind]))

    with pytest.raises(CallFailed) as caught:
        read(region, kind)

    miss = classify(caught.value)
    assert miss is not None
    assert miss.outcome == outcome
    assert words in miss.reason
    assert f"{MEMBER}/{HOME}" in miss.reason


@pytest.mark.parametrize(("fault", "outcome", "words"), TROUBLE)
def test_unread_sharing_is_a_miss_and_never_not_shared(
    amazon: Amazon, fault: FaultKind, outcome: str, words: str
) -> None:
    region = amazon.region()
    amazon.switchboard.break_(Fault(fault, operation="ec2:DescribeSnapshotAttribute"))

    seen = read(region, "aws.ec2.snapshot")

    for observation in seen.values():
        if observation.resource.inferred is None:
            assert observation.grants is None
            assert observation.miss is not None
            assert observation.miss.outcome == outcome
            assert words in observation.miss.reason


def _refused(code: str, message: str, operation: str = "ec2:DescribeSnapshots") -> Miss:
    error = ClientError({"Error": {"Code": code, "Message": message}}, operation.partition(":")[2])
    miss = classify(CallFailed(error, operation, MEMBER, HOME))
    assert miss is not None
    return miss


@pytest.mark.parametrize("policy", _ABOVE)
@pytest.mark.parametrize("words", ["with an explicit deny in a {}", "because no {} allows the ec2:X action"])
def test_what_denies_from_above_is_named(policy: str, words: str) -> None:
    who = "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: ec2:DescribeSnapshots"

    miss = _refused("UnauthorizedOperation", f"{who} {words.format(policy)}")

    assert miss.outcome == Outcome.DENIED
    assert f"denied by a {policy}:" in miss.reason
    assert "grant it" not in miss.reason


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("backup", "ListBackupVaults", "ServiceUnavailableException"),
        ("dlm", "GetLifecyclePolicies", "InternalServerException"),
        ("dynamodb", "ListBackups", "InternalServerError"),
        ("kms", "ListGrants", "DependencyTimeoutException"),
        ("kms", "ListKeys", "KMSInternalException"),
        ("ram", "GetResourceShareAssociations", "ServerInternalException"),
    ],
)
def test_trouble_inside_of_a_service_is_asked_again(service: str, operation: str, code: str) -> None:
    shapes = get_session().get_service_model(service).operation_model(operation).error_shapes
    said = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 500}}

    retry = verdict(ClientError(said, operation))

    assert code in {each.name for each in shapes}
    assert retry is not None
    assert not retry.throttled


@pytest.mark.parametrize(
    ("code", "operation"),
    [
        ("SignatureDoesNotMatch", "ec2:DescribeSnapshots"),
        ("InvalidClientTokenId", "sts:GetCallerIdentity"),
        ("InvalidSignatureException", "kms:ListKeys"),
    ],
)
def test_keys_that_are_wrong_are_not_a_region_that_is_off(code: str, operation: str) -> None:
    miss = _refused(code, "The security token included in the request is invalid.", operation)

    assert miss.outcome == Outcome.DENIED
    assert "credentials are not accepted" in miss.reason
