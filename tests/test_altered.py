"""What a policy says otherwise than as approved, in words."""

from dataclasses import replace
from typing import Any

import pytest

from snapbase.model import Grant, Principal, PrincipalKind, Resource, ResourceType, Scope, State
from snapbase.rotation.altered import altered

HERE = Scope("aws", "111122223333", "eu-west-1", "aws.backup.plan")
FOREIGN = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), "read", "backup:CopyActions", "to theirs")


def policy(*grants: Grant, **facts: Any) -> State:
    return State(HERE, Resource(uid="p", address="p", type=ResourceType.POLICY, facts=facts), frozenset(grants), None)


@pytest.mark.parametrize(
    ("then", "now", "words"),
    [
        (policy(days=35), policy(days=1), "days is 1, was 35"),
        (policy(days=35), policy(days="always"), "days is always, was 35"),
        (policy(rule={"a": 1}), policy(rule={"a": 2}), "rule is another"),
        (policy(rule="x" * 61), policy(rule="y"), "rule is another"),
        (policy(), policy(rule={"a": 2}), "rule is new"),
        (policy(rule={"a": 2}), policy(), "rule is gone"),
        (policy(), policy(FOREIGN), "backup:CopyActions to account 999988887777 is new"),
        (policy(FOREIGN), policy(), "backup:CopyActions to account 999988887777 is gone"),
        (policy(days=1), policy(days=1), ""),
    ],
)
def test_what_differs_is_said(then: State, now: State, words: str) -> None:
    assert altered(then, now) == words


def test_other_terms_of_the_same_grant_are_said() -> None:
    assert "is another" in altered(policy(FOREIGN), policy(replace(FOREIGN, condition="to another vault")))


def test_whom_it_shares_with_comes_first_and_the_rest_is_counted() -> None:
    then = policy(a=1, b=1, c=1, **{"retention_days daily": 35})
    now = policy(FOREIGN, a=2, b=2, c=2, **{"retention_days daily": 1})

    said = altered(then, now).split("; ")

    assert said[0].endswith("999988887777 is new")
    assert said[1] == "retention_days daily is 1, was 35"
    assert said[2:] == ["a is 2, was 1", "2 more"]
