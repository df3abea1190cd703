"""A resource policy's JSON -> grants: whom its statements let in, and under which conditions.

Read conservatively: what cannot be evaluated stays as a grant's condition, so that a reader counts it as working; only
a Deny that certainly holds takes a grant away. Source: IAM User Guide, "JSON policy element reference" and "Policy
evaluation logic".
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from snapbase.model import Grant, Principal, PrincipalKind

_LONGEST = 300
_ACCOUNT = re.compile(r"(?:arn:[^:]+:(?:iam|sts)::)?([0-9]{12})(?::(.*))?", re.DOTALL)
_DELETED = re.compile(r"A(?:ROA|IDA|GPA)[A-Z0-9]{12,}")
"""What IAM puts in the place of a deleted role or user (IAM identifiers, "Unique identifiers")."""
_ORGANIZATION = re.compile(r"o-[a-z0-9]{4,32}")
_PATH = re.compile(r"(o-[a-z0-9]{4,32})/(.*)", re.DOTALL)
_POSITIVE = frozenset({"stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike"})
_TYPES = {"Service": PrincipalKind.SERVICE, "Federated": PrincipalKind.FEDERATED}


class Unclear(Exception):
    """A policy that cannot be read as one: who holds what is then unknown, not nobody."""


def grants(document: str, access: str, mechanism: str, account: str, actions: Iterable[str] = ()) -> frozenset[Grant]:
    """What a policy on a resource of `account` grants to others than that account; raises `Unclear`.

    Only statements on one of `actions` count; with none named, all do. "Everyone but some" (Allow with NotPrincipal)
    is everyone, under that condition. Several statements for one principal are one grant.
    """
    statements = _statements(document)
    wanted = tuple(each.lower() for each in actions)
    ways: dict[Principal, set[str]] = {}
    for statement in statements:
        if statement.allows and statement.touches(wanted):
            for principal, condition in _holders(statement, account):
                ways.setdefault(principal, set()).add(condition)
    denials = [each for each in statements if not each.allows and each.touches(wanted)]
    found = ((who, _after_denials(who, _either(asked), denials, wanted)) for who, asked in ways.items())
    return frozenset(Grant(who, access, mechanism, _bounded(left)) for who, left in found if left is not None)


@dataclass(frozen=True, slots=True)
class _Statement:
    allows: bool
    principal: Any
    negated: bool
    """Whether `principal` is a NotPrincipal."""
    body: Mapping[str, Any]

    @property
    def condition(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.body.get("Condition") or {}
        return found

    def touches(self, actions: tuple[str, ...]) -> bool:
        return not actions or any(self._covers(each) for each in actions)

    def covers_all(self, actions: tuple[str, ...]) -> bool:
        """Whether it is about all of `actions` on whatever resource; what one that names none is about, nobody says."""
        if "NotResource" in self.body or set(map(_text, _many(self.body.get("Resource")))) != {"*"}:
            return False
        if not actions:
            return "*" in _many(self.body.get("Action"))
        return all(self._covers(each) for each in actions)

    def _covers(self, action: str) -> bool:
        excluded = self.body.get("NotAction")
        listed = _many(self.body.get("Action") if excluded is None else excluded)
        # IAM knows * and ? only; a bracket is a character of its own there.
        patterns = [str(each).lower().replace("[", "[[]") for each in listed]
        return any(fnmatchcase(action, pattern) for pattern in patterns) == (excluded is None)


def _statements(document: str) -> list[_Statement]:
    try:
        body = json.loads(document)
        listed = body["Statement"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unclear("the policy cannot be parsed") from error
    return [_statement(each) for each in (listed if isinstance(listed, list) else [listed])]


def _statement(body: Any) -> _Statement:
    if not isinstance(body, dict) or body.get("Effect") not in ("Allow", "Deny"):
        raise Unclear("the policy has a statement that neither allows nor denies")
    if ("Principal" in body) == ("NotPrincipal" in body):
        raise Unclear("the policy has a statement without a principal")
    if ("Action" in body) == ("NotAction" in body):
        raise Unclear("the policy has a statement without an action")
    tests = body.get("Condition") or {}
    if not isinstance(tests, dict) or not all(isinstance(each, dict) for each in tests.values()):
        raise Unclear("the policy has a condition that cannot be parsed")
    negated = "NotPrincipal" in body
    return _Statement(body["Effect"] == "Allow", body["NotPrincipal" if negated else "Principal"], negated, body)


def _holders(statement: _Statement, account: str) -> Iterator[tuple[Principal, str]]:
    """Everyone outside `account` whom an Allow names, each with what the statement asks of them."""
    if statement.negated:
        but = f"everyone but {_text(statement.principal)}"
        yield Principal(PrincipalKind.PUBLIC, "*"), "; ".join(filter(None, (but, _words(statement.condition))))
        return
    for kind, name in _named(statement.principal):
        if kind == "AWS" and name == "*":
            found, rest = _narrowed(statement.condition)
        else:
            found, rest = [_principal(kind, name)], statement.condition
        for principal, only in found:
            if not _own(principal, account):
                yield principal, "; ".join(filter(None, (only, _words(rest))))


def _named(principal: Any) -> Iterator[tuple[str, str]]:
    """Type and name of every principal; the bare star means the same as {"AWS": "*"}."""
    if principal == "*":
        yield "AWS", "*"
    elif isinstance(principal, dict):
        yield from ((str(kind), str(name)) for kind, names in principal.items() for name in _many(names))
    else:
        raise Unclear("the policy has a principal that cannot be parsed")


def _principal(kind: str, name: str) -> tuple[Principal, str]:
    """A named principal, and what narrows it to less than its whole account."""
    if kind != "AWS":
        return Principal(_TYPES.get(kind, PrincipalKind.OTHER), _bounded(name)), ""
    if _DELETED.fullmatch(name):
        return Principal(PrincipalKind.DELETED, name), ""
    match = _ACCOUNT.fullmatch(name)
    if match is None:
        return Principal(PrincipalKind.OTHER, _bounded(name)), ""
    only = f"only {name}" if match[2] not in (None, "root") else ""
    return Principal(PrincipalKind.ACCOUNT, match[1]), only


def _own(principal: Principal, account: str) -> bool:
    if principal.kind == PrincipalKind.FEDERATED:
        return principal.id.startswith("arn:") and principal.id.split(":")[4:5] == [account]
    return principal.kind == PrincipalKind.ACCOUNT and principal.id == account


def _narrowed(condition: Mapping[str, Any]) -> tuple[list[tuple[Principal, str]], Mapping[str, Any]]:
    """Whom conditions leave of everyone, and the conditions that remain to be said; the narrowest test wins."""
    for key, read in _NARROWING.items():
        for operator, tests in condition.items():
            name = next((each for each in tests if each.lower() == key), None)
            if name is None or not _positive(operator, set_valued=key == "aws:principalorgpaths"):
                continue
            found = [read(str(value)) for value in _many(tests[name])]
            if found and None not in found:
                others = {each: value for each, value in tests.items() if each != name}
                rest = {**condition, operator: others}
                return [each for each in found if each], {each: value for each, value in rest.items() if value}
    return [(Principal(PrincipalKind.PUBLIC, "*"), "")], condition


def _positive(operator: str, *, set_valued: bool) -> bool:
    """Whether a test fails for who lacks the key, unlike ...IfExists, ForAllValues: and the negated ones."""
    name = operator.lower()
    if set_valued:
        return name.startswith("foranyvalue:") and name.removeprefix("foranyvalue:") in _POSITIVE
    return name.removeprefix("foranyvalue:") in _POSITIVE


def _by_arn(value: str) -> tuple[Principal, str] | None:
    match = _ACCOUNT.fullmatch(value)
    return _principal("AWS", value) if match and value.startswith("arn:") and "${" not in value else None


def _by_account(value: str) -> tuple[Principal, str] | None:
    return (Principal(PrincipalKind.ACCOUNT, value), "") if re.fullmatch(r"[0-9]{12}", value) else None


def _by_path(value: str) -> tuple[Principal, str] | None:
    match = _PATH.fullmatch(value)
    if match is None or "${" in value:
        return None
    if match[2] in ("", "*"):
        return Principal(PrincipalKind.ORGANIZATION, match[1]), ""
    return Principal(PrincipalKind.ORGANIZATIONAL_UNIT, value), ""


def _by_organization(value: str) -> tuple[Principal, str] | None:
    return (Principal(PrincipalKind.ORGANIZATION, value), "") if _ORGANIZATION.fullmatch(value) else None


_NARROWING = {
    "aws:principalarn": _by_arn,
    "aws:principalaccount": _by_account,
    "kms:calleraccount": _by_account,
    "aws:principalorgpaths": _by_path,
    "aws:principalorgid": _by_organization,
}
"""Condition keys that say who asks, the narrowest first (IAM User Guide, "Properties of the principal")."""


def _either(conditions: set[str]) -> str:
    """What several ways ask together: nothing if one of them asks nothing."""
    return "" if "" in conditions else " or ".join(sorted(conditions))


def _after_denials(
    principal: Principal, condition: str, denials: list[_Statement], actions: tuple[str, ...]
) -> str | None:
    """The condition with what Deny statements add to it; None: denied for certain."""
    parts = [condition] if condition else []
    for denial in denials:
        named = () if denial.negated else tuple(_named(denial.principal))
        whole = ("AWS", "*") in named or (principal, "") in [_principal(kind, name) for kind, name in named]
        if whole and not denial.condition and denial.covers_all(actions):
            return None
        if whole or denial.negated:
            whom = f" to all but {_text(denial.principal)}" if denial.negated else ""
            parts.append(f"denied{whom}{_where(denial)}")
    return "; ".join(parts)


def _where(denial: _Statement) -> str:
    return f" where {_words(denial.condition)}" if denial.condition else " in part"


def _words(condition: Mapping[str, Any]) -> str:
    """One line, the same for the same tests in any order."""
    return ", ".join(
        f"{operator} {name} {_text(tests[name])}"
        for operator, tests in sorted(condition.items())
        for name in sorted(tests)
    )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "|".join(sorted(map(_text, value)))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _bounded(text: str) -> str:
    """One line of limited length; what is cut off still tells two texts apart."""
    line = " ".join(text.split())
    if len(line) <= _LONGEST:
        return line
    mark = f"… #{sha256(line.encode()).hexdigest()[:16]}"
    return line[: _LONGEST - len(mark)] + mark


def _many(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else [value]
