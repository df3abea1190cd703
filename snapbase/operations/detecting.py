"""The rules on audit events: what happened since the approval, from the store to findings. Never calls a cloud."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from snapbase.audit.log import audit_logs
from snapbase.diff import WHOLE
from snapbase.event import Action, ActorKind, Event
from snapbase.finding import Account, Finding
from snapbase.locations import Locate, locator
from snapbase.model import Approval, BaselineScope, Cloud, Json, Pin, Principal, Run, State
from snapbase.operations import trusting
from snapbase.operations.accounts import known
from snapbase.rotation.verdict import Jury, cover
from snapbase.rules.detected import ENTRY, detected, key_in
from snapbase.rules.estate import Estate, Facts, Known, Tuning
from snapbase.rules.jobs import joined
from snapbase.rules.timeline import LEARNING, EventKey, Habit, Timeline, key_of, timeline
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.store.baselines import in_force
from snapbase.store.lookup import Met
from snapbase.trust import TrustList, unresolved

if TYPE_CHECKING:
    from snapbase.operations.diff import Against

FIRST = timedelta(days=7)
"""How far back events are judged before anything was approved."""
LATE = timedelta(hours=1)
"""Logs come late: what happened so shortly before the approved run may not have been there to be approved."""
HISTORY = timedelta(days=90)
"""What an actor did in this time before is its habit."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules on events say, and what must be said beside it."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def tuning_of(config: Config, states: Iterable[State] = ()) -> Tuning:
    """What the configuration says, with the identities that snapbase itself reads with as far as it names them.

    `states`: the resources that say whose an account is.
    """
    roles = (_role(entry.role) for entry in config.aws if entry.role)
    accounts = (entry.impersonate for entry in config.gcp if entry.impersonate)
    told = config.detect.model_dump() | {"locations": str(config.detect.locations or "")}
    owned = known([Account(**each.model_dump()) for each in config.accounts], states)
    return Tuning(**told, collectors=tuple(sorted({*roles, *accounts})), accounts=owned)


def settings(config: Config, states: Iterable[State] = ()) -> Mapping[str, Json]:
    """The same as plain values to keep with a run; nothing where it is the default.

    Raises `ConfigurationError` where the file that it names for the places of addresses is none.
    """
    locator(config.detect.locations)
    tuning = tuning_of(config, states)
    return tuning.to_json() if asdict(tuning) != asdict(Tuning()) else {}


def _role(text: str) -> str:
    """A role's name or the template of its ARN, as a glob."""
    return re.sub(r"\{[^}]*\}", "*", text) if text.startswith("arn:") else f"arn:*:iam::*:role/{text}"


def tuning_at(store: Store, run: Run) -> Tuning:
    """What a run was judged by."""
    return Tuning.from_json(trusting.tuning_of(store, run))


def sightings(store: Store, run: Run, against: "Against", trust: TrustList, at: datetime, *, locate: Locate) -> Seen:
    """Everything since what the run is compared with; what somebody approved of it is silent, by its events' ids."""
    known_since = store.first_events()
    if not known_since:
        return Seen()
    tuning = tuning_at(store, run)
    accepted, held = _pinned(against.pins.around, at)
    line, begin = _timeline(store, against, tuning, at, known_since, (accepted, held))
    book = _Book(store, run, against, at)
    book.read(line.events)
    shared = any(each.cloud == Cloud.AZURE for each in line.of(Action.SHARE))
    holders = store.principals(against.rev) if shared else []
    known = frozenset(each.id.lower() for each, _ in holders if unresolved(each))
    estate = Estate(trust, at.date(), tuning, book.look, known, locate)
    found = detected(line, estate, {log.cloud: log.name for log in audit_logs() if not log.beside})
    cut = (f"Events before {line.begin:%Y-%m-%d %H:%M} UTC are not judged any more.",) if begin < line.begin else ()
    return Seen(found, (*cut, *_young(line), *_unobservable(line, known_since)))


def _timeline(
    store: Store,
    against: "Against",
    tuning: Tuning,
    at: datetime,
    known_since: Mapping[str, datetime],
    pinned: tuple[frozenset[EventKey], frozenset[EventKey]],
) -> tuple[Timeline, datetime]:
    """Also from when on events should be judged, which may be longer ago than they are."""
    accepted, held = pinned
    wanted, heard = _begin(store, against, at)
    oldest = at - timedelta(days=tuning.days)
    begin = max(wanted, oldest)
    unheard = store.telling_events(oldest, begin, after=heard) if heard is not None else ()
    late = {key_of(each): each for each in unheard if key_of(each) not in accepted}
    back = [*store.named_events(held - late.keys()), *late.values()]
    held |= late.keys()
    start = min([begin, *(each.at for each in back)]) - tuning.window
    events = {key_of(each): each for each in (*store.telling_events(start, at), *back)}
    # Whoever did what was held back is judged by what was known then, else it would be a habit by now.
    then = {(each.cloud, each.actor.principal) for each in back}
    habits = {key: each for key, each in _habits(store, begin - tuning.window).items() if key[:2] not in then}
    habits |= {key: each for key, each in _habits(store, start).items() if key[:2] in then} if then else {}
    once, same = joined(events.values())
    line = timeline(
        once,
        begin,
        habits=habits,
        learnt=_learnt(store, known_since),
        accepted=accepted | {same[each] for each in accepted & same.keys()},
        held=held | {same[each] for each in held & same.keys()},
    )
    return line, max(wanted, min(known_since.values()))


def _habits(store: Store, until: datetime) -> dict[tuple[str, str, str], Habit]:
    return {key: Habit(hours) for key, hours in store.habits(until - HISTORY, until).items()}


def _begin(store: Store, against: "Against", at: datetime) -> tuple[datetime, int | None]:
    """The end of the approved run, not the approval: what happened between the two nobody reviewed.

    Also the number of the newest event that was known by then: one with a higher number is news, however old it is.
    Where no log was known at all, what is read first is history to learn from.
    """
    if against.first:
        return at - FIRST, None
    if against.baseline is None:
        return against.at, None
    # Only of what counts: runs that saw no change share one revision, also with an approval that was taken back.
    whole = in_force([line for line in store.baselines() if against.up_to is None or line.id <= against.up_to])[0]
    if whole.scope != BaselineScope.WHOLE:
        return against.at - LATE, None
    run = store.run(whole.run_id)
    return min(against.at, run.finished_at or run.started_at) - LATE, run.heard or None


def _pinned(pins: Iterable[Pin], at: datetime) -> tuple[frozenset[EventKey], frozenset[EventKey]]:
    """Events that are accepted, and those that were held back, by the newest approval of each that has not ended."""
    decided: dict[EventKey, bool] = {}
    for pin in pins:
        key = key_in(pin.subject)
        if key is None or pin.entry not in (ENTRY, WHOLE):
            continue
        if pin.approval.until is None or at < pin.approval.until:
            decided.setdefault(key, pin.held)
    held = frozenset(key for key, is_held in decided.items() if is_held)
    return frozenset(decided) - held, held


def _learnt(store: Store, known_since: Mapping[str, datetime]) -> dict[tuple[str, str], datetime]:
    """Since when each account's log is known; of an account that was never read itself, the cloud's oldest event."""
    clouds = {log.name: log.cloud for log in audit_logs() if not log.beside}
    found = {(cloud, ""): since for cloud, since in known_since.items()}
    for (log, account, _), (since, _) in store.logs_read().items():
        if log in clouds:
            key = (clouds[log], account)
            found[key] = min(since, found.get(key, since))
    return found


def still_late(
    store: Store, run: Run, findings: Iterable[Finding], pins: Iterable[Pin], approval: Approval
) -> list[Pin]:
    """Of a whole run's approval: the events it approves (or that were) that the next look will see once more."""
    accepted = {pin.subject: pin for pin in pins if pin.entry == ENTRY and not pin.held and pin.approval.until is None}
    subjects = [subject for each in findings for subject, entry in each.covers if entry == ENTRY]
    wanted = {key: subject for subject in (*accepted, *subjects) if (key := key_in(subject))}
    since = (run.finished_at or run.started_at) - LATE
    unheard = [] if run.heard is None else store.named_events(wanted.keys(), after=run.heard)
    again = {key_of(each) for each in store.named_events(wanted.keys()) if each.at > since} | set(map(key_of, unheard))
    late = sorted(wanted[key] for key in again)
    return [
        Pin(each, ENTRY, run.last_rev, run.trust_id, accepted[each].approval if each in accepted else approval)
        for each in late
    ]


class _Book:
    """What the inventory knows of resources, each asked for once."""

    def __init__(self, store: Store, run: Run, against: "Against", at: datetime) -> None:
        self._store, self._run, self._then = store, run, against.rev
        self._jury = Jury({} if against.first else store.cohorts(at, against.up_to).cohorts)
        self._in_force, self._at = against.pins, at
        self._pins: dict[str, list[Pin]] = {}
        self._known: dict[tuple[str, str], Facts] = {}
        self._held: dict[tuple[str, str, int], frozenset[Principal]] = {}
        self._made_here: frozenset[str] = frozenset()

    def read(self, events: Collection[Event]) -> None:
        """Reads what most detections will ask for, all at once."""
        abroad = {name for each in events if each.actor.kind == ActorKind.FOREIGN for name in each.subjects}
        if abroad:
            made = (each for each in self._store.events_about(abroad) if each.action in (Action.CREATE, Action.COPY))
            self._made_here = frozenset(each.made for each in made if each.actor.kind != ActorKind.FOREIGN)
        for cloud in Cloud:
            some = (each for each in events if each.cloud == cloud and each.action in _LOOKED_UP)
            self.look(cloud, {name for each in some for name in each.subjects})

    def look(self, cloud: str, addresses: Collection[str]) -> Mapping[str, Facts]:
        missing = [each for each in addresses if each and (cloud, each) not in self._known]
        if missing:
            met = self._store.met(cloud, missing, self._then, self._run.last_rev)
            self._pins |= self._store.pins_on(self._in_force, {each.state.resource.uid for each in met.values()})
            for name in missing:
                self._known[cloud, name] = Facts(self._met(met.get(name)), name in self._made_here)
        return {each: self._known.get((cloud, each), Facts()) for each in addresses}

    def _met(self, met: Met | None) -> Known | None:
        if met is None:
            return None
        covered = cover(met.state, self._jury)
        return Known(
            kind=met.state.scope.kind,
            resource=met.state.resource,
            ever=met.ever,
            approved=self._approved(met),
            rotated=covered is not None and covered[0].strong,
        )

    def _approved(self, met: Met) -> frozenset[Principal]:
        """Who held a grant as of the approval, by what single approvals say since; what was held back is not."""
        approved, decided, below = set[Principal](), set[Principal](), met.then
        for pin in self._pins.get(met.state.resource.uid, ()):
            if pin.approval.until is not None and self._at >= pin.approval.until:
                continue
            if pin.entry == WHOLE and not pin.held:
                below = self._holders(met, pin.rev)
                break
            principal = _granted(pin.entry)
            if principal is None or principal in decided:
                continue
            decided.add(principal)
            # That a grant was taken away can be what was approved.
            if not pin.held and principal in self._holders(met, pin.rev):
                approved.add(principal)
        return frozenset(approved | (below - decided))

    def _holders(self, met: Met, rev: int) -> frozenset[Principal]:
        """Who held a grant as of another revision."""
        cloud, name = met.state.scope.cloud, met.state.resource.address
        key = (cloud, name.lower() if cloud == Cloud.AZURE else name, rev)
        if key not in self._held:
            found = self._store.met(cloud, [key[1]], rev, self._run.last_rev)
            self._held[key] = frozenset(each for one in found.values() for each in one.then)
        return self._held[key]


_LOOKED_UP = frozenset({Action.SHARE, Action.EXPORT, Action.COPY, Action.RESTORE, Action.READ_BLOCKS, Action.MOUNT})


def _granted(entry: str) -> Principal | None:
    """Whom the entry of a grant names: `grant:account:999988887777|read|ec2:createVolumePermission`."""
    if not entry.startswith("grant:"):
        return None
    kind, _, rest = entry.removeprefix("grant:").partition(":")
    return Principal(kind, rest.rsplit("|", 2)[0])


def _young(line: Timeline) -> tuple[str, ...]:
    """Said once of all logs that are too young to tell who is new in them, where that matters."""
    asked = {(each.cloud, each.account): each for each in line.of(Action.RESTORE, Action.MOUNT, Action.ENUMERATE)}
    young = sorted(key for key, each in asked.items() if not line.knows(each))
    if not young:
        return ()
    few = ", ".join(account for _, account in young[:3]) + (f" and {len(young) - 3} more" if len(young) > 3 else "")
    return (
        f"Who is new cannot be told yet from the logs of {few}: they are known for less than {LEARNING.days} days.",
    )


def _unobservable(line: Timeline, known_since: Mapping[str, datetime]) -> tuple[str, ...]:
    """What no event can show here, once: silence about it is not a sign that it did not happen."""
    seen = {(cloud, action) for cloud, _, action in line.habits} | {(each.cloud, each.action) for each in line.events}
    words = []
    if Cloud.AWS in known_since and (Cloud.AWS, Action.READ_BLOCKS) not in seen:
        words.append("reads of EBS snapshots' blocks (no data event of EBS was seen)")
    if Cloud.AZURE in known_since:
        words.append("lists of snapshots and downloads in Azure (its Activity Log has no reads)")
    if Cloud.GCP in known_since and (Cloud.GCP, Action.ENUMERATE) not in seen:
        words.append("lists of snapshots in Google Cloud (no Data Access log was seen)")
    return (f"Not observable here: {'; '.join(words)}.",) if words else ()
