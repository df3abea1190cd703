"""One thing seen several times (a snapshot, its recovery point, an image of it) is one finding that names them all."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from snapbase.diff import Change, ChangeType
from snapbase.finding import Finding
from snapbase.model import Json, State

Told = tuple[Finding, Change]

_PRESENCE = frozenset({"snapshot-appeared", "snapshot-disappeared"})
"""Only news of being there is told once; a lock that is gone is news of its own."""


def link(told: Iterable[Told]) -> list[Finding]:
    """The findings, with those about another view of a thing folded into the one about the thing itself."""
    told = list(told)
    news = {change.uid: finding.id for finding, change in told if finding.rule in _PRESENCE}
    folded: dict[str, list[Told]] = {}
    alone: list[Finding] = []
    for finding, change in told:
        subject = _subject(change)
        home = news.get(subject) if subject and finding.rule in _PRESENCE else None
        if home is not None and home != finding.id:
            folded.setdefault(home, []).append((finding, change))
        else:
            alone.append(_with_backing(finding, change))
    return [_with_views(finding, folded.get(finding.id, ())) for finding in alone]


def _subject(change: Change) -> str | None:
    return change.state.resource.subject if change.state else None


def _with_views(finding: Finding, views: Sequence[Told]) -> Finding:
    if not views:
        return finding
    said = [finding.detail] if finding.detail else []
    also, covers = list(finding.also), list(finding.covers)
    for view, change in views:
        said.append(_view(change))
        also.append(view.subject.uid)
        covers += view.covers
    return replace(finding, detail=" ".join(said), also=tuple(also), covers=tuple(covers))


def _view(change: Change) -> str:
    state = change.state
    if change.type == ChangeType.APPEARED and state and state.resource.attributes.get("state") == "recycled":
        until = str(state.resource.facts.get("destroyed_at") or "")[:10]
        return f"It is in the recycle bin{f' until {until}' if until else ''}: deleted, not destroyed yet."
    kind = change.scope.kind
    return f"So is it as {kind}." if change.type == ChangeType.DISAPPEARED else f"It is also there as {kind}."


def _with_backing(finding: Finding, change: Change) -> Finding:
    """Whoever may use an image reads the snapshots behind it, whatever their own permissions say."""
    backing = _backing(change.state)
    if finding.grantee is None or not backing:
        return finding
    names = ", ".join(uid.rpartition("/")[2] for uid in backing[:3])
    more = f" and {len(backing) - 3} more" if len(backing) > 3 else ""
    detail = f"{finding.detail} It carries the data of {names}{more}.".strip()
    return replace(finding, detail=detail, also=(*finding.also, *backing))


def _backing(state: State | None) -> list[str]:
    listed: Json = state.resource.facts.get("snapshots") if state else None
    return [str(uid) for uid in listed] if isinstance(listed, list | tuple) else []
