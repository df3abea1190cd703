"""An IAM allow policy -> grants: who every binding names, what its role reaches, and until when."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from snapbase.collect.gcp.roles import UNRESOLVED, Reach, Resolve
from snapbase.model import Grant, Principal, PrincipalKind

_LONGEST_CONDITION = 300
_LONGEST_MEMBER = 512
_PLAIN = {
    "user:": PrincipalKind.USER,
    "group:": PrincipalKind.GROUP,
    "serviceAccount:": PrincipalKind.SERVICE_ACCOUNT,
    "domain:": PrincipalKind.DOMAIN,
}
"""Kinds whose ids are mail addresses or domains, which have no case."""
_WHOLE = {
    "principal://": PrincipalKind.FEDERATED,
    "principalSet://": PrincipalKind.FEDERATED,
    "deleted:": PrincipalKind.DELETED,
    "projectOwner:": PrincipalKind.PROJECT_TEAM,
    "projectEditor:": PrincipalKind.PROJECT_TEAM,
    "projectViewer:": PrincipalKind.PROJECT_TEAM,
}
"""Kinds whose prefix says what the rest means, so that it belongs to the id."""
_GARBLED = "_withcond_"
"""In a role that was returned without its condition (IAM documentation, policy versions)."""
_GARBLED_CONDITION = "a condition that the cloud did not return"
_EXPIRY = re.compile(r"""\(*\s*request\.time\s*<=?\s*timestamp\(\s*(["'])(?P<at>[^"']+)\1\s*\)\s*\)*""")
_NOT_A_CONJUNCTION = re.compile(r"""\|\||[!?\\]|\"{3}|'{3}""")
"""Also what would make it hard to tell where a text ends: escapes and triple quotes."""
_TEXT = re.compile(r"""(["'])(?:(?!\1).)*\1""", re.DOTALL)


def grants(policy: Any, reach: Reach, resolve: Resolve) -> frozenset[Grant]:
    """What a policy (Compute's or Resource Manager's, requested as version 3) grants within `reach`.

    Bindings of roles that reach no data are left out; those of custom roles that cannot be resolved are kept as
    conditional. Raises what `resolve` raises.
    """
    return frozenset(_grants(policy, reach, resolve))


def principal(member: str) -> Principal:
    """A binding's member as a principal. Source: IAM documentation, "Principal identifiers"."""
    if member == "allUsers":
        return Principal(PrincipalKind.PUBLIC, member)
    if member == "allAuthenticatedUsers":
        return Principal(PrincipalKind.AUTHENTICATED, member)
    member = _bounded(member, _LONGEST_MEMBER)
    for prefix, kind in _PLAIN.items():
        if member.startswith(prefix):
            return Principal(kind, member.removeprefix(prefix).lower())
    kinds = (kind for prefix, kind in _WHOLE.items() if member.startswith(prefix))
    return Principal(next(kinds, PrincipalKind.OTHER), member)


def expiry(expression: str) -> datetime | None:
    """When a CEL condition ends for good: `request.time < timestamp("...")`, alone or joined to others by `&&`."""
    if _NOT_A_CONJUNCTION.search(expression):
        return None
    parts = expression.split("&&")
    if not all(map(_stands_alone, parts)):
        return None
    ends = [_time(match["at"]) for part in parts if (match := _EXPIRY.fullmatch(part.strip()))]
    return min((end for end in ends if end is not None), default=None)


def _stands_alone(part: str) -> bool:
    """Whether it is a whole operand: not cut out of a text, a comment, brackets or a call that could turn it around."""
    bare = _TEXT.sub("", part)
    depth = 0
    for each in bare:
        depth += (each in "([{") - (each in ")]}")
        if depth < 0:
            return False
    return depth == 0 and not any(each in bare for each in ('"', "'", "//"))


def _grants(policy: Any, reach: Reach, resolve: Resolve) -> Iterator[Grant]:
    for binding in policy.bindings:
        role, garbled, _ = str(binding.role).partition(_GARBLED)
        access, certain = reach.access(role, resolve)
        if access is None:
            continue
        expression = str(binding.condition.expression)
        unread = (_GARBLED_CONDITION if garbled else "", "" if certain else UNRESOLVED)
        condition = _condition(str(binding.condition.title), expression, *unread)
        for member in binding.members:
            yield Grant(principal(str(member)), access, f"gcp.iam/{role}", condition, expiry(expression))


def _condition(title: str, expression: str, *unread: str) -> str:
    told = f"{title}: {expression}" if title and expression else title or expression
    return _bounded("; ".join(filter(None, (told, *unread))), _LONGEST_CONDITION)


def _bounded(text: str, longest: int) -> str:
    """One line of at most `longest` characters; what is cut off still tells two texts apart."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    mark = f"… #{sha256(line.encode()).hexdigest()[:16]}"
    return line[: longest - len(mark)] + mark


def _time(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None
