"""Changes -> findings. One file per rule; the folder is the registry."""

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache

from snapbase.diff import Change
from snapbase.finding import Delta, Finding, Grantee, Subject, SubjectType
from snapbase.model import ResourceType
from snapbase.rules.linked import link
from snapbase.rules.rule import Context, Rule, Verdict
from snapbase.rules.severity import weighed


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, by id."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        rule = getattr(importlib.import_module(f"{__name__}.{module.name}"), "RULE", None)
        if rule is not None:
            found.append(rule)
    return tuple(sorted(found, key=lambda each: each.id))


def findings(changes: Iterable[Change], context: Context) -> tuple[Finding, ...]:
    """What the rules say of the changes: sorted by severity, rule and uid; one per fingerprint, one per thing."""
    found: dict[str, tuple[Finding, Change]] = {}
    for change in changes:
        for rule, verdict in _verdicts(change, context):
            finding = _finding(rule, verdict, change, context)
            found.setdefault(finding.id, (finding, change))
    return tuple(sorted(link(found.values()), key=_order))


def _order(finding: Finding) -> tuple[int, str, str, str]:
    return finding.severity.rank, finding.rule, finding.subject.uid, finding.entry


def _verdicts(change: Change, context: Context) -> Iterator[tuple[Rule, Verdict]]:
    asked = [rule for rule in rules() if change.type in rule.on]
    said = [(rule, verdict) for rule in asked if not rule.fallback and (verdict := rule.judge(change, context))]
    if said:
        return iter(said)
    return ((rule, verdict) for rule in asked if rule.fallback and (verdict := rule.judge(change, context)))


def _finding(rule: Rule, verdict: Verdict, change: Change, context: Context) -> Finding:
    exposure = change.exposure or change.exposure_before
    scope = change.scope
    severity, why = weighed(verdict.severity, change, context.tuning)
    return Finding(
        id=_fingerprint(rule, change),
        rule=rule.id,
        severity=severity,
        title=verdict.title,
        detail=" ".join(filter(None, (verdict.detail, why))),
        cloud=scope.cloud,
        account=scope.account,
        location=scope.location,
        kind=scope.kind,
        subject=_subject(change),
        entry=change.entry,
        count=change.count or context.below.get(change.uid, 1),
        approval=change.ended,
        grantee=Grantee(exposure.grant.principal, exposure.trust, exposure.judgement.label) if exposure else None,
        change=Delta(change.type, change.was, change.now),
        attack=rule.attack,
        undo=verdict.undo,
        covers=change.covers or ((change.uid, change.entry),),
    )


_JSON = json.JSONEncoder(sort_keys=True, default=str)


def _fingerprint(rule: Rule, change: Change) -> str:
    """The same entry with the same value is the same finding in every run; another value is another finding."""
    worth = change.exposure and [change.exposure.trust, change.exposure.effect]
    text = _JSON.encode([rule.id, change.uid, change.entry, change.type, change.now, worth])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


_TYPES = {
    ResourceType.SNAPSHOT: SubjectType.SNAPSHOT,
    ResourceType.DISK: SubjectType.SNAPSHOT,
    ResourceType.CONTAINER: SubjectType.CONTAINER,
    ResourceType.GUARDRAIL: SubjectType.GUARDRAIL,
    ResourceType.POLICY: SubjectType.POLICY,
}


_STATELESS = {"scope:": SubjectType.SCOPE, "origin:": SubjectType.POLICY, "approval:": SubjectType.POLICY}


def _subject(change: Change) -> Subject:
    state = change.state
    if state is None:
        found = (kind for start, kind in _STATELESS.items() if change.uid.startswith(start))
        return Subject(type=next(found, SubjectType.PRINCIPAL), uid=change.uid)
    resource = state.resource
    return Subject(
        type=_TYPES[ResourceType(resource.type)],
        uid=resource.uid,
        address=resource.address,
        name=resource.name,
        created_at=resource.created_at,
        encrypted=resource.encrypted,
        source=resource.source,
        origin=resource.origin,
        owner=resource.owner,
    )
