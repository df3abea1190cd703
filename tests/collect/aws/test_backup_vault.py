"""Backup vaults and whom their policies, RAM shares and restore-access vaults let in."""

import json
from typing import Any

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Grant, Observation, Outcome, Principal, PrincipalKind, ResourceType
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOSTILE, OUTSIDER, PARTNER, Aws, grants

KIND = "aws.backup.vault"
ORGANIZATION = f"arn:aws:organizations::{OUTSIDER}:organization/o-abcdefghij"
UNIT = f"arn:aws:organizations::{OUTSIDER}:ou/o-abcdefghij/ou-abcd-12345678"
RETENTION = {"MinRetentionDays": 7, "MaxRetentionDays": 30}


def _policy(aws: Aws, *statements: dict[str, Any], vault: str = "vault") -> None:
    listed = [
        {"Effect": "Allow", "Action": "backup:CopyIntoBackupVault", "Resource": "*", **each} for each in statements
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": listed})
    aws.client("backup").put_backup_vault_access_policy(BackupVaultName=vault, Policy=document)


def _vault(aws: Aws, name: str = "vault") -> str:
    return str(aws.client("backup").create_backup_vault(BackupVaultName=name)["BackupVaultArn"])


def _air_gapped(aws: Aws, name: str = "vault") -> str:
    made = aws.client("backup").create_logically_air_gapped_backup_vault(BackupVaultName=name, **RETENTION)
    return str(made["BackupVaultArn"])


def _brief(observation: Observation) -> set[tuple[str, str, str, str]]:
    return {(g.principal.kind, g.principal.id, g.mechanism, g.condition) for g in grants(observation)}


def test_a_vault_without_a_policy_is_shared_with_nobody(aws: Aws) -> None:
    arn = _vault(aws)

    seen = aws.one(KIND)

    assert grants(seen) == frozenset()
    assert seen.resource.type == ResourceType.POLICY
    assert seen.resource.address == arn
    assert seen.resource.uid.startswith(f"{arn}@")
    assert seen.resource.attributes["lock"] is None


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Principal": {"AWS": f"arn:aws:iam::{OUTSIDER}:root"}}, (PrincipalKind.ACCOUNT, OUTSIDER, "")),
        ({"Principal": "*"}, (PrincipalKind.PUBLIC, "*", "")),
        (
            {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}},
            (PrincipalKind.ORGANIZATION, "o-abcdefghij", ""),
        ),
        ({"Principal": {"Service": "backup.amazonaws.com"}}, (PrincipalKind.SERVICE, "backup.amazonaws.com", "")),
        (
            {"Principal": {"AWS": PARTNER}, "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            (PrincipalKind.ACCOUNT, PARTNER, "Bool aws:SecureTransport true"),
        ),
    ],
)
def test_whom_the_access_policy_lets_copy_in(
    aws: Aws, statement: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    _vault(aws)
    _policy(aws, statement)

    kind, key, condition = expected
    assert _brief(aws.one(KIND)) == {(kind, key, "backup:CopyIntoBackupVault", condition)}


def test_every_way_that_a_policy_gives_is_a_grant_of_its_own(aws: Aws) -> None:
    _vault(aws)
    own = {"Principal": {"AWS": ACCOUNT}, "Action": "backup:*"}
    _policy(aws, own, {"Principal": {"AWS": OUTSIDER}, "Action": ["backup:StartRestoreJob", "backup:Put*"]})

    assert {(way, access) for way, access in ((g.mechanism, g.access) for g in grants(aws.one(KIND)))} == {
        ("backup:StartRestoreJob", "restore"),
        ("backup:PutBackupVaultAccessPolicy", "reshare"),
    }


def test_a_policy_that_cannot_be_parsed_is_unknown_and_not_empty(aws: Aws) -> None:
    _vault(aws)
    aws.client("backup").put_backup_vault_access_policy(BackupVaultName="vault", Policy="{")

    seen = aws.one(KIND)

    assert seen.grants is None
    assert seen.miss is not None
    assert seen.miss.outcome == Outcome.FAILED


def test_whom_ram_lets_restore_from_an_air_gapped_vault(aws: Aws) -> None:
    arn = _air_gapped(aws)
    role = f"arn:aws:iam::{PARTNER}:role/restore"
    principals = [OUTSIDER, ORGANIZATION, UNIT, role]
    aws.client("ram").create_resource_share(name="out", resourceArns=[arn], principals=principals)

    seen = aws.one(KIND)

    way = "ram:ResourceShare"
    assert _brief(seen) == {
        (PrincipalKind.ACCOUNT, OUTSIDER, way, ""),
        (PrincipalKind.ORGANIZATION, ORGANIZATION, way, ""),
        (PrincipalKind.ORGANIZATIONAL_UNIT, UNIT, way, ""),
        (PrincipalKind.ACCOUNT, PARTNER, way, f"only {role}"),
    }
    assert seen.resource.attributes["lock"] == "compliance"


def test_an_account_that_was_let_restore_by_an_approval_team(aws: Aws) -> None:
    source = _air_gapped(aws)
    other = aws.member()
    aws.client("backup", other).create_restore_access_backup_vault(SourceBackupVaultArn=source)

    who = Principal(PrincipalKind.ACCOUNT, other)
    assert grants(aws.one(KIND)) == {Grant(who, "restore", "backup:RestoreAccessBackupVault")}


def test_a_vault_that_we_restore_from_names_whose_it_is(aws: Aws) -> None:
    other = aws.member()
    theirs = aws.client("backup", other)
    source = theirs.create_logically_air_gapped_backup_vault(BackupVaultName="theirs", **RETENTION)["BackupVaultArn"]
    aws.client("backup").create_restore_access_backup_vault(SourceBackupVaultArn=source, BackupVaultName="ours")

    assert aws.one(KIND).resource.facts["source_vault"] == source


@pytest.mark.parametrize(
    ("lock", "word"), [({}, "governance"), ({"ChangeableForDays": 3}, "compliance-cooloff")], ids=str
)
def test_a_locked_vault_says_how_firmly(aws: Aws, lock: dict[str, int], word: str) -> None:
    _vault(aws)
    aws.client("backup").put_backup_vault_lock_configuration(BackupVaultName="vault", MinRetentionDays=7, **lock)

    resource = aws.one(KIND).resource

    assert (resource.attributes["lock"], resource.attributes["min_retention_days"]) == (word, 7)
    assert ("lock_date" in resource.facts) == bool(lock)


def test_a_vault_of_the_same_name_is_another_one(aws: Aws) -> None:
    _vault(aws)
    before = aws.one(KIND).resource
    aws.client("backup").delete_backup_vault(BackupVaultName="vault")
    _vault(aws)
    after = aws.one(KIND).resource

    assert before.address == after.address
    assert before.uid != after.uid


@pytest.mark.parametrize(
    ("operation", "air_gapped"),
    [
        ("backup:GetBackupVaultAccessPolicy", False),
        ("ram:GetResourceShareAssociations", True),
        ("backup:ListRestoreAccessBackupVaults", True),
    ],
)
@pytest.mark.parametrize(
    ("fault", "outcome"), [(FaultKind.DENIED, Outcome.DENIED), (FaultKind.THROTTLED, Outcome.THROTTLED)]
)
def test_sharing_that_cannot_be_read_is_unknown(
    aws: Aws, operation: str, air_gapped: bool, fault: FaultKind, outcome: Outcome
) -> None:
    (_air_gapped if air_gapped else _vault)(aws)
    aws.break_(fault, operation)

    seen = aws.one(KIND)

    assert seen.grants is None
    assert seen.miss is not None
    assert seen.miss.outcome == outcome
    assert operation in seen.miss.reason


def test_one_vault_that_cannot_be_described_hides_no_other_and_is_not_half_reported(aws: Aws) -> None:
    _vault(aws, "plain")
    _air_gapped(aws, "gapped")
    aws.break_(FaultKind.DENIED, "backup:DescribeBackupVault")
    seen: list[Observation] = []

    with pytest.raises(CallFailed):
        seen.extend(aws.reading(KIND))

    # The plain one has no policy: asked whether it still exists, nobody may say, so its sharing is unknown.
    assert [(each.resource.name, each.grants) for each in seen] == [("plain", None)]


def test_a_vault_deleted_since_it_was_listed_is_left_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    _vault(aws, "kept")
    _vault(aws, "gone")
    aws.after("ListBackupVaults", lambda: aws.client("backup").delete_backup_vault(BackupVaultName="gone"), monkeypatch)

    assert [each.resource.name for each in aws.read(KIND)] == ["kept"]


def test_hostile_policies_and_more_vaults_than_a_page(aws: Aws) -> None:
    for number in range(3):
        _vault(aws, f"vault-{number}")
    _policy(aws, {"Principal": {"Federated": HOSTILE}}, vault="vault-1")

    pages = list(aws.region().pages("backup", "ListBackupVaults", "BackupVaultList", MaxResults=2))

    assert len(pages) == 3
    assert len(aws.read(KIND)) == 3
    [grant] = grants(next(each for each in aws.read(KIND) if each.resource.name == "vault-1"))
    assert grant.principal == Principal(PrincipalKind.FEDERATED, " ".join(HOSTILE.split()))
