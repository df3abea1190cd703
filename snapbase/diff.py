"""Pure: (approved, present, coverage) -> changes.

A resource is compared entry by entry: its presence, each attribute, each grant. The approved value of an entry is its
value as of the newest pin on it that has not ended, else as of the baseline. New is a fact only where absence was one:
a resource first seen by the first complete read of its scope is `INITIAL`, and only its exposure is listed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from snapbase.exposure import Court, Exposure, Judge, Sides, is_worse
from snapbase.model import Approval, Coverage, Grant, Json, Pin, Scope, State
from snapbase.trust import TrustList

PRESENCE = "presence"
SHARING = "sharing"
SHOWING = ("attr:live_sas", "attr:public")
"""What shows an exposure by itself, where nobody's grants could be read."""
WHOLE = "*"
"""A pin's entry that stands for everything about its subject."""


@dataclass(frozen=True, slots=True)
class PinnedState:
    """A pin, with what its subject looked like as of the pin's revision."""

    pin: Pin
    state: State | None
    absence_known: bool
    """Whether the subject's scope had been listed completely at or before the pin's revision."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One resource that may differ between a baseline and a run: both sides, and the pins on its entries."""

    scope: Scope
    uid: str
    before: State | None
    after: State | None
    absence_known: bool
    """Whether the scope had been listed completely at or before the baseline's revision: only then is new a fact."""
    pins: tuple[PinnedState, ...] = ()
    """Newest first."""


class ChangeType(StrEnum):
    APPEARED = "appeared"
    DISAPPEARED = "disappeared"
    REPLACED = "replaced"
    MODIFIED = "modified"
    GRANT_ADDED = "grant-added"
    GRANT_CHANGED = "grant-changed"
    """The same principal by the same way, under another condition or until another date."""
    GRANT_REMOVED = "grant-removed"
    GRANT_WORSE = "grant-worse"
    """The grant is the same; its principal is trusted less, or a guardrail in front of it fell."""
    SHARING_UNREAD = "sharing-unread"
    COVERAGE_LOST = "coverage-lost"
    TRUST_WIDENED = "trust-widened"
    ORIGIN_VIOLATED = "origin-violated"
    EARLY_DELETION = "early-deletion"
    BACKUP_STOPPED = "backup-stopped"
    APPROVAL_EXPIRED = "approval-expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry that differs from what was approved."""

    type: ChangeType
    scope: Scope
    uid: str
    entry: str
    before: State | None = None
    after: State | None = None
    was: Json = None
    now: Json = None
    exposure_before: Exposure | None = None
    exposure: Exposure | None = None
    initial: bool = False
    """True where the resource itself is folded as initial: the exposure may be older than snapbase."""
    ended: Approval | None = None
    """The approval that let this through until it ended."""
    covers: tuple[tuple[str, str], ...] = ()
    """Every (subject, entry) that approving this change pins, where more than its own."""
    count: int = 0
    """How many resources it speaks of, where not of one."""
    examples: tuple[str, ...] = ()
    """A few of them."""

    @property
    def state(self) -> State | None:
        """The side to describe it by."""
        return self.after or self.before


@dataclass(frozen=True, slots=True)
class _Layer:
    """One approved value of an entry: where it comes from."""

    state: State | None
    absence_known: bool
    pin: Pin | None
    """None: the baseline's."""
    ended: Approval | None


def entries(state: State | None) -> dict[str, Json]:
    """A state as comparable values by entry name: `presence`, `attr:<name>`, `grant:<principal>|<access>|<way>`."""
    if state is None:
        return {}
    return {PRESENCE: state.resource.uid} | _attributes(state) | {n: _terms(g) for n, g in _by_entry(state).items()}


def _attributes(state: State | None) -> dict[str, Json]:
    if state is None:
        return {}
    resource = state.resource
    values: dict[str, Json] = {}
    for name in ("name", "owner", "source", "origin", "encrypted", "key"):
        values[f"attr:{name}"] = getattr(resource, name)
    values["attr:tags"] = dict(resource.tags)
    for name, value in {**resource.attributes, **resource.facts}.items():
        values[f"attr:{name}"] = value
    return values


def grant_entry(grant: Grant) -> str:
    """The entry name of a grant; its condition and end are its value."""
    return f"grant:{grant.principal.kind}:{grant.principal.id}|{grant.access}|{grant.mechanism}"


def compare(candidates: Iterable[Candidate], sides: Sides) -> Iterator[Change]:
    """Every change of every candidate; resources that came back under the same address as one replacement."""
    court = Court(sides)
    lone: list[Change] = []
    for candidate in candidates:
        for change in _compare_one(candidate, court):
            if change.type in (ChangeType.APPEARED, ChangeType.DISAPPEARED):
                lone.append(change)
            else:
                yield change
    yield from _join_replacements(lone)


def _compare_one(candidate: Candidate, court: Court) -> Iterator[Change]:
    presence = _layer(candidate, PRESENCE, court.sides.at)
    after = candidate.after
    if after is None:
        if presence.state is not None:
            yield _change(ChangeType.DISAPPEARED, candidate, presence, PRESENCE)
        return
    initial = False
    if presence.state is None:
        if presence.absence_known:
            yield _change(ChangeType.APPEARED, candidate, presence, PRESENCE)
        else:
            initial = True
    else:
        yield from _modified(candidate, court.sides.at)
    if initial and (after.grants is None or after.miss is not None):
        yield from _shown(candidate, court.sides.at)
    yield from _grants(candidate, court, initial=initial)
    yield from _unread(candidate, court.sides.at)


def _modified(candidate: Candidate, at: datetime) -> Iterator[Change]:
    present = _attributes(candidate.after)
    names = set(present)
    for state in (candidate.before, *(pinned.state for pinned in candidate.pins)):
        names |= set(_attributes(state))
    for name in sorted(names):
        layer = _layer(candidate, name, at)
        was, now = _attributes(layer.state).get(name), present.get(name)
        if was != now:
            yield _change(ChangeType.MODIFIED, candidate, layer, name, was=was, now=now)


def _shown(candidate: Candidate, at: datetime) -> Iterator[Change]:
    """Exposure is listed also of what is folded as initial."""
    present = _attributes(candidate.after)
    for name in SHOWING:
        layer = _layer(candidate, name, at)
        was = _attributes(layer.state).get(name)
        if present.get(name) is True and was is not True:
            yield _change(ChangeType.MODIFIED, candidate, layer, name, was=was, now=True, initial=True)


def _grants(candidate: Candidate, court: Court, *, initial: bool) -> Iterator[Change]:
    after = candidate.after
    present = _by_entry(after)
    approved_names = set(_by_entry(candidate.before))
    for pinned in candidate.pins:
        approved_names |= set(_by_entry(pinned.state))
    for name in sorted(approved_names.union(present)):
        layer = _layer(candidate, name, court.sides.at)
        was, now = _by_entry(layer.state).get(name), present.get(name)
        then = _worst(was, layer.state, court.then(layer.pin))
        exposure = _worst(now, after, court.now)
        kind = _difference(was, now, then, exposure)
        if kind is not None:
            yield _change(
                kind,
                candidate,
                layer,
                name,
                was=_terms(was),
                now=_terms(now),
                exposure_before=then,
                exposure=exposure,
                initial=initial,
            )


def _difference(
    was: Sequence[Grant] | None, now: Sequence[Grant] | None, then: Exposure | None, exposure: Exposure | None
) -> ChangeType | None:
    if was == now:
        worse = then and exposure and is_worse(then, exposure)
        return ChangeType.GRANT_WORSE if worse else None
    if was is None:
        return ChangeType.GRANT_ADDED
    # Grants that were not read again stay in the state, so a missing one was really taken away.
    return ChangeType.GRANT_REMOVED if now is None else ChangeType.GRANT_CHANGED


def _worst(grants: Sequence[Grant] | None, state: State | None, judge: Judge) -> Exposure | None:
    if not grants or state is None:
        return None
    return max((judge.expose(grant, state) for grant in grants), key=lambda each: each.badness)


def _unread(candidate: Candidate, at: datetime) -> Iterator[Change]:
    after = candidate.after
    if after is None or after.miss is None:
        return
    layer = _layer(candidate, SHARING, at)
    if layer.state is not None and layer.state.miss is not None:
        return
    yield _change(ChangeType.SHARING_UNREAD, candidate, layer, SHARING, now=after.miss.reason)


def _by_entry(state: State | None) -> dict[str, list[Grant]]:
    found: dict[str, list[Grant]] = {}
    if state is None or not state.grants:
        return found
    for grant in sorted(state.grants):
        found.setdefault(grant_entry(grant), []).append(grant)
    return found


def _terms(grants: Sequence[Grant] | None) -> Json:
    if grants is None:
        return None
    return [[each.condition, each.expires_at.isoformat() if each.expires_at else ""] for each in grants]


def _layer(candidate: Candidate, entry: str, at: datetime) -> _Layer:
    """The approved value of an entry, and the newest approval of it that has ended (an ended pin falls through)."""
    ended: Approval | None = None
    for pinned in candidate.pins:
        pin = pinned.pin
        if not covers(pin.entry, entry):
            continue
        if pin.approval.until is not None and at >= pin.approval.until:
            ended = ended or pin.approval
            continue
        return _Layer(pinned.state, pinned.absence_known, pin, ended)
    return _Layer(candidate.before, candidate.absence_known, None, ended)


def covers(pinned: str, entry: str) -> bool:
    """A pin on presence names the thing as it was: its attributes too, but never who may use it."""
    return pinned in (entry, WHOLE) or (pinned == PRESENCE and entry.startswith("attr:"))


def _change(kind: ChangeType, candidate: Candidate, layer: _Layer, entry: str, **more: Any) -> Change:
    return Change(
        type=kind,
        scope=candidate.scope,
        uid=candidate.uid,
        entry=entry,
        before=layer.state,
        after=candidate.after,
        ended=layer.ended,
        **more,
    )


def _join_replacements(lone: Sequence[Change]) -> Iterator[Change]:
    """An address that went and came back in one scope is one replacement, not a deletion and a creation."""
    gone: dict[tuple[Scope, str], list[Change]] = {}
    for change in lone:
        if change.type == ChangeType.DISAPPEARED:
            gone.setdefault(_place(change), []).append(change)
    for change in lone:
        if change.type != ChangeType.APPEARED:
            continue
        same = gone.get(_place(change))
        if not same:
            yield change
            continue
        old = same.pop()
        covers = ((change.uid, PRESENCE), (old.uid, WHOLE))
        yield replace(
            change,
            type=ChangeType.REPLACED,
            before=old.before,
            was=old.uid,
            now=change.uid,
            ended=change.ended or old.ended,
            covers=covers,
        )
    for same in gone.values():
        yield from same


def _place(change: Change) -> tuple[Scope, str]:
    state = change.state
    return change.scope, state.resource.address if state else change.uid


def scope_subject(scope: Scope) -> str:
    """The pin subject of a scope's coverage."""
    return f"scope:{scope.cloud}/{scope.account}/{scope.location}/{scope.kind}"


def compare_coverage(
    before: Mapping[tuple[Scope, str], Coverage],
    after: Mapping[tuple[Scope, str], Coverage],
    pins: Sequence[tuple[Pin, Coverage | None]],
    *,
    at: datetime,
) -> Iterator[Change]:
    """Scopes that were completely read when approved and are not now. `pins` newest first, with what they pinned."""
    for (scope, aspect), coverage in sorted(after.items()):
        if coverage.complete:
            continue
        subject, entry = scope_subject(scope), f"coverage:{aspect}"
        approved, ended = before.get((scope, aspect)), None
        for pin, value in pins:
            if (pin.subject, pin.entry) != (subject, entry):
                continue
            if pin.approval.until is not None and at >= pin.approval.until:
                ended = ended or pin.approval
                continue
            approved = value
            break
        if approved is not None and approved.complete:
            yield Change(
                type=ChangeType.COVERAGE_LOST,
                scope=scope,
                uid=subject,
                entry=entry,
                was=approved.outcome,
                now=f"{coverage.outcome}: {coverage.reason}",
                ended=ended,
            )


def compare_approvals(changes: Iterable[Change]) -> Iterator[Change]:
    """Every approval that has ended, once, with all that it let through until then and that still differs."""
    ended: dict[Approval, list[Change]] = {}
    for change in changes:
        if change.ended is not None:
            ended.setdefault(change.ended, []).append(change)
    for approval, found in ended.items():
        covers = (each for change in found for each in change.covers or ((change.uid, change.entry),))
        yield Change(
            type=ChangeType.APPROVAL_EXPIRED,
            scope=Scope("", "", "", ""),
            uid=f"approval:{approval.baseline_id}",
            entry="approval",
            now=approval.until.isoformat() if approval.until else "",
            ended=approval,
            covers=tuple(dict.fromkeys(covers)),
            count=len(found),
        )


def compare_trust(before: TrustList, after: TrustList, pinned: Mapping[str, TrustList]) -> Iterator[Change]:
    """What people added to the trust list since; `pinned` maps a subject to the list under which it was judged last."""
    nowhere = Scope("", "", "", "")
    widened = {subject: words for subject, words in after.widened_since(before) if subject not in pinned}
    for subject, approved in pinned.items():
        widened |= {each: words for each, words in after.widened_since(approved) if each == subject}
    for subject, words in widened.items():
        yield Change(type=ChangeType.TRUST_WIDENED, scope=nowhere, uid=subject, entry="trust", now=words)
