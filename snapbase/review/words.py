"""A finding in words, for the right side of the screen. Every word of a cloud is made plain; none is markup."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from snapbase.finding import CoverageGap, Finding, Severity
from snapbase.model import Json
from snapbase.operations.inventory import Listed, Story
from snapbase.report.text import (
    command_lines,
    done_by,
    holder,
    hole,
    let_through,
    plain,
    several,
    sharing,
    title,
    where,
    why_unread,
)
from snapbase.review.decisions import Choice, Decision

STYLE: Mapping[str, str] = {
    Severity.CRITICAL: "bold #ff6b81",
    Severity.HIGH: "#ff9e64",
    Severity.MEDIUM: "#e5c76b",
    Severity.LOW: "#7dcfff",
    Severity.INFO: "#8a91a8",
}
DIM = "#8a91a8"
GOOD = "#9ece6a"
LEFT = "#bb9af7"
UNREAD = "#e5c76b"
MARK: Mapping[Choice | None, tuple[str, str]] = {
    Choice.APPROVE: ("✓", f"bold {GOOD}"),
    Choice.LEAVE: ("○", f"bold {LEFT}"),
    None: ("·", DIM),
}
_STANDING = {Choice.APPROVE: "to be approved", Choice.LEAVE: "left: it stays a finding", None: "not decided"}
_LONG = 1200
_VERSIONS = 30


def details(finding: Finding, decision: Decision, width: int, *, saved: int | None = None) -> RenderableType:
    """Everything about a finding but its story."""
    mark, style = MARK[decision.choice]
    head = Text(f"{finding.severity.upper()}", STYLE[finding.severity])
    head.append(f"  {plain(finding.rule, 60)}", DIM)
    standing = Text(f"{mark} {_STANDING[decision.choice]}", style)
    parts: list[RenderableType] = [head, standing]
    if saved is not None:
        words = f"Saved as baseline {saved}, and still a finding: that waits for a second person, or was taken back."
        parts.append(Text(words, UNREAD))
    parts += [Text(), Text(title(finding), "bold")]
    if finding.detail:
        parts.append(Text(plain(finding.detail, _LONG)))
    parts += [Text(), _pairs(_facts(finding, decision))]
    if finding.undo:
        parts += [Text(), Text("To undo it in the cloud", DIM)]
        parts += [Text(f"  {line}", "#c0caf5") for line in command_lines(finding.undo, max(20, width - 2))]
    return Group(*parts)


def _facts(finding: Finding, decision: Decision) -> Iterator[tuple[str, str]]:
    subject = finding.subject
    if decision.note:
        yield "note", plain(decision.note, _LONG)
    yield subject.type, "\n".join(filter(None, (plain(subject.name, 240) if subject.name else "", _address(finding))))
    yield "kind", plain(finding.kind, 80)
    yield "where", where(finding)
    if finding.grantee:
        yield "holder", holder(finding)
    yield "change", change(finding)
    if finding.count > 1:
        yield "below it", several(finding.count, "resource")
    if subject.created_at:
        yield "created", f"{subject.created_at:%Y-%m-%d %H:%M} UTC"
    if subject.encrypted is not None:
        yield "encrypted", "yes" if subject.encrypted else "no"
    for name in ("source", "origin", "owner"):
        value = getattr(subject, name)
        if value:
            yield name, plain(value, 240)
    if finding.also:
        yield "also seen", ", ".join(plain(each, 160) for each in finding.also[:5])
    if finding.approval:
        yield "approval", let_through(finding.approval)
    for event in finding.attribution[:10]:
        yield "done by", done_by(event)
    yield "ATT&CK", " ".join((*finding.attack.techniques, *finding.attack.data_components))
    yield "finding", finding.id


def _address(finding: Finding) -> str:
    return plain(finding.subject.address or finding.subject.uid, 400)


def change(finding: Finding) -> str:
    """`DenyAll → AllowAll`; for a grant what it lets its holder do, by which way, and on what terms."""
    delta = finding.change
    if not finding.entry.startswith("grant:"):
        if delta.before is None and delta.after is None:
            return delta.type
        name = finding.entry.removeprefix("attr:").replace("_", " ") if finding.entry.startswith("attr:") else ""
        return plain(f"{name}{': ' if name else ''}{_value(delta.before)} → {_value(delta.after)}", _LONG)
    rest, _, way = finding.entry.rpartition("|")
    means = f"{rest.rpartition('|')[2]} by {way}"
    terms = f"{_terms(delta.before, means)} → {_terms(delta.after, means)}"
    return plain(f"{delta.type.replace('-', ' ')}: {terms}", _LONG)


def _terms(value: Json, means: str) -> str:
    """A grant's value: pairs of condition and end, one for each grant of the same holder by the same way."""
    if value is None:
        return "none"
    if not isinstance(value, Sequence) or isinstance(value, str):
        return _value(value)
    said = [_term(each, means) for each in value if isinstance(each, Sequence) and not isinstance(each, str)]
    return " or ".join(said) or "none"


def _term(pair: Sequence[Json], means: str) -> str:
    condition, end = (*pair, "", "")[:2]
    return " ".join((means, *([f"if {condition}"] if condition else []), *([f"until {end}"] if end else [])))


def _value(value: Json) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_value(each)}" for key, each in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_value(each) for each in value) or "none"
    return str(value)


def unread(gap: CoverageGap) -> RenderableType:
    """A hole: what was not read, why, and what that means."""
    return Group(
        Text("NOT READ", f"bold {UNREAD}"),
        Text("nothing to decide: a hole can be known, not approved here", DIM),
        Text(),
        Text(hole(gap), "bold"),
        Text(why_unread(gap)),
        Text(),
        Text(
            "The last known state stays, and nothing in it is taken for deleted. What changed since is not here.", DIM
        ),
    )


def said(note: str) -> RenderableType:
    """What the report says beside its findings."""
    head = (Text("REMARK", f"bold {UNREAD}"), Text("nothing to decide", DIM), Text())
    return Group(*head, Text(plain(note, _LONG)))


def story(found: Story) -> RenderableType:
    """One snapshot's whole story: every stretch of its life, its words of its own, its approvals."""
    parts: list[RenderableType] = [Text(), Text("STORY", "bold")]
    versions = found.versions[-_VERSIONS:]
    first = "first seen" if found.kept_since is None else "already there; what was before was pruned"
    if len(versions) < len(found.versions):
        parts.append(Text(f"{len(found.versions) - len(versions)} older versions are not shown.", DIM))
    before: Mapping[str, Json] | None = None
    for version in versions:
        now = _entries(version.listed)
        until = f"{version.closed_at:%Y-%m-%d %H:%M}" if version.closed_at else "now"
        changed = _changed(before, now) or (first if version is found.versions[0] else "")
        when = Text(f"{version.opened_at:%Y-%m-%d %H:%M} → {until}")
        parts.append(when.append(f"  {plain(changed, 300)}" if changed else "", DIM))
        seen = version.listed
        parts.append(_hanging("shared with ", sharing(seen.state, seen.exposures, unread=seen.unread)))
        before = now
    parts += _approvals(found)
    if found.versions:
        parts += _tags(found.versions[-1].listed)
    return Group(*parts)


def _entries(listed: Listed) -> Mapping[str, Json]:
    from snapbase.diff import entries

    return entries(listed.state)


def _changed(before: Mapping[str, Json] | None, now: Mapping[str, Json]) -> str:
    if before is None:
        return ""
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return ", ".join(name.partition("|")[0].removeprefix("attr:") for name in names)


def _approvals(found: Story) -> list[RenderableType]:
    if not found.approvals:
        return [Text("No approval of its own.", DIM)]
    parts: list[RenderableType] = [Text(), Text("APPROVALS", "bold")]
    for entry, approval in found.approvals[:_VERSIONS]:
        parts.append(Text(f"{approval.at:%Y-%m-%d %H:%M} by {plain(approval.by, 60)}: {plain(approval.reason)}"))
        parts.append(_hanging("", plain(entry)))
    return parts


def _tags(listed: Listed) -> list[RenderableType]:
    resource = listed.state.resource
    values = {**dict(resource.attributes), **dict(resource.facts)}
    pairs = [(plain(key, 40), plain(_value(value), _LONG)) for key, value in sorted(values.items())]
    pairs += [(plain(f"tag {key}", 40), plain(value, _LONG)) for key, value in sorted(resource.tags.items())]
    return [Text(), Text("AS LAST READ", "bold"), _pairs(pairs)] if pairs else []


def _hanging(label: str, value: str) -> RenderableType:
    table = Table.grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_row(Text(f"  {label}", DIM), Text(value, "" if label else DIM))
    return table


def _pairs(rows: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=False, max_width=16, overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    for name, value in rows:
        table.add_row(Text(name, DIM), Text(value))
    return table


def hints(keys: Iterable[tuple[str, str]], width: int) -> Text:
    """Keys and what they do, over as many lines as that takes; never a key without its words."""
    lines = [Text()]
    for key, said in keys:
        hint = Text.assemble((key, "bold #7dcfff"), f" {said}")
        if lines[-1] and lines[-1].cell_len + 2 + hint.cell_len > width:
            lines.append(Text())
        lines[-1].append("  " if lines[-1] else "").append_text(hint)
    return Text("\n").join(lines)
