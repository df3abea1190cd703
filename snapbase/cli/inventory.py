"""`snapshots`: the inventory, and one snapshot's whole story."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapbase.cli.context import (
    AccountOption,
    CloudOption,
    EnvironmentOption,
    KindOption,
    OwnerOption,
    TableOption,
    TeamOption,
    configuration,
    opened,
    refuse_empty,
)

if TYPE_CHECKING:
    from snapbase.exposure import Exposure
    from snapbase.operations.inventory import Listed, Story


def list_snapshots(
    context: typer.Context,
    match: Annotated[str | None, typer.Argument(help="Part of a uid, address or name.")] = None,
    run: Annotated[int | None, typer.Option(help="As of this run; the last finished one by default.")] = None,
    cloud: CloudOption = None,
    account: AccountOption = None,
    owner: OwnerOption = None,
    team: TeamOption = None,
    environment: EnvironmentOption = None,
    kind: KindOption = None,
    shared: Annotated[bool, typer.Option("--shared", help="Only what somebody else can use.")] = False,
    fmt: TableOption = "table",
) -> None:
    """What there is, and who else can use it."""
    from snapbase.operations import inventory as operation
    from snapbase.operations import narrowing
    from snapbase.operations.accounts import chosen, whose
    from snapbase.operations.diff import finished_run

    refuse_empty("MATCH", match)
    clouds = narrowing.clouds(cloud)
    kinds = narrowing.kinds(kind, clouds)
    with opened(context, configuration(context)) as store:
        judged = finished_run(store, run)
        found = operation.snapshots(
            store,
            judged,
            kinds=kinds,
            clouds=clouds,
            accounts=chosen(store, judged, narrowing.accounts(store, account), whose(owner, team, environment)),
            match=match or "",
            shared=shared,
        )
        if fmt == "json":
            for each in found:
                typer.echo(json.dumps(_as_json(each)))
            return
        count = 0
        for each in found:
            typer.echo("\n".join(_lines(each)))
            count += 1
        typer.echo(f"{count:,} listed." if count else "Nothing matches.")


def _lines(listed: "Listed") -> Iterator[str]:
    """One resource over a few lines: a uid does not fit into a column."""
    from snapbase.report.text import plain

    state = listed.state
    resource = state.resource
    created = f"{resource.created_at:%Y-%m-%d}" if resource.created_at else ""
    yield plain(resource.address, 240)
    where = f"{state.scope.account}/{state.scope.location}"
    details = (state.scope.kind, where, created, resource.name or "")
    yield "  " + "  ".join(plain(each, 60) for each in details if each)
    yield f"  shared with {plain(_sharing(listed), 500)}"


def _sharing(listed: "Listed") -> str:
    from snapbase.report.text import sharing

    return sharing(listed.state, listed.exposures, unread=listed.unread)


def _as_json(listed: "Listed") -> dict[str, Any]:
    from snapbase.report.json_report import rfc3339

    state, resource = listed.state, listed.state.resource
    return {
        "cloud": state.scope.cloud,
        "account": state.scope.account,
        "location": state.scope.location,
        "kind": state.scope.kind,
        "uid": resource.uid,
        "address": resource.address,
        "name": resource.name,
        "created_at": rfc3339(resource.created_at),
        "encrypted": resource.encrypted,
        "key": resource.key,
        "source": resource.source,
        "origin": resource.origin,
        "owner": resource.owner,
        "inferred": resource.inferred,
        "sharing_unread": state.miss.reason if state.miss else ("the whole scope" if listed.unread else None),
        "grants": None if state.grants is None else [_grant(each) for each in listed.exposures],
        "attributes": dict(resource.attributes) | dict(resource.facts),
        "tags": dict(resource.tags),
    }


def _grant(exposure: "Exposure") -> dict[str, Any]:
    from snapbase.report.json_report import rfc3339

    grant = exposure.grant
    return {
        "principal": {"kind": grant.principal.kind, "id": grant.principal.id, "trust": exposure.trust},
        "access": grant.access,
        "mechanism": grant.mechanism,
        "condition": grant.condition,
        "expires_at": rfc3339(grant.expires_at),
        "effect": exposure.effect,
        "why": exposure.why,
    }


def show_snapshot(
    context: typer.Context,
    uid: Annotated[str, typer.Argument(help="Its uid, address, or the end of one.")],
    fmt: TableOption = "table",
) -> None:
    """One snapshot's whole story: what it was, when, who could use it, and what was approved."""
    from snapbase.operations import inventory as operation
    from snapbase.operations.diff import finished_run
    from snapbase.report.listing import facts, listing

    refuse_empty("UID", uid)
    with opened(context, configuration(context)) as store:
        story = operation.story(store, finished_run(store), uid)
    if fmt == "json":
        typer.echo(json.dumps(_story_json(story), indent=2))
        return
    now = _as_json(story.versions[-1].listed)
    shown = {k: v for k, v in now.items() if k not in ("grants", "attributes", "tags") and v is not None}
    more = {**now["attributes"], **{f"tag {k}": v for k, v in now["tags"].items()}}
    typer.echo(facts([(name, str(value)) for name, value in {**shown, **more}.items()]), nl=False)
    if story.kept_since is not None:
        typer.echo(f"It is older than {story.kept_since:%Y-%m-%d %H:%M} UTC: what was seen of it before was pruned.")
    typer.echo(listing(("when", "what", "who", "of which"), list(_timeline(story)), empty=""), nl=False)


def _timeline(story: "Story") -> list[tuple[str, ...]]:
    """What was seen, what was approved and what the logs say, in one order of time."""
    rows = [*_seen(story), *_approved(story), *_logged(story)]
    return [(f"{at:%Y-%m-%d %H:%M}", *words) for at, *words in sorted(rows, key=lambda row: row[0])]


def _seen(story: "Story") -> Iterator[tuple[datetime, str, str, str]]:
    from snapbase.diff import entries

    before: dict[str, Any] = {}
    first, closed = "first seen" if story.kept_since is None else "already there", None
    for version in story.versions:
        now = entries(version.listed.state)
        changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name)) if before else []
        what = "changed: " + ", ".join(name.partition("|")[0] for name in changed) if before else first
        yield version.opened_at, what, "", f"shared with {_sharing(version.listed)}"
        before, closed = now, version.closed_at
    if closed is not None:
        yield closed, "gone", "", "no longer listed"


def _approved(story: "Story") -> Iterator[tuple[datetime, str, str, str]]:
    for entry, approval in story.approvals:
        until = f", until {approval.until:%Y-%m-%d}" if approval.until else ""
        yield approval.at, f"approved{until}", approval.by, f"{entry.partition('|')[0]}: {approval.reason}"


def _logged(story: "Story") -> Iterator[tuple[datetime, str, str, str]]:
    from snapbase.event import Result

    for event in story.events:
        result = "" if event.result == Result.SUCCEEDED else f" ({event.result})"
        whom = ", ".join(str(each) for each in event.targets)
        details = " ".join(filter(None, (f"to {whom}" if whom else "", event.detail, f"from {event.source_ip}")))
        yield event.at, f"{event.name}{result}", event.actor.id or event.actor.via, details


def _story_json(story: "Story") -> dict[str, Any]:
    from snapbase.report.json_report import rfc3339

    return {
        "uid": story.uid,
        "kept_since": rfc3339(story.kept_since),
        "versions": [
            {
                "opened_at": rfc3339(version.opened_at),
                "closed_at": rfc3339(version.closed_at),
                **_as_json(version.listed),
            }
            for version in story.versions
        ],
        "approvals": [
            {"entry": entry, "by": a.by, "at": rfc3339(a.at), "reason": a.reason, "ticket": a.ticket}
            for entry, a in story.approvals
        ],
        "events": [
            {
                "at": rfc3339(event.at),
                "name": event.name,
                "action": event.action,
                "result": event.result,
                "actor": event.actor.id or event.actor.via,
                "source_ip": event.source_ip,
                "targets": [{"kind": each.kind, "id": each.id} for each in event.targets],
                "id": event.id,
            }
            for event in story.events
        ],
    }
