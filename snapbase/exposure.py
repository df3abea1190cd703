"""Pure: a grant, its resource and the guardrails as of one revision -> what the grant is worth there.

Computed at read time and never stored with the grant: one change of a key's policy would otherwise rewrite thousands
of grants that nobody touched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from snapbase.model import Cloud, Grant, Limits, Pin, Principal, PrincipalKind, State
from snapbase.trust import SERVICE_AGENT, Judgement, TrustClass, TrustList, unresolved


class Effect(StrEnum):
    EFFECTIVE = "effective"
    UNKNOWN = "unknown"
    LATENT = "latent"
    """Configured, but something else stands in the way: one change of a key policy or setting, and it works."""

    @property
    def rank(self) -> int:
        """0 for latent; higher is worse."""
        return _EFFECTS[self]


_EFFECTS = {Effect.LATENT: 0, Effect.UNKNOWN: 1, Effect.EFFECTIVE: 2}


@dataclass(frozen=True, slots=True)
class Exposure:
    """One grant, judged."""

    grant: Grant
    judgement: Judgement
    effect: Effect
    why: str = ""
    last: Effect | None = None
    """What it is worth if all that could not be read this time is what it was last; None: all was read."""

    @property
    def trust(self) -> TrustClass:
        return self.judgement.trust

    @property
    def unresolved(self) -> bool:
        """The principal is a directory object whose home nobody looked up."""
        return self.trust == TrustClass.UNKNOWN and unresolved(self.grant.principal)

    @property
    def badness(self) -> tuple[int, int]:
        """Orders exposures: a rise between two revisions is a finding though the grant is the same."""
        return (self.trust.rank, self.effect.rank)


def expose(grant: Grant, state: State, guards: Mapping[str, State], trust: TrustList, *, on: date) -> Exposure:
    """What `grant` on `state` is worth behind `guards` (by uid), under `trust`, on a day."""
    scope, resource = state.scope, state.resource
    source = resource.source or ""

    def judged(principal: Principal, account: str = scope.account) -> Judgement:
        return trust.judge(principal, account=account, kind=scope.kind, on=on, source=source)

    def trusted(who: Principal, account: str) -> TrustClass:
        return judged(who, account).trust

    effect, why = _effect(grant, state, guards, on, trusted)
    last = None
    if effect == Effect.UNKNOWN and (unread := [guards[uid] for uid in resource.guards if _is_unread(guards.get(uid))]):
        as_last = {each.resource.uid: replace(each, miss=None, unseen="") for each in unread}
        last, _ = _effect(grant, state, {**guards, **as_last}, on, trusted)
    return Exposure(grant, judged(grant.principal), effect, why, last)


class Judge:
    """Says what grants are worth under one list, behind one set of guardrails, on one day.

    Thousands of resources are held by few: whatever decides alike is judged once.
    """

    def __init__(self, trust: TrustList, guards: Mapping[str, State], on: date) -> None:
        self._trust, self._guards, self._on = trust, guards, on
        self._by_source = any(entry.sources for entry in trust.entries)
        self._known: dict[object, Exposure] = {}

    def expose(self, grant: Grant, state: State) -> Exposure:
        scope, resource = state.scope, state.resource
        source = resource.source if self._by_source else None
        key = (grant, scope.account, scope.kind, source, resource.limits, resource.guards, resource.key)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = expose(grant, state, self._guards, self._trust, on=self._on)
        return found


@dataclass(frozen=True, slots=True)
class View:
    """Everything beside the resources that a side of the comparison is judged by."""

    trust: TrustList
    guards: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sides:
    """The approved and the present view, and those of the pins (by the trust list they were approved under)."""

    before: View
    after: View
    pinned: Mapping[int, TrustList]
    approved_at: datetime
    """When the run was judged that the baseline approved."""
    at: datetime
    """When it is judged: the end of the run. Approvals and trust entries end by this clock."""
    guards: Mapping[int, Mapping[str, State]] = field(default_factory=dict)
    """What stood in front of the grants as of the pins' revisions."""
    days: Mapping[int | None, datetime] = field(default_factory=dict)
    """When what a line of the approval log approves was judged, where that can matter."""

    def day(self, pin: Pin | None) -> date:
        """On which day an approved value was judged; None: the baseline's."""
        if pin is None:
            return self.approved_at.date()
        approval = pin.approval
        return min(approval.at, self.days.get(approval.baseline_id, approval.at)).date()


class Court:
    """The judges of both sides; of the approved one, a judge for each trust list, revision and day of an approval."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        self.now = Judge(sides.after.trust, sides.after.guards, sides.at.date())
        self._then: dict[tuple[int | None, int | None, date], Judge] = {}

    def then(self, pin: Pin | None) -> Judge:
        """As of a pin: by its list, behind what stood in front, on its day. None: as of the baseline."""
        sides, before = self.sides, self.sides.before
        key = (pin.trust_id if pin else None, pin.rev if pin else None, sides.day(pin))
        found = self._then.get(key)
        if found is None:
            trust_id, rev, day = key
            trust = sides.pinned.get(trust_id or 0, before.trust)
            guards = before.guards if rev is None else sides.guards.get(rev, before.guards)
            found = self._then[key] = Judge(trust, guards, day)
        return found


def is_worse(then: Exposure, now: Exposure) -> bool:
    """A grant that is the same is news where its holder is trusted less, or where it works for a stranger by now.

    That a guardrail could not be read is said of the guardrail once, and not of everything behind it.
    """
    risen = (now.last or now.effect).rank > (then.last or then.effect).rank
    return now.trust.rank > then.trust.rank or (now.trust.foreign and risen)


def admission(member: Principal, *, certain: bool = True) -> str:
    """A member of a Google key's policies, as `Limits.admits` of that key names it."""
    return f"{member.kind}{'' if certain else _PERHAPS} {member.id}"


_PERHAPS = "?"


def _effect(
    grant: Grant, state: State, guards: Mapping[str, State], on: date, trusted: "_Trusted"
) -> tuple[Effect, str]:
    principal = grant.principal
    if principal.kind == PrincipalKind.DELETED:
        return Effect.LATENT, "the principal was deleted"
    if grant.expires_at is not None and grant.expires_at.date() < on:
        return Effect.LATENT, f"ended {grant.expires_at.date()}"
    verdicts = []
    resource = state.resource

    def is_stranger(account: str) -> bool:
        return trusted(Principal(PrincipalKind.ACCOUNT, account), state.scope.account).foreign

    if resource.limits is not None:
        verdicts.append(_limited(principal, resource.limits, "its own settings", is_stranger))
    for uid in resource.guards:
        guard = guards.get(uid)
        if guard is None:
            if uid == resource.key:
                verdicts.append((Effect.UNKNOWN, f"the policy of key {uid} was not read"))
        elif uid == resource.key and state.scope.cloud == Cloud.GCP:
            verdicts.append(_as_seen(guard, _unlocked(principal, state, guards, trusted)))
        elif guard.resource.limits is not None:
            name = guard.resource.name or guard.resource.address
            verdicts.append(_as_seen(guard, _limited(principal, guard.resource.limits, name, is_stranger)))
    if grant.condition and grant.expires_at is None:
        verdicts.append((Effect.UNKNOWN, "under a condition"))
    return min(verdicts, key=lambda verdict: (verdict[0].rank, not verdict[1]), default=(Effect.EFFECTIVE, ""))


def _is_unread(guard: State | None) -> bool:
    return guard is not None and bool(guard.miss or guard.unseen)


def _as_seen(guard: State, verdict: tuple[Effect, str]) -> tuple[Effect, str]:
    """What a guardrail held back when it was seen last, it may let through by now."""
    effect, why = verdict
    if effect == Effect.LATENT and guard.unseen:
        return Effect.UNKNOWN, f"{why}, as it was last: {guard.unseen}"
    return verdict


def _limited(principal: Principal, limits: Limits, name: str, is_stranger: Callable[[str], bool]) -> tuple[Effect, str]:
    if principal.kind in limits.blocks:
        return Effect.LATENT, f"blocked by {name}"
    if limits.admits is not None and "*" not in limits.admits and principal.id not in limits.admits:
        if principal.kind == PrincipalKind.PUBLIC and (among := next(filter(is_stranger, limits.admits), "")):
            return Effect.EFFECTIVE, f"{name} lets in {among}"
        if limits.unknown or principal.kind not in (PrincipalKind.ACCOUNT, PrincipalKind.PUBLIC):
            return Effect.UNKNOWN, limits.unknown or f"cannot tell whether {name} lets it in"
        return Effect.LATENT, f"{name} does not let it in"
    if limits.unknown and limits.admits is None:
        return Effect.UNKNOWN, limits.unknown
    return Effect.EFFECTIVE, ""


_Trusted = Callable[[Principal, str], TrustClass]
"""The class of a principal, for data of a project (its id or number)."""
_OURS = (TrustClass.OWN, TrustClass.ORG)
_EVERYONE = frozenset({PrincipalKind.PUBLIC, PrincipalKind.AUTHENTICATED})
_SINGLE = frozenset({PrincipalKind.USER, PrincipalKind.SERVICE_ACCOUNT, PrincipalKind.SERVICE})
_PROJECT = "//cloudresourcemanager.googleapis.com/projects/"


def _unlocked(principal: Principal, state: State, guards: Mapping[str, State], trusted: _Trusted) -> tuple[Effect, str]:
    """What a key of Cloud KMS leaves of a grant.

    Whoever may use a resource makes a disk of it in a project of theirs, where Compute Engine asks for the key as that
    project's service agent, or as an account that they name. Whose an account from outside is cannot be told, trusted
    or not, so one that the key lets in is taken for theirs; our own are of use only to our own people, and to whoever
    has a foot among us already.
    """
    guard = guards[state.resource.key or ""].resource
    limits, name = guard.limits or Limits(), f"key {guard.name or guard.address}"
    stranger = trusted(principal, state.scope.account).foreign
    homes = _homes(state)
    admitted = [_admitted(each) for each in limits.admits or ()]
    helpful = [
        (who, sure) for who, sure in admitted if not stranger or who == principal or not _ours(who, homes, trusted)
    ]
    if any(sure for _, sure in helpful):
        return Effect.EFFECTIVE, ""
    if limits.unknown:
        return Effect.UNKNOWN, limits.unknown
    if helpful:
        return Effect.UNKNOWN, f"{name} may let in {helpful[0][0]}: under a condition, or by a role that was not read"
    doors = [who for who, _ in admitted if _open(who, homes, trusted)]
    if doors:
        return Effect.UNKNOWN, f"{name} lets in {doors[0]}; who may act as it, or is in it, was not read"
    foot = _foot(principal, state, guards, lambda held: _may_be(principal, held, homes, trusted))
    return (Effect.UNKNOWN, foot) if foot else (Effect.LATENT, f"{name} lets in nobody from outside")


def _admitted(text: str) -> tuple[Principal, bool]:
    """A member of a key's policies, and whether it is let in for certain."""
    kind, _, key = text.partition(" ")
    return Principal(kind.removesuffix(_PERHAPS), key), not kind.endswith(_PERHAPS)


def _homes(state: State) -> frozenset[str]:
    """The id and the number of the project that a resource lies in."""
    numbers = (uid.removeprefix(_PROJECT) for uid in state.resource.guards if uid.startswith(_PROJECT))
    return frozenset({state.scope.account, *numbers})


def _ours(who: Principal, homes: frozenset[str], trusted: _Trusted) -> bool:
    return any(trusted(who, home) in _OURS for home in homes)


def _open(ours: Principal, homes: frozenset[str], trusted: _Trusted) -> bool:
    """Whether a stranger might be, or act as, one of ours that a key lets in, though no binding that was read says so.

    Users, and a domain's, are who they are. What the resource's own project may is told by its bindings, but who may
    act as an account that people made is told by the account's own, as members of a group are by the group.
    """
    if ours.kind in (PrincipalKind.USER, PrincipalKind.DOMAIN):
        return False
    if ours.kind == PrincipalKind.SERVICE_ACCOUNT:
        agent = SERVICE_AGENT.match(ours.id)
        return agent is None or agent[1] not in homes
    at_home = any(trusted(ours, home) == TrustClass.OWN for home in homes)
    return ours.kind != PrincipalKind.PROJECT_TEAM or not at_home


def _foot(principal: Principal, state: State, guards: Mapping[str, State], may_be: Callable[[Principal], bool]) -> str:
    """Why a holder might get the key from our own agents: by a binding above the resource; empty if not."""
    for uid in state.resource.guards:
        above = guards.get(uid)
        if uid == state.resource.key:
            continue
        if above is None or above.grants is None or _is_unread(above):
            return f"the bindings of {uid} were not read"
        name = above.resource.name or above.resource.address
        holders = {held.principal for held in above.grants}
        if principal in holders or any(held.kind in _EVERYONE for held in holders):
            return f"it holds a role on {name} as well"
        if mixed := sorted(filter(may_be, holders)):
            return f"it may hold a role on {name} as well: {mixed[0]} does"
    return ""


def _may_be(principal: Principal, held: Principal, homes: frozenset[str], trusted: _Trusted) -> bool:
    """Whether a stranger and who holds a role may be the same people: groups and pools do not say who is in them."""
    if held.kind in _SINGLE:
        return principal.kind not in _SINGLE and not _ours(held, homes, trusted)
    if held.kind == PrincipalKind.DOMAIN:
        return not _ours(held, homes, trusted)
    return held.kind != PrincipalKind.DELETED and _open(held, homes, trusted)
