"""CloudTrail records of our own making, in the shapes that AWS writes."""

from typing import Any

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.event import Event

ACCOUNT, OTHER, REGION = "111122223333", "999988887777", "eu-west-1"
SNAPSHOT, IMAGE = "snap-0123456789abcdef0", "ami-0123456789abcdef0"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
EC2 = f"arn:aws:ec2:{REGION}:"
SNAP, AMI = f"{EC2}:snapshot/{SNAPSHOT}", f"{EC2}:image/{IMAGE}"
RDS = f"arn:aws:rds:{REGION}:{ACCOUNT}"
HOUSE = f"arn:aws:redshift:{REGION}:{ACCOUNT}:snapshot:house/night"
VAULT = f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:daily"
POINT = f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:0a1b"
USER = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLEEXAMPLEEX",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/mallory",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIAEXAMPLE",
    "userName": "mallory",
}


def session(role: str, name: str = "session", **more: Any) -> dict[str, Any]:
    """An assumed role's identity; `role` is its path and name."""
    issuer = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{name}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/{name}",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": issuer, "accountId": ACCOUNT}},
        **more,
    }


def record(service: str, name: str, request: Any = None, response: Any = None, **more: Any) -> dict[str, Any]:
    """A management event's record."""
    return {
        "eventVersion": "1.09",
        "userIdentity": USER,
        "eventTime": "2026-03-04T05:06:07Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.9",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": request,
        "responseElements": response,
        "requestID": "6e5d1f0a-0000-4000-8000-000000000000",
        "eventID": f"{service}-{name}",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        **more,
    }


def share(*holders: dict[str, str], way: str = "add", **more: Any) -> dict[str, Any]:
    """An EBS snapshot shared, or with `way="remove"` un-shared."""
    change = {"createVolumePermission": {way: {"items": list(holders)}}}
    request = {"snapshotId": SNAPSHOT, **change, "attributeType": "CREATE_VOLUME_PERMISSION"}
    return record("ec2", "ModifySnapshotAttribute", request, {"_return": True}, **more)


def service_event(
    service: str, name: str, details: dict[str, Any], actor: str = ACCOUNT, **more: Any
) -> dict[str, Any]:
    """What an AWS service did by itself, or another account through it."""
    identity = {"type": "AWSAccount", "accountId": actor, "invokedBy": f"{service}.amazonaws.com"}
    return record(
        service, name, userIdentity=identity, eventType="AwsServiceEvent", serviceEventDetails=details, **more
    )


def parsed(raw: dict[str, Any]) -> Event:
    assert AUDIT_LOG.recognise(raw)
    event = AUDIT_LOG.parse(raw)
    assert isinstance(event, Event), event
    return event
