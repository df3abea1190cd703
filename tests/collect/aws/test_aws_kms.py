"""Whom the policies and grants of keys let in, and when that cannot be told."""

import json
from typing import Any

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.collect.aws.kms_key import admits
from snapbase.collect.collector import collectors
from snapbase.model import Observation, Scope
from snapbase.sandbox.aws.story import MEMBER, PARTNER
from snapbase.sandbox.faults import Fault, FaultKind
from tests.collect.aws.reader import ELSEWHERE, HOME, Amazon, read

A, B = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{A}:role/restore"


def test_keys_admit_whom_their_policies_name(amazon: Amazon) -> None:
    key = read(amazon.region(), "aws.kms.key")["shared data"]

    assert key.resource.limits is not None
    assert key.resource.limits.admits == tuple(sorted((MEMBER, PARTNER)))
    assert key.resource.limits.unknown == ""


def test_a_grant_admits_unless_a_deny_may_hit_it(amazon: Amazon) -> None:
    kms = amazon.client("kms", region=ELSEWHERE)
    own = _allow(Principal={"AWS": MEMBER}, Action="kms:*")
    for name, more in (("open", []), ("barred", [_deny(Principal={"AWS": A})])):
        key = kms.create_key(Description=name, Policy=json.dumps({"Statement": [own, *more]}))["KeyMetadata"]["KeyId"]
        kms.create_grant(KeyId=key, GranteePrincipal=ROLE, Operations=["Decrypt"])

    seen = read(amazon.region(region=ELSEWHERE), "aws.kms.key")

    admitted = {name: seen[name].resource.limits for name in ("open", "barred")}
    assert admitted["open"] is not None
    assert admitted["barred"] is not None
    assert set(admitted["open"].admits or ()) == {MEMBER, A}
    assert set(admitted["barred"].admits or ()) == {MEMBER}


@pytest.mark.parametrize("operation", ["kms:GetKeyPolicy", "kms:ListGrants"])
@pytest.mark.parametrize(("kind", "told"), [(FaultKind.THROTTLED, False), (FaultKind.DENIED, True)])
def test_a_key_that_cannot_be_read_just_now_stays_what_it_was(
    amazon: Amazon, operation: str, kind: FaultKind, told: bool
) -> None:
    """One that we may not read says so; one that is left out is kept by the store, as unread."""
    region = amazon.region()
    collector = next(each for each in collectors("aws") if each.kind == "aws.kms.key")
    amazon.switchboard.break_(Fault(kind, operation=operation))
    seen: list[Observation] = []

    with pytest.raises(CallFailed):
        seen.extend(collector.read(region, Scope("aws", MEMBER, HOME, collector.kind)))

    assert bool(seen) == told
    assert all(each.resource.limits and each.resource.limits.unknown for each in seen)


def _allow(**statement: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:CreateGrant"], "Resource": "*", **statement}


def _deny(**statement: Any) -> dict[str, Any]:
    return {**_allow(**statement), "Effect": "Deny"}


def _caller(operator: str, *accounts: str) -> dict[str, Any]:
    return {operator: {"kms:CallerAccount": list(accounts)}}


TO_A, TO_B, TO_ALL = (_allow(Principal={"AWS": each}) for each in (A, B, "*"))
ITSELF = {"StringEquals": {"kms:CallerAccount": "${kms:CallerAccount}"}}
BY_ORGANIZATION = {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}


@pytest.mark.parametrize(
    ("statements", "accounts", "unsure"),
    [
        ([TO_ALL], {"*"}, False),
        ([_allow(Principal={"AWS": [A, f"arn:aws-cn:iam::{B}:role/x"]})], {A, B}, False),
        ([_allow(Principal="*", Condition=_caller("StringEquals", A))], {A}, False),
        ([_allow(Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}})], set(), True),
        ([_allow(Principal={"AWS": A}, Action="kms:DescribeKey")], set(), False),
        ([_allow(Principal={"AWS": A}, Action="kms:[D]ecrypt")], set(), False),
        ([_allow(Principal={"Service": "ec2.amazonaws.com"})], set(), False),
        ([_allow(NotPrincipal={"AWS": A})], set(), True),
        ([_allow(Principal={"AWS": A}, Action="kms:ReEncrypt*")], {A}, False),
        ([_allow(Principal="*", Condition=ITSELF)], set(), True),
    ],
)  # fmt: skip
def test_whom_allow_statements_admit(statements: list[Any], accounts: set[str], unsure: bool) -> None:
    _check(statements, accounts, unsure)


@pytest.mark.parametrize(
    ("statements", "accounts", "unsure"),
    [
        # For certain: nobody is taken for let in who is not.
        ([_deny(Principal={"AWS": A})], set(), False),
        ([TO_A, TO_B, _deny(Principal={"AWS": A})], {B}, False),
        ([TO_A, TO_B, _deny(Principal="*", Condition=_caller("StringNotEquals", B))], {B}, False),
        ([TO_A, TO_B, _deny(Principal="*", Condition=_caller("StringEquals", A))], {B}, False),
        ([TO_ALL, _deny(Principal="*", Condition=_caller("StringNotEquals", B))], {B}, False),
        ([TO_ALL, _deny(NotPrincipal={"AWS": [B, f"arn:aws:iam::{B}:role/x"]})], {B}, False),
        ([TO_A, TO_B, _deny(Principal="*")], set(), False),
        ([_allow(Principal={"AWS": ROLE}), _deny(Principal={"AWS": ROLE})], set(), False),
        ([TO_A, _deny(Principal={"AWS": A}, Action="kms:Decrypt"), _deny(Principal="*", Action="kms:Create*")],
         set(), False),
        # A Deny that hits others, or nothing that matters.
        ([TO_A, _deny(Principal={"AWS": ROLE})], {A}, False),
        ([TO_A, _deny(Principal="*", Action="kms:ScheduleKeyDeletion")], {A}, False),
        ([TO_A, _deny(Principal="*", NotAction=["kms:Decrypt", "kms:CreateGrant"])], {A}, False),
        ([TO_A, _deny(Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})], {A}, False),
        ([TO_A, _deny(Principal={"Service": "ec2.amazonaws.com"})], {A}, False),
        ([TO_A, {name: value for name, value in _deny(Principal="*").items() if name != "Resource"}], {A}, False),
        # Perhaps: neither in nor out.
        ([TO_A, _deny(Principal="*", Resource="arn:aws:kms:us-east-1:123456789012:key/other")], set(), True),
        ([TO_A, _deny(Principal="*", Condition={"StringNotEquals": ITSELF["StringEquals"]})], set(), True),
        ([TO_A, _deny(Principal="*", Condition=ITSELF)], set(), True),
        ([TO_A, _deny(Principal="*", Condition=BY_ORGANIZATION)], set(), True),
        ([TO_A, TO_B, _deny(Principal={"AWS": A}, Condition=BY_ORGANIZATION)], {B}, True),
        ([TO_A, _deny(Principal={"AWS": A}, Action="kms:Decrypt")], set(), True),
        ([TO_ALL, _deny(Principal="*", Condition=BY_ORGANIZATION)], set(), True),
        ([TO_A, _deny(Principal="*", Condition={**BY_ORGANIZATION, **_caller("StringEquals", A)})], set(), True),
        ([TO_A, TO_B, _deny(NotPrincipal={"AWS": B}, Condition=BY_ORGANIZATION)], {B}, True),
    ],
)  # fmt: skip
def test_deny_statements_are_weighed(statements: list[Any], accounts: set[str], unsure: bool) -> None:
    _check(statements, accounts, unsure)


@pytest.mark.parametrize(
    "policy",
    [
        "not json", "[]", "null", '{"Statement": [7]}', '{"Statement": [{"Effect": "Deny", "Action": 1}, "x"]}',
        json.dumps({"Statement": {**TO_A, "Condition": "x"}}),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_parsed_admits_nobody_knows_whom(policy: str) -> None:
    found, unknown = admits(policy)

    assert found == set()
    assert unknown


def _check(statements: list[Any], accounts: set[str], unsure: bool) -> None:
    found, unknown = admits(json.dumps({"Statement": statements}))

    assert found == accounts
    assert bool(unknown) == unsure
    if len(statements) == 1:
        assert admits(json.dumps({"Statement": statements[0]})) == (found, unknown)
