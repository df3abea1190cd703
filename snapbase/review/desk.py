"""What the review needs of the store: one snapshot's story, and saving decisions as approvals."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from snapbase.errors import ApprovalRefused, NotFound, UsageError
from snapbase.finding import Finding, Report, SubjectType
from snapbase.model import Baseline, Run
from snapbase.operations import approve as approving
from snapbase.operations.diff import against_baseline, diff
from snapbase.operations.inventory import Story, story
from snapbase.store import Store
from snapbase.store.baselines import Sign
from snapbase.trust import TrustClass

PUBLIC_WORD = "public"
UNKNOWN_WORD = "unknown"
_WITHOUT_STORY = frozenset({SubjectType.SCOPE, SubjectType.PRINCIPAL, SubjectType.EVENT})


@dataclass(frozen=True, slots=True)
class Dangers:
    """What an approval would bless that needs a word typed for it."""

    public: tuple[Finding, ...]
    unknown: tuple[Finding, ...]


def dangers(chosen: Sequence[Finding]) -> Dangers:
    shares = [each for each in chosen if each.grantee and each.change.after]
    trusts = [TrustClass(each.grantee.trust) if each.grantee else TrustClass.OWN for each in shares]
    pairs = list(zip(shares, trusts, strict=True))
    # As the operation below has it: an exposure that an attribute alone shows names no holder.
    unheld = [each for each in chosen if each.grantee is None]
    return Dangers(
        (
            *(each for each, trust in pairs if trust == TrustClass.ANYONE),
            *(each for each in unheld if each.rule == "public-share"),
        ),
        (
            *(each for each, trust in pairs if trust.foreign and trust != TrustClass.ANYONE),
            *(each for each in unheld if each.rule == "bearer-access"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the reviewer wrote before saving."""

    reason: str = ""
    ticket: str = ""
    until: str = ""
    public_word: str = ""
    unknown_word: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What saving did."""

    baselines: tuple[Baseline, ...]
    approved: Mapping[int, tuple[str, ...]]
    """The finding ids that each baseline approved."""
    held: int
    moved: int
    report: Report
    """What the run looks like now."""


@dataclass(frozen=True, slots=True)
class Desk:
    store: Store
    """For reading."""
    write: Callable[[], AbstractContextManager[Store]]
    """Opens the store for writing."""
    run: Run
    by: str
    moment: Callable[[str], datetime]
    """An end in words (`30d`, a date) as a time; raises `UsageError`."""
    pending: bool = False
    sign: Sign | None = None

    def report(self) -> Report:
        return diff(self.store, self.run, against_baseline(self.store, self.run))

    def story(self, finding: Finding) -> Story | None:
        """None where its subject has no history of its own."""
        if finding.subject.type in _WITHOUT_STORY or not self.store.history(finding.subject.uid):
            return None
        return story(self.store, self.run, finding.subject.uid)

    def end(self, wish: Wish) -> datetime | None:
        """When the approvals end; raises `UsageError` where that cannot be read or is over."""
        words = wish.until.strip()
        if not words:
            return None
        end = self.moment(words)
        if end <= datetime.now(UTC):
            raise UsageError(f"{words} is over.", hint="An approval ends in the future, or never.")
        return end

    def save(self, chosen: Sequence[Finding], notes: Mapping[str, str], wish: Wish) -> Result:
        """Approves under the store's lock: one line of the log for each reason. Raises before anything is written."""
        parts = by_reason(chosen, notes, wish.reason)
        if not chosen:
            raise UsageError("Nothing is to be approved.")
        check(chosen, wish)
        with self.write() as store, store.lock():
            plan = approving.plan(store, self._request(store, chosen, wish, next(iter(parts))))
            if {each.id for each in plan.approved} != {each.id for each in chosen}:
                raise NotFound("What stands has changed since it was shown.", hint="Quit and come back: it is kept.")
            saved = [
                approving.approve(store, _part(plan, reason, ids), pending=self.pending, sign=self.sign)
                for reason, ids in parts.items()
            ]
            report = diff(store, plan.request.run, against_baseline(store, plan.request.run))
        approved = {each.id: ids for each, ids in zip(saved, parts.values(), strict=True)}
        return Result(tuple(saved), approved, len(plan.held), len(plan.moved), report)

    def _request(self, store: Store, chosen: Sequence[Finding], wish: Wish, reason: str) -> approving.Request:
        return approving.Request(
            run=store.run(self.run.id),
            by=self.by,
            reason=reason,
            ticket=wish.ticket.strip(),
            until=self.end(wish),
            findings=tuple(each.id for each in chosen),
            allow_public=wish.public_word.strip() == PUBLIC_WORD,
            allow_unknown=wish.unknown_word.strip() == UNKNOWN_WORD,
        )


def _part(plan: approving.Plan, reason: str, ids: tuple[str, ...]) -> approving.Plan:
    """The part of a plan that is approved for one reason."""
    wanted = frozenset(ids)
    approved = tuple(each for each in plan.approved if each.id in wanted)
    return replace(plan, request=replace(plan.request, reason=reason, findings=ids), approved=approved)


def check(chosen: Sequence[Finding], wish: Wish) -> None:
    """The words that public and unknown holders need; asked again below, by the operation itself."""
    found = dangers(chosen)
    if found.public and wish.public_word.strip() != PUBLIC_WORD:
        raise ApprovalRefused(f"{len(found.public)} would be approved for everyone.", hint=f"Type {PUBLIC_WORD}.")
    if found.unknown and wish.unknown_word.strip() != UNKNOWN_WORD:
        raise ApprovalRefused(
            f"{len(found.unknown)} would be approved for unknown holders.", hint=f"Type {UNKNOWN_WORD}."
        )


def by_reason(chosen: Sequence[Finding], notes: Mapping[str, str], reason: str) -> dict[str, tuple[str, ...]]:
    """Finding ids by the reason they are approved for: their own note, else the common one."""
    parts: dict[str, list[str]] = {}
    for each in chosen:
        parts.setdefault(notes.get(each.id, "").strip() or reason.strip(), []).append(each.id)
    if "" in parts:
        raise UsageError("An approval needs a reason.", hint=f"{len(parts['']):,} of them have no note of their own.")
    return {words: tuple(ids) for words, ids in parts.items()}


def grouped(found: Sequence[Finding]) -> list[list[Finding]]:
    """By severity, rule and holder; the worst and the most first."""
    groups: dict[tuple[int, str, str, str], list[Finding]] = {}
    for each in found:
        groups.setdefault(_group(each), []).append(each)
    return [same for key, same in sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1]), group[0]))]


def _group(finding: Finding) -> tuple[int, str, str, str]:
    principal = finding.grantee.principal if finding.grantee else None
    return finding.severity.rank, finding.rule, principal.kind if principal else "", principal.id if principal else ""
