"""A small AWS organisation with a reviewed estate, and the theft that follows."""

import json
from typing import Any

from snapbase.sandbox.aws import story_databases, story_vaults
from snapbase.sandbox.aws.accounts import account_number
from snapbase.sandbox.story import Act

MANAGEMENT = "123456789012"
"""The account of the credentials `sandbox`/`sandbox`, which also manages the organisation."""
_MEMBER_EMAIL = "payments@example.com"
MEMBER = account_number(_MEMBER_EMAIL)
PARTNER = "444455556666"
"""Outside the organisation; holds two snapshots from the first day on."""
OUTSIDER = "999988887777"
"""Nobody knows this account."""
REGIONS = ("us-east-1", "eu-west-1")
ROLE = "snapbase-collector"

_SHARED = "ledger, before the migration"
_PUBLISHED = "warehouse, for the analysts"
_DELETED = "web tier, weekly"
_APPROVED = "catalogue, for the partner"
_IMAGE = "golden-web"
_REPLACED = "orders-before-upgrade"
_TAKEN = "orders-year-end"


def seed(url: str) -> None:
    """Builds the estate; every resource is as a careful team would leave it."""
    management = _Account(url, None)
    organization = management.client("organizations", REGIONS[0])
    organization.create_organization(FeatureSet="ALL")
    organization.create_account(Email=_MEMBER_EMAIL, AccountName="payments", RoleName=ROLE)
    _seed_management(management)
    _seed_member(_Account(url, MEMBER))


def _seed_management(account: "_Account") -> None:
    for region in REGIONS:
        ec2 = account.client("ec2", region)
        ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
        ec2.enable_snapshot_block_public_access(State="block-new-sharing")
        _snapshot(ec2, region, "audit logs")


def _seed_member(account: "_Account") -> None:
    for region in REGIONS:
        ec2 = account.client("ec2", region)
        ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
        _snapshot(ec2, region, "build cache", Encrypted=True)
    _snapshot(account.client("ec2", REGIONS[1]), REGIONS[1], "static site")
    region = REGIONS[0]
    ec2 = account.client("ec2", region)
    key = account.client("kms", region).create_key(Policy=json.dumps(_key_policy()), Description="shared data")
    encrypted = {"Encrypted": True, "KmsKeyId": key["KeyMetadata"]["Arn"]}
    for description in (_PUBLISHED, _DELETED, _APPROVED):
        _snapshot(ec2, region, description)
    _snapshot(ec2, region, _SHARED)
    trusted = _snapshot(ec2, region, "exchange with the partner", **encrypted)
    for shared in (trusted, _find(ec2, _APPROVED)):
        ec2.modify_snapshot_attribute(SnapshotId=shared, CreateVolumePermission={"Add": [{"UserId": PARTNER}]})
    root = _snapshot(ec2, region, "golden image, root")
    device = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": root}}
    ec2.register_image(Name=_IMAGE, RootDeviceName="/dev/sda1", BlockDeviceMappings=[device])
    _seed_databases(account.client("rds", region))
    story_databases.seed(account, region)
    story_vaults.seed(account, region)


def _seed_databases(rds: Any) -> None:
    login = {"MasterUsername": "owner", "MasterUserPassword": "not-a-secret"}
    rds.create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.t3.small", Engine="postgres", AllocatedStorage=20, **login
    )
    for name in (_REPLACED, _TAKEN):
        rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=name)
    rds.create_db_cluster(DBClusterIdentifier="search", Engine="aurora-postgresql", **login)
    rds.create_db_cluster_snapshot(DBClusterIdentifier="search", DBClusterSnapshotIdentifier="search-monthly")


def attack(url: str) -> tuple[Act, ...]:
    """The theft; everything that it changes is in the answer, and nothing in the member's second region is touched."""
    account = _Account(url, MEMBER, "Developer/t.lambert")
    ec2, rds = account.client("ec2", REGIONS[0]), account.client("rds", REGIONS[0])
    shared, public, approved = (_find(ec2, each) for each in (_SHARED, _PUBLISHED, _APPROVED))
    for each in (shared, approved):
        ec2.modify_snapshot_attribute(SnapshotId=each, CreateVolumePermission={"Add": [{"UserId": OUTSIDER}]})
    ec2.modify_snapshot_attribute(SnapshotId=public, CreateVolumePermission={"Add": [{"Group": "all"}]})
    image = next(each for each in ec2.describe_images(Owners=["self"])["Images"] if each["Name"] == _IMAGE)["ImageId"]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": OUTSIDER}]})
    rds.modify_db_snapshot_attribute(DBSnapshotIdentifier=_TAKEN, AttributeName="restore", ValuesToAdd=[OUTSIDER])
    deleted = _find(ec2, _DELETED)
    ec2.delete_snapshot(SnapshotId=deleted)
    rds.delete_db_snapshot(DBSnapshotIdentifier=_REPLACED)
    rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=_REPLACED)
    return (
        Act(f"shared EBS snapshot {shared} with account {OUTSIDER}", "unknown-account-share", shared),
        Act(f"shared the already approved EBS snapshot {approved} with {OUTSIDER}", "unknown-account-share", approved),
        Act(f"made EBS snapshot {public} public", "public-share", public),
        Act(f"shared image {image} with account {OUTSIDER}", "unknown-account-share", image),
        Act(f"shared RDS snapshot {_TAKEN} with account {OUTSIDER}", "unknown-account-share", _TAKEN),
        Act(f"deleted EBS snapshot {deleted}", "snapshot-disappeared", deleted),
        Act(f"deleted RDS snapshot {_REPLACED} and made another of that name", "snapshot-replaced", _REPLACED),
        *story_databases.attack(account, REGIONS[0], OUTSIDER),
        *story_vaults.attack(account, REGIONS[0], OUTSIDER),
    )


class _Account:
    """Clients for one account of the sandbox: the credentials' own, or one whose role is assumed."""

    def __init__(self, url: str, account: str | None, session: str = f"{ROLE}/story") -> None:
        import boto3

        self._url = url
        self._session = boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox")
        if account is not None:
            role, _, name = session.partition("/")
            sts = self.client("sts", REGIONS[0])
            keys = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName=name)["Credentials"]
            self._session = boto3.Session(
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
            )

    def client(self, service: str, region: str) -> Any:
        return self._session.client(service, region_name=region, endpoint_url=self._url)


def _snapshot(ec2: Any, region: str, description: str, **volume: Any) -> str:
    made = ec2.create_volume(AvailabilityZone=f"{region}a", Size=20, **volume)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "team", "Value": "payments"}]}]
    taken = ec2.create_snapshot(VolumeId=made["VolumeId"], Description=description, TagSpecifications=tags)
    return str(taken["SnapshotId"])


def _find(ec2: Any, description: str) -> str:
    listed = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return str(next(each["SnapshotId"] for each in listed if each["Description"] == description))


def _key_policy() -> dict[str, Any]:
    def allow(account: str, *actions: str) -> dict[str, Any]:
        principal = {"AWS": f"arn:aws:iam::{account}:root"}
        return {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": "*"}

    use = ("kms:Decrypt", "kms:DescribeKey", "kms:CreateGrant", "kms:ReEncrypt*", "kms:GenerateDataKey*")
    return {"Version": "2012-10-17", "Statement": [allow(MEMBER, "kms:*"), allow(PARTNER, *use)]}
