"""A foreign account used a snapshot of ours, or was sent a copy: the share is not a risk any more, the data is gone."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from snapbase.event import Action, ActorKind, Event
from snapbase.finding import Attack, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.rules.detection import Detection, Sighting, few, is_copy, sentences, where, who
from snapbase.rules.estate import Estate
from snapbase.rules.example_events import (
    BACKUP,
    EVE,
    GUARDDUTY,
    INSPECTOR,
    OURS,
    PARTNER,
    SNAPSHOT,
    STRANGER,
    THIEF,
    case,
    did,
    estate,
    failed,
    known,
    line,
)
from snapbase.rules.timeline import CHANGES, Timeline
from snapbase.trust import Judgement

_MEMBERS_ONLY = "AWS Backup copies only between accounts of one organisation: this one was in it then."
"""AWS Backup Developer Guide, "Creating backup copies across AWS accounts"."""
_USES = (Action.COPY, Action.RESTORE, Action.MOUNT, Action.EXPORT, Action.READ_BLOCKS, Action.CREATE)


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    uses: dict[tuple[str, Principal, str], tuple[Judgement, list[Event]]] = {}
    for event in timeline.fresh(*_USES):
        if not event.subjects or not is_copy(event):
            continue
        taker = estate.actor_principal(event)
        judgement = _foreigner(event, taker, estate)
        if judgement is not None and _is_ours(event, timeline, estate) and not _is_let(event, taker, timeline, estate):
            uses.setdefault((event.cloud, taker, event.subjects[0]), (judgement, []))[1].append(event)
    for (_, taker, subject), (judgement, events) in uses.items():
        yield _sighting(taker, subject, judgement, events, estate)
    yield from _sent(timeline, estate, {id(each) for _, events in uses.values() for each in events})


def _sent(timeline: Timeline, estate: Estate, told: Collection[int]) -> Iterator[Sighting]:
    """Copies into a foreign account's vault, whoever put them there, without what is told as a use already."""
    sent: dict[tuple[str, Principal, str], tuple[Judgement, list[Event]]] = {}
    for event in timeline.fresh(Action.COPY):
        if not event.subjects or not is_copy(event) or id(event) in told:
            continue
        known = estate.known(event)
        for taker in event.targets:
            judgement = estate.judge(taker, event)
            approved = known is not None and any(each.id == taker.id for each in known.approved)
            if judgement.trust.foreign and not approved:
                sent.setdefault((event.cloud, taker, event.actor.principal), (judgement, []))[1].append(event)
    for (_, taker, _), (judgement, events) in sent.items():
        for done in (True, False):
            if some := [each for each in events if (each.result in CHANGES) == done]:
                yield _sending(taker, judgement, some, estate, done=done)


def _sending(taker: Principal, judgement: Judgement, events: list[Event], estate: Estate, *, done: bool) -> Sighting:
    first = events[0]
    copied = list(dict.fromkeys(each.subjects[0] for each in events))
    return Sighting(
        severity=estate.severity(Severity.CRITICAL if done else Severity.MEDIUM, events),
        title=f"{who(first)} {'copied' if done else 'tried to copy'} {few(copied, 1)} to {judgement.trust.value} "
        f"{taker.kind.replace('-', ' ')} {taker.id}",
        detail=sentences(
            f"{first.at:%Y-%m-%d %H:%M} UTC, {first.name}" + (f", {len(events):,} times." if len(events) > 1 else "."),
            "What is there is out of our reach." if done else "",
            _MEMBERS_ONLY if done and first.name.startswith("backup:") else "",
            where(events),
        ),
        events=tuple(events),
        subject=copied[0] if len(copied) == 1 else "",
        principal=taker,
        judgement=judgement,
    )


def _foreigner(event: Event, taker: Principal, estate: Estate) -> Judgement | None:
    """How the acting account is judged, where it is neither the log's nor one of ours, nor trusted."""
    if not taker.id or taker.id == event.account or (not event.actor.account and event.actor.kind != ActorKind.FOREIGN):
        return None
    if taker.kind != PrincipalKind.ACCOUNT and event.actor.kind != ActorKind.FOREIGN:
        return None
    judgement = estate.judge(taker, event)
    return judgement if judgement.trust.foreign else None


def _is_ours(event: Event, timeline: Timeline, estate: Estate) -> bool:
    """Public images of others are launched every day, and their owners' snapshots are named in the same event."""
    ours = estate.trust.own | estate.trust.members
    for each in estate.facts(event):
        owner = each.known.resource.owner if each.known else None
        if each.known is not None and (owner is None or owner in ours or owner == event.account):
            return True
        if each.known is None and each.made_here:
            return True
    made = timeline.maker(event)
    return made is not None and made.actor.account in ("", event.account)


def _is_let(event: Event, taker: Principal, timeline: Timeline, estate: Estate) -> bool:
    """By an approved grant, or by a scanning service that shared it with its own account."""
    known = estate.known(event)
    if known and any(each.id == taker.id for each in known.approved):
        return True
    shares = timeline.before(event, Action.SHARE)
    return any(estate.is_scanner(each) and taker in each.targets for each in shares)


def _sighting(taker: Principal, subject: str, judgement: Judgement, events: list[Event], estate: Estate) -> Sighting:
    done = [each for each in events if each.result in CHANGES]
    base = Severity.CRITICAL if done else Severity.MEDIUM
    verbs = {Action.COPY: "copied", Action.READ_BLOCKS: "read", Action.EXPORT: "exported"}
    verb = verbs.get(Action((done or events)[0].action), "made a disk of")
    kind = taker.kind.replace("-", " ")
    return Sighting(
        severity=estate.severity(base, events),
        title=f"{judgement.trust.value.capitalize()} {kind} {taker.id} {verb if done else 'tried to use'} "
        f"{few([subject], 1)}",
        detail=sentences(
            f"{(done or events)[0].at:%Y-%m-%d %H:%M} UTC, {events[0].name}"
            + (f", {len(events):,} times." if len(events) > 1 else "."),
            "Taking the share back does not take the copy back." if done else "",
            where(events),
        ),
        events=tuple(events),
        subject=subject,
        principal=taker,
        judgement=judgement,
    )


_COPIED = did(Action.COPY, 5, THIEF, name="ec2:SharedSnapshotCopyInitiated")
_LAUNCHED = did(Action.RESTORE, 5, THIEF, name="ec2:SharedSnapshotVolumeCreated")
_OWN_LAUNCH = replace(_LAUNCHED, actor=replace(EVE, id=OURS))
_SENT = did(Action.COPY, 5, name="backup:CopyJob", targets=(STRANGER,))

DETECTION = Detection(
    id="foreign-copy",
    title="A foreign account copied, restored or read a snapshot of ours, or was sent a copy",
    detect=_detect,
    attack=Attack(("T1537",), ("DC0058",)),
    severities="critical; medium where it was refused",
    tunables=("CrossAccountIDList", "GeoLocation", "VolumeSensitivity"),
    blind="Use of shared RDS snapshots and images, of Azure's links, and of whatever the owner's log is not told; "
    "reads of blocks where data events are off.",
    examples=(
        case("copied", line(_COPIED), Severity.CRITICAL),
        case("a volume made of it", line(_LAUNCHED), Severity.CRITICAL),
        case("of what we made since", line(did(Action.CREATE, 1), _COPIED), Severity.CRITICAL, estate()),
        case("of what our log says we made", line(_COPIED), Severity.CRITICAL, estate(made=(SNAPSHOT,))),
        case("refused", line(failed(_COPIED)), Severity.MEDIUM),
        case("our own launch of it", line(_OWN_LAUNCH), None),
        case("our own launch of a public image", line(_OWN_LAUNCH), None, estate()),
        case("a snapshot that is not ours", line(_LAUNCHED), None, estate()),
        case("shared with us by another", line(_LAUNCHED), None, estate(known(owner="123412341234"))),
        case("a partner", line(replace(_COPIED, actor=replace(THIEF, id=PARTNER, account=PARTNER))), None),
        case("an approved holder", line(_COPIED), None, estate(known(approved=frozenset({STRANGER})))),
        case("sent by one of ours", line(_SENT), Severity.CRITICAL),
        case("sent by a plan", line(replace(_SENT, actor=BACKUP)), Severity.CRITICAL),
        case("sent by a partner", line(replace(_SENT, actor=replace(THIEF, id=PARTNER, account=PARTNER))),
             Severity.CRITICAL),
        case("taken by the one it was sent to", line(replace(_SENT, actor=THIEF)), Severity.CRITICAL),
        case("taken so, of what the inventory has not", line(replace(_SENT, actor=THIEF)), Severity.CRITICAL, estate()),
        case("sending it was refused", line(failed(_SENT)), Severity.MEDIUM),
        case("sent to a partner", line(replace(_SENT, targets=(Principal(PrincipalKind.ACCOUNT, PARTNER),))), None),
        case("sent to an approved holder", line(_SENT), None, estate(known(approved=frozenset({STRANGER})))),
        case("copied within the account", line(replace(_SENT, targets=())), None),
        case("GuardDuty's own account", line(did(Action.SHARE, 2, GUARDDUTY), _LAUNCHED), None),
        case("Inspector's own account", line(did(Action.SHARE, 2, INSPECTOR), _LAUNCHED), None),
    ),
)  # fmt: skip
