"""Whom resource policies let in, statement by statement."""

import json
from typing import Any

import pytest

from snapbase.collect.aws.policy import Unclear, grants
from snapbase.model import PrincipalKind

OWN, PARTNER, OTHER = "111122223333", "444455556666", "777788889999"
ROLE = f"arn:aws:iam::{PARTNER}:role/restore"


def _allow(principal: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "backup:*", "Resource": "*", **more}


def _deny(principal: Any = "*", **more: Any) -> dict[str, Any]:
    return {**_allow(principal, **more), "Effect": "Deny"}


def _read(*statements: Any, actions: tuple[str, ...] = ("backup:StartRestoreJob",)) -> set[tuple[str, str, str]]:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    found = grants(document, "restore", "backup:policy", OWN, actions)
    return {(each.principal.kind, each.principal.id, each.condition) for each in found}


@pytest.mark.parametrize(
    ("principal", "kind", "key", "condition"),
    [
        ("*", PrincipalKind.PUBLIC, "*", ""),
        ({"AWS": "*"}, PrincipalKind.PUBLIC, "*", ""),
        ({"AWS": ["*"]}, PrincipalKind.PUBLIC, "*", ""),
        ({"AWS": PARTNER}, PrincipalKind.ACCOUNT, PARTNER, ""),
        ({"AWS": f"arn:aws-cn:iam::{PARTNER}:root"}, PrincipalKind.ACCOUNT, PARTNER, ""),
        ({"AWS": ROLE}, PrincipalKind.ACCOUNT, PARTNER, f"only {ROLE}"),
        ({"AWS": "AROAIOSFODNN7EXAMPLE"}, PrincipalKind.DELETED, "AROAIOSFODNN7EXAMPLE", ""),
        ({"AWS": "arn:aws:iam::*:role/x"}, PrincipalKind.OTHER, "arn:aws:iam::*:role/x", ""),
        ({"Service": "backup.amazonaws.com"}, PrincipalKind.SERVICE, "backup.amazonaws.com", ""),
        ({"Federated": "accounts.google.com"}, PrincipalKind.FEDERATED, "accounts.google.com", ""),
        ({"CanonicalUser": "79a59df900b949e5"}, PrincipalKind.OTHER, "79a59df900b949e5", ""),
    ],
)
def test_every_kind_of_principal(principal: Any, kind: str, key: str, condition: str) -> None:
    assert _read(_allow(principal)) == {(kind, key, condition)}


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": OWN},
        {"AWS": f"arn:aws:iam::{OWN}:role/x"},
        {"Federated": f"arn:aws:iam::{OWN}:saml-provider/staff"},
    ],
)
def test_its_own_account_is_nobody_else(principal: Any) -> None:
    assert _read(_allow(principal)) == set()


@pytest.mark.parametrize(
    ("condition", "kind", "key", "rest"),
    [
        ({"StringEquals": {"aws:PrincipalOrgID": "o-abcde12345"}}, "organization", "o-abcde12345", ""),
        ({"StringLike": {"aws:principalorgid": ["o-abcde12345"]}}, "organization", "o-abcde12345", ""),
        (
            {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abcde12345/r-ab12/ou-ab12-11111111/*"}},
            "organizational-unit",
            "o-abcde12345/r-ab12/ou-ab12-11111111/*",
            "",
        ),
        (
            {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abcde12345/*"}},
            "organization",
            "o-abcde12345",
            "",
        ),
        ({"StringEquals": {"aws:PrincipalAccount": PARTNER}}, "account", PARTNER, ""),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{PARTNER}:root"}}, "account", PARTNER, ""),
        (
            {"StringEquals": {"aws:PrincipalAccount": PARTNER, "aws:PrincipalOrgID": "o-abcde12345"}},
            "account",
            PARTNER,
            "StringEquals aws:PrincipalOrgID o-abcde12345",
        ),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "public", "*", "IpAddress aws:SourceIp 10.0.0.0/8"),
        ({"StringEquals": {"aws:PrincipalOrgID": []}}, "public", "*", "StringEquals aws:PrincipalOrgID"),
        ({"StringLike": {"aws:PrincipalOrgID": "o-*"}}, "public", "*", "StringLike aws:PrincipalOrgID o-*"),
        (
            {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcde12345"}},
            "public",
            "*",
            "StringNotEquals aws:PrincipalOrgID o-abcde12345",
        ),
        (
            {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-abcde12345"}},
            "public",
            "*",
            "StringEqualsIfExists aws:PrincipalOrgID o-abcde12345",
        ),
        (
            {"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-abcde12345/*"}},
            "public",
            "*",
            "ForAllValues:StringLike aws:PrincipalOrgPaths o-abcde12345/*",
        ),
    ],
)
def test_conditions_narrow_everyone_or_are_kept(condition: Any, kind: str, key: str, rest: str) -> None:
    assert _read(_allow(Condition=condition)) == {(kind, key, rest)}


def test_a_condition_on_a_named_account_is_kept() -> None:
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-abcde12345"}}

    assert _read(_allow({"AWS": PARTNER}, Condition=condition)) == {
        ("account", PARTNER, "StringEquals aws:PrincipalOrgID o-abcde12345")
    }


def test_two_ways_for_one_principal_are_one_grant() -> None:
    other = f"arn:aws:iam::{PARTNER}:role/other"

    assert _read(_allow({"AWS": [ROLE, other]})) == {("account", PARTNER, f"only {other} or only {ROLE}")}
    assert _read(_allow({"AWS": ROLE}), _allow({"AWS": PARTNER})) == {("account", PARTNER, "")}


def test_everyone_but_some_is_everyone_under_a_condition() -> None:
    statement = {"Effect": "Allow", "NotPrincipal": {"AWS": OWN}, "Action": "*"}

    [(kind, _, condition)] = _read(statement)

    assert kind == PrincipalKind.PUBLIC
    assert condition.startswith("everyone but ")


@pytest.mark.parametrize(
    ("action", "counts"),
    [
        ({"Action": "backup:CopyIntoBackupVault"}, False),
        ({"Action": ["backup:copyintobackupvault", "BACKUP:startrestore*"]}, True),
        ({"NotAction": "backup:StartRestoreJob"}, False),
        ({"NotAction": "backup:Delete*"}, True),
    ],
)
def test_only_statements_on_the_actions_count(action: dict[str, Any], counts: bool) -> None:
    statement = {"Effect": "Allow", "Principal": "*", **action}

    assert bool(_read(statement)) is counts


@pytest.mark.parametrize("principal", ["*", {"AWS": PARTNER}, {"AWS": f"arn:aws:iam::{PARTNER}:root"}])
def test_a_certain_deny_takes_the_grant_away(principal: Any) -> None:
    assert _read(_allow({"AWS": [PARTNER, ROLE]}), _deny(principal)) == set()


@pytest.mark.parametrize(
    "denial",
    [
        _deny({"AWS": OTHER}),
        _deny({"AWS": f"arn:aws:iam::{PARTNER}:role/other"}),
        _deny(Action="backup:DeleteBackupVault"),
    ],
)
def test_a_deny_of_something_else_changes_nothing(denial: Any) -> None:
    assert _read(_allow({"AWS": PARTNER}), denial) == {("account", PARTNER, "")}


@pytest.mark.parametrize(
    ("denial", "said"),
    [
        (
            _deny(Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-abcde12345"}}),
            "denied where StringNotEquals aws:PrincipalOrgID o-abcde12345",
        ),
        (_deny(Resource="arn:aws:ec2:eu-west-1::snapshot/snap-1"), "denied in part"),
        ({"Effect": "Deny", "Principal": "*", "Action": "*"}, "denied in part"),
        (
            {"Effect": "Deny", "NotPrincipal": {"AWS": OWN}, "Action": "*", "Resource": "*"},
            f'denied to all but {{"AWS":"{OWN}"}} in part',
        ),
    ],
)
def test_a_deny_that_may_not_hold_is_kept_as_a_condition(denial: Any, said: str) -> None:
    assert _read(_allow({"AWS": PARTNER}), denial) == {("account", PARTNER, said)}


@pytest.mark.parametrize("action", [{"NotAction": "backup:StartRestoreJob"}, {"Action": "?"}, {"Action": "backup:*"}])
def test_where_all_actions_count_only_a_deny_of_all_is_certain(action: dict[str, Any]) -> None:
    denial = {"Effect": "Deny", "Principal": "*", "Resource": "*", **action}

    assert _read(_allow({"AWS": PARTNER}), denial, actions=()) == {("account", PARTNER, "denied in part")}
    assert _read(_allow({"AWS": PARTNER}), {**_deny(), "Action": ["*"]}, actions=()) == set()


def test_a_bracket_in_an_action_is_no_wildcard() -> None:
    assert _read(_allow({"AWS": PARTNER}), _deny(Action="backup:[!x]*")) == {("account", PARTNER, "")}


def test_a_deny_of_one_of_two_ways_leaves_the_other() -> None:
    actions = ("backup:StartRestoreJob", "backup:StartCopyJob")
    denial = _deny(Action="backup:StartRestoreJob")

    assert _read(_allow({"AWS": PARTNER}), denial, actions=actions) == {("account", PARTNER, "denied in part")}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        "[]",
        '"Statement"',
        "{}",
        '{"Statement": "Allow"}',
        '{"Statement": [{"Effect": "Maybe", "Principal": "*", "Action": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "444455556666", "Action": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Condition": ["x"]}]}',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_parsed_is_not_nobody(document: str) -> None:
    with pytest.raises(Unclear):
        grants(document, "restore", "backup:policy", OWN)


def test_long_conditions_are_cut_and_still_differ() -> None:
    def of(last: str) -> str:
        addresses = [f"10.0.{number}.0/24" for number in range(90)] + [last]
        [(_, _, condition)] = _read(_allow(Condition={"IpAddress": {"aws:SourceIp": addresses}}))
        return condition

    assert len(of("9.9.9.9/32")) == 300
    assert of("9.9.9.9/32") != of("9.9.9.8/32")


def test_an_empty_policy_grants_nothing() -> None:
    assert _read() == set()
