"""Customer-managed keys, and which accounts their policies and grants let use what is encrypted with them."""

import json
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from snapbase.collect.aws.errors import CallFailed, vanished
from snapbase.collect.aws.session import Region, missed
from snapbase.collect.collector import Collector, Where
from snapbase.model import Limits, Observation, Resource, ResourceType, Scope

_USES = ("kms:Decrypt", "kms:CreateGrant")
"""Either lets its holder get at the data: by itself, or by granting it to the service that copies."""
_ACCOUNT = re.compile(r"^(?:arn:[^:]+:(?:iam|sts)::)?(\d{12})(?::.*)?$")
_OF_ACCOUNTS = frozenset({"kms:calleraccount", "aws:principalaccount"})


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every customer-managed key; raises at the end if any of them could not be read completely."""
    failed: list[CallFailed] = []
    for listed in region.pages("kms", "ListKeys", "Keys", Limit=1000):
        try:
            key = region.call("kms", "DescribeKey", KeyId=listed["KeyId"])["KeyMetadata"]
        except CallFailed as error:
            if not vanished(error):
                failed.append(error)
            continue
        if key.get("KeyManager") == "CUSTOMER":
            yield Observation(_resource(region, key, failed))
    if failed:
        raise failed[0]


def _resource(region: Region, key: dict[str, Any], failed: list[CallFailed]) -> Resource:
    policy, limits = _limits(region, key["KeyId"], failed)
    return Resource(
        uid=key["Arn"],
        address=key["Arn"],
        type=ResourceType.GUARDRAIL,
        name=key.get("Description") or None,
        created_at=key.get("CreationDate"),
        owner=key.get("AWSAccountId"),
        limits=limits,
        attributes={
            "state": key.get("KeyState"),
            "manager": key.get("KeyManager"),
            "origin": key.get("Origin"),
            "multi_region": key.get("MultiRegion"),
        },
        facts={"policy_digest": sha256(policy.encode()).hexdigest()} if policy else {},
    )


def _limits(region: Region, key_id: str, failed: list[CallFailed]) -> tuple[str, Limits]:
    """The policy's text (empty: not read), and whom policy and grants let in."""
    try:
        policy = str(region.call("kms", "GetKeyPolicy", KeyId=key_id, PolicyName="default")["Policy"])
        admitted, unknown = admits(policy)
    except CallFailed as error:
        failed.append(error)
        return "", Limits(unknown=f"the key's policy was not read: {missed(error).reason}")
    try:
        grants = list(region.pages("kms", "ListGrants", "Grants", KeyId=key_id))
    except CallFailed as error:
        failed.append(error)
        return policy, Limits(admits=tuple(sorted(admitted)), unknown=f"grants were not read: {missed(error).reason}")
    admitted |= {account for grant in grants for account in _granted(grant)}
    return policy, Limits(admits=tuple(sorted(admitted)), unknown=unknown)


def _granted(grant: dict[str, Any]) -> Iterator[str]:
    match = _ACCOUNT.match(str(grant.get("GranteePrincipal") or ""))
    if match and {"Decrypt", "CreateGrant"} & set(grant.get("Operations") or ()):
        yield match[1]


def admits(policy: str) -> tuple[set[str], str]:
    """Accounts (`*`: any) that a key policy lets use the key, and why there may be more.

    Deny statements are not weighed: an account is counted as let in rather than wrongly as kept out.
    """
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError):
        return set(), "the key's policy cannot be parsed"
    accounts: set[str] = set()
    unknown = ""
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Effect") != "Allow" or not _useful(statement):
            continue
        if "NotPrincipal" in statement:
            unknown = "the key's policy allows everyone but some (NotPrincipal)"
            continue
        named = set(_principals(statement.get("Principal")))
        narrowed = _narrowed(statement.get("Condition") or {})
        accounts |= named - {"*"}
        if "*" in named and narrowed is not None:
            accounts |= narrowed
        elif "*" in named:
            unknown = f"the key's policy admits by condition: {', '.join(sorted(statement['Condition']))}"
    return accounts, unknown


def _useful(statement: dict[str, Any]) -> bool:
    if "NotAction" in statement:
        return True
    patterns = [str(each).lower() for each in _many(statement.get("Action"))]
    return any(fnmatchcase(use.lower(), pattern) for use in _USES for pattern in patterns)


def _principals(principal: Any) -> Iterator[str]:
    for each in _many(principal.get("AWS") if isinstance(principal, dict) else principal):
        match = _ACCOUNT.match(str(each))
        if match or each == "*":
            yield match[1] if match else "*"


def _narrowed(condition: dict[str, Any]) -> set[str] | None:
    """What conditions leave of everyone: accounts, or `*` without conditions; None: cannot be told."""
    if not condition:
        return {"*"}
    for operator, tests in condition.items():
        if operator not in ("StringEquals", "ForAnyValue:StringEquals"):
            continue
        for name, values in tests.items():
            if name.lower() in _OF_ACCOUNTS:
                return {str(value) for value in _many(values)}
    return None


def _many(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else [value]


COLLECTOR = Collector(
    kind="aws.kms.key",
    title="encryption keys",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("kms:ListKeys", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"),
    calls="1 per 1,000 + 1 per key, 3 per customer-managed key",
    blind="Deny statements and conditions other than on the calling account.",
    shares=False,
    events={"PutKeyPolicy": "who may use the key changed", "CreateGrant": "use of the key granted"},
)
