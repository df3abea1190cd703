"""Shares as events tell of them: to whom, and how they ended."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from snapbase.event import Action, Event
from snapbase.finding import Severity
from snapbase.model import Cloud, Principal
from snapbase.rules.estate import Estate
from snapbase.rules.timeline import ATTEMPTS, CHANGES, EventKey, Timeline, holder_of, key_of
from snapbase.trust import Judgement, TrustClass, unresolved


@dataclass(frozen=True, slots=True)
class Share:
    """One share, with the worst of those it was given to."""

    event: Event
    principal: Principal
    judgement: Judgement
    strangers: tuple[tuple[Principal, Judgement], ...] = ()
    """Everybody it was given to who is none of ours, the worst first."""

    @property
    def severity(self) -> Severity:
        return Severity.MEDIUM if unresolved(self.principal) else Severity.CRITICAL

    @property
    def holder(self) -> str:
        if self.judgement.trust == TrustClass.ANYONE:
            return "everyone"
        return f"{self.judgement.trust.value} {self.principal.kind.replace('-', ' ')} {self.principal.id}"


def foreign_shares(timeline: Timeline, estate: Estate, *, attempts: bool = False) -> Iterator[Share]:
    """Shares with somebody who is neither ours nor trusted nor approved for it; not those of scanning services.

    A policy of AWS that names whom it lets in is one too.
    """
    for event in timeline.of(Action.SHARE, Action.POLICY):
        if event.result not in (ATTEMPTS if attempts else CHANGES) or not event.targets or estate.is_scanner(event):
            continue
        if event.action == Action.POLICY and event.cloud != Cloud.AWS:
            continue
        known = estate.known(event)
        approved = known.approved if known else frozenset()
        judged = [(each, estate.judge(each, event)) for each in event.targets if not _among(each, approved)]
        strangers = [each for each in judged if each[1].trust.foreign and not _is_of_the_house(each[0], estate)]
        if strangers:
            strangers.sort(key=lambda each: (each[1].trust.rank, each[0]), reverse=True)
            yield Share(event, *strangers[0], tuple(strangers))


def _is_of_the_house(principal: Principal, estate: Estate) -> bool:
    """A directory object with access of its own: people activate roles every day."""
    return unresolved(principal) and principal.id.lower() in estate.directory


def ends_of(share: Share, timeline: Timeline) -> Iterator[tuple[Share, Event]]:
    """Everything that took it back from somebody, each with the worst of those: that others keep it hides nothing."""
    told: set[EventKey] = set()
    for principal, judgement in share.strangers:
        one = replace(share, principal=principal, judgement=judgement)
        end = _end_of(one, timeline)
        if end is not None and key_of(end) not in told:
            told.add(key_of(end))
            yield one, end


def _end_of(share: Share, timeline: Timeline) -> Event | None:
    """What took it back: an un-share of its holder, the deletion of what was shared, or a policy without the holder."""
    holder = holder_of(share.principal)
    ends = [timeline.end_of(share.event, holder)]
    if share.event.action == Action.POLICY:
        ends.append(timeline.overwritten(share.event, holder))
    return min(filter(None, ends), key=lambda each: (each.at, each.id), default=None)


def was_seen(share: Share, end: Event, estate: Estate) -> bool:
    """Whether any run of the inventory saw the grant in the time from a share to its end."""
    spans = [span for each in estate.facts(share.event) if each.known for span in each.known.ever]
    meanwhile = [who for who, since, until in spans if since <= end.at and (until is None or until > share.event.at)]
    return _among(share.principal, meanwhile)


def _among(principal: Principal, some: Collection[Principal]) -> bool:
    return any(holder_of(each) == holder_of(principal) for each in some)
