"""Customer-managed keys, and which accounts their policies and grants let use what is encrypted with them."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from snapbase.collect.aws.errors import CallFailed, vanished
from snapbase.collect.aws.session import Region, missed
from snapbase.collect.collector import Collector, Where
from snapbase.model import Limits, Observation, Outcome, Resource, ResourceType, Scope

_USES = ("kms:Decrypt", "kms:CreateGrant", "kms:ReEncryptFrom")
"""Each lets its holder get at the data: by itself, by letting the service that copies, or under a key of their own."""
_ACCOUNT = re.compile(r"^(?:arn:[^:]+:(?:iam|sts)::)?(\d{12})(?::.*)?$")
_OF_ACCOUNTS = frozenset({"kms:calleraccount", "aws:principalaccount"})


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every customer-managed key; raises at the end if any of them could not be read completely.

    One that could not be read just now is left out, so that it stays what it was last; of one that we may not read it
    is said what we may not.
    """
    failed: list[CallFailed] = []
    for listed in region.pages("kms", "ListKeys", "Keys", Limit=1000):
        try:
            key = region.call("kms", "DescribeKey", KeyId=listed["KeyId"])["KeyMetadata"]
            seen = _resource(region, key, failed) if key.get("KeyManager") == "CUSTOMER" else None
        except CallFailed as error:
            if not vanished(error):
                failed.append(error)
            continue
        if seen is not None:
            yield Observation(seen)
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
    """The policy's text (empty: not read), and whom policy and grants let in. Raises `CallFailed` unless refused."""
    try:
        policy = str(region.call("kms", "GetKeyPolicy", KeyId=key_id, PolicyName="default")["Policy"])
    except CallFailed as error:
        failed.append(_refused(error))
        return "", Limits(unknown=f"the key's policy was not read: {missed(error).reason}")
    try:
        grants = list(region.pages("kms", "ListGrants", "Grants", KeyId=key_id))
    except CallFailed as error:
        failed.append(_refused(error))
        admitted, _ = admits(policy)
        return policy, Limits(admits=tuple(sorted(admitted)), unknown=f"grants were not read: {missed(error).reason}")
    admitted, unknown = admits(policy, grants)
    return policy, Limits(admits=tuple(sorted(admitted)), unknown=unknown)


def _refused(error: CallFailed) -> CallFailed:
    """The error, if it says that we may not; raises any other."""
    if missed(error).outcome != Outcome.DENIED:
        raise error
    return error


@dataclass(frozen=True, slots=True)
class _Deny:
    """What one Deny statement hits."""

    uses: frozenset[str]
    everyone: bool
    spared: frozenset[str]
    """Accounts that it leaves alone though it hits everyone."""
    hit: frozenset[str]
    """Accounts, and single users and roles, named by it."""
    sure: bool
    """False: under a condition that cannot be evaluated here."""


@dataclass(slots=True)
class _Policy:
    """A key policy, sorted by whom it lets do what: account (`*`: any) -> user or role (empty: all of it) -> uses."""

    allowed: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)
    denies: list[_Deny] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def allow(self, account: str, who: str, uses: frozenset[str]) -> None:
        principals = self.allowed.setdefault(account, {})
        principals[who] = principals.get(who, frozenset()) | uses

    def judged(self) -> tuple[set[str], str]:
        """Who is let in for certain, and why others may be."""
        admitted, doubtful = set(), set()
        spared = {each for deny in self.denies for each in deny.spared} if "*" in self.allowed else set()
        for account in {*self.allowed, *spared}:
            worst = [self._verdict(account, *each) for each in self._principals(account)]
            if min(worst) == _FREE:
                admitted.add(account)
            elif min(worst) == _PERHAPS:
                doubtful.add("anyone" if account == "*" else account)
        named = ", ".join(sorted(doubtful)[:5])
        doubts = [*self.doubts, *([f"a Deny in the key's policy may hit {named}"] if doubtful else [])]
        return admitted, "; ".join(dict.fromkeys(doubts))

    def _principals(self, account: str) -> Iterator[tuple[str, frozenset[str]]]:
        yield from self.allowed.get(account, {}).items()
        if account != "*":
            yield from self.allowed.get("*", {}).items()

    def _verdict(self, account: str, who: str, uses: frozenset[str]) -> int:
        denied: frozenset[str] = frozenset()
        touched = False
        for deny in self.denies:
            reached = deny.everyone and account not in deny.spared
            if uses & deny.uses and (reached or account in deny.hit or (who and who in deny.hit)):
                touched = True
                denied |= deny.uses if deny.sure else frozenset()
        if not touched:
            return _FREE
        return _OUT if uses <= denied else _PERHAPS


_FREE, _PERHAPS, _OUT = 0, 1, 2


def admits(policy: str, grants: Iterable[dict[str, Any]] = ()) -> tuple[set[str], str]:
    """Accounts (`*`: any) that a key's policy and grants let use it, and why there may be more.

    Whom a Deny hits for certain is out; whom it may hit is neither in nor out (IAM user guide, "Policy evaluation
    logic": an explicit deny overrides every allow, whoever gives it).
    """
    sorted_ = _Policy()
    try:
        for statement in _many(json.loads(policy)["Statement"]):
            _sort(statement, sorted_)
    except (ValueError, KeyError, TypeError, AttributeError):
        return set(), "the key's policy cannot be parsed"
    for grant in grants:
        grantee = str(grant.get("GranteePrincipal") or "")
        uses = frozenset(f"kms:{each}" for each in grant.get("Operations") or ()) & set(_USES)
        if (match := _ACCOUNT.match(grantee)) and uses:
            sorted_.allow(match[1], grantee, uses)
    return sorted_.judged()


def _sort(statement: dict[str, Any], policy: _Policy) -> None:
    uses = _uses(statement)
    condition = statement.get("Condition") or {}
    if not uses or _never(condition):
        return
    named = dict(_principals(statement.get("NotPrincipal", statement.get("Principal"))))
    if statement["Effect"] == "Deny":
        # KMS takes a statement without a resource, which has no effect (KMS API reference, PutKeyPolicy).
        if resources := [*_many(statement.get("Resource", statement.get("NotResource")))]:
            denied = _deny(named, uses, condition, inverted="NotPrincipal" in statement)
            sure = denied.sure and "*" in resources and "NotResource" not in statement
            policy.denies.append(replace(denied, sure=sure))
    elif "NotPrincipal" in statement:
        policy.doubts.append("the key's policy allows everyone but some (NotPrincipal)")
    else:
        _allow(policy, named, uses, condition)


def _allow(policy: _Policy, named: dict[str, str], uses: frozenset[str], condition: dict[str, Any]) -> None:
    for who, account in named.items():
        if account != "*":
            policy.allow(account, "" if who == account else who, uses)
    if "*" in named.values():
        narrowed = _narrowed(condition)
        for account in narrowed or ():
            policy.allow(account, "", uses)
        if narrowed is None:
            policy.doubts.append(f"the key's policy admits by condition: {', '.join(sorted(condition))}")


def _deny(named: dict[str, str], uses: frozenset[str], condition: dict[str, Any], *, inverted: bool) -> _Deny:
    none: frozenset[str] = frozenset()
    if inverted:
        return _Deny(uses, everyone=True, spared=frozenset(named.values()), hit=none, sure=not condition)
    hit = frozenset(named) - {"*"}
    if "*" not in named:
        return _Deny(uses, everyone=False, spared=none, hit=hit, sure=not condition)
    match [(operator, test) for operator, tests in condition.items() for test in tests.items()]:
        case []:
            return _Deny(uses, everyone=True, spared=none, hit=hit, sure=True)
        case [("StringEquals", (name, values))] if name.lower() in _OF_ACCOUNTS and _literal(values):
            return _Deny(uses, everyone=False, spared=none, hit=frozenset(map(str, _many(values))), sure=True)
        case [("StringNotEquals", (name, values))] if name.lower() in _OF_ACCOUNTS and _literal(values):
            return _Deny(uses, everyone=True, spared=frozenset(map(str, _many(values))), hit=none, sure=True)
    return _Deny(uses, everyone=True, spared=none, hit=hit, sure=False)


def _literal(values: Any) -> bool:
    """Without policy variables: an account compared with itself is whoever asks (IAM user guide, "Variables")."""
    return not any("${" in str(value) for value in _many(values))


def _never(condition: dict[str, Any]) -> bool:
    """Whether it holds for requests without TLS only, which KMS does not take (KMS developer guide, "Connecting")."""
    tests = {name.lower(): str(value).lower() for name, value in condition.get("Bool", {}).items()}
    return tests.get("aws:securetransport") == "false"


def _uses(statement: dict[str, Any]) -> frozenset[str]:
    """Which of the operations that matter a statement is about."""
    if "NotAction" in statement:
        return frozenset(_USES) - _matching(statement["NotAction"])
    return _matching(statement.get("Action"))


def _matching(patterns: Any) -> frozenset[str]:
    # IAM knows * and ? only; a bracket is a character of its own there.
    globs = [str(each).lower().replace("[", "[[]") for each in _many(patterns)]
    return frozenset(use for use in _USES for glob in globs if fnmatchcase(use.lower(), glob))


def _principals(principal: Any) -> Iterator[tuple[str, str]]:
    """Each principal and its account; an account as a whole is its own principal."""
    for each in map(str, _many(principal.get("AWS") if isinstance(principal, dict) else principal)):
        match = _ACCOUNT.match(each)
        if match:
            whole = each == match[1] or each.endswith(":root")
            yield (match[1] if whole else each), match[1]
        elif each == "*":
            yield "*", "*"


def _narrowed(condition: dict[str, Any]) -> set[str] | None:
    """What conditions leave of everyone: accounts, or `*` without conditions; None: cannot be told."""
    if not condition:
        return {"*"}
    for operator, tests in condition.items():
        if operator not in ("StringEquals", "ForAnyValue:StringEquals"):
            continue
        for name, values in tests.items():
            if name.lower() in _OF_ACCOUNTS and _literal(values):
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
    blind="What conditions other than on the calling account let through: their effect counts as unknown.",
    shares=False,
)
