"""`shares`: who outside can take our data, by principal."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapbase.cli.context import (
    AccountOption,
    CloudOption,
    EnvironmentOption,
    OwnerOption,
    TableOption,
    TeamOption,
    configuration,
    opened,
    say,
)
from snapbase.errors import NotFound

if TYPE_CHECKING:
    from snapbase.exposure import Exposure
    from snapbase.operations.inventory import Listed
    from snapbase.operations.shares import Holder


def shares(
    context: typer.Context,
    principal: Annotated[str | None, typer.Argument(help="Only this one, with everything it can take.")] = None,
    run: Annotated[int | None, typer.Option(help="As of this run; the last finished one by default.")] = None,
    cloud: CloudOption = None,
    account: AccountOption = None,
    owner: OwnerOption = None,
    team: TeamOption = None,
    environment: EnvironmentOption = None,
    everybody: Annotated[bool, typer.Option("--all", help="Also our own organisation and the cloud itself.")] = False,
    fmt: TableOption = "table",
) -> None:
    """Who outside can take our data: how much, where, since when, and what of it nobody approved."""
    from snapbase.operations import narrowing
    from snapbase.operations import shares as operation
    from snapbase.operations.accounts import chosen, whose
    from snapbase.operations.diff import Filter, finished_run

    clouds = narrowing.clouds(cloud)
    with opened(context, configuration(context)) as store:
        judged = finished_run(store, run)
        named = narrowing.accounts(store, account)
        wanted = Filter(clouds, chosen(store, judged, named, whose(owner, team, environment)))
        if principal is not None:
            held = list(operation.held_by(store, judged, principal, wanted))
            if not held:
                where = " within the filter" if wanted != Filter() else ""
                words = f"{principal} holds nothing of ours{where}, as far as was read."
                raise NotFound(words, hint="`snapbase shares` lists who does.")
            _one(held, fmt)
            return
        found = operation.holders(store, judged, wanted, everybody=everybody)
        every = operation.holders(store, judged, Filter(), everybody=everybody) if wanted != Filter() else found
        gaps = len(store.coverage(judged.last_rev))
    hidden = len({each.principal for each in every} - {each.principal for each in found})
    beside = f"{hidden:,} more outside the filter: what is above it, such as a folder, can let them in."
    if fmt == "json":
        if hidden:
            say(context, beside)
        typer.echo(json.dumps([_as_json(each) for each in found], indent=2))
        return
    typer.echo("\n".join(line for each in found for line in _lines(each)))
    typer.echo(f"{len(found):,} outside as of run {judged.id}." if found else "Nobody outside, as far as was read.")
    if hidden:
        typer.echo(beside)
    if gaps:
        typer.echo(f"{gaps} readings did not complete: `snapbase diff` names them. What they hide is not here.")


def _lines(holder: "Holder") -> list[str]:
    """A few short lines each: ids and counts together do not fit into columns at 80."""
    from snapbase.report.text import plain, several

    label = f", {holder.judgement.label}" if holder.judgement.label else ""
    held = [several(holder.snapshots, "snapshot")] if holder.snapshots else []
    held += [f"{several(holder.containers, 'container')} or keys with everything below"] if holder.containers else []
    clouds = sorted({each.cloud for each in holder.places})
    accounts = sorted({each.account for each in holder.places})
    where = ", ".join(accounts[:3]) + (f" and {len(accounts) - 3} more" if len(accounts) > 3 else "")
    approved = f"{holder.unapproved:,} not approved" if holder.unapproved else "all approved"
    return [
        plain(f"{holder.principal}  ({holder.judgement.trust}{label})", 200),
        plain(f"  {' and '.join(held)}, {approved}, since {holder.since:%Y-%m-%d}", 200),
        plain(f"  {', '.join(clouds)}: {where}", 200),
    ]


def _one(found: "list[tuple[Listed, tuple[Exposure, ...]]]", fmt: str) -> None:
    from snapbase.report.text import plain

    if fmt == "json":
        typer.echo(json.dumps([_grants_json(*each) for each in found], indent=2))
        return
    for listed, exposures in found:
        state = listed.state
        typer.echo(plain(state.resource.address, 240))
        typer.echo(plain(f"  {state.scope.kind}  {state.scope.account}/{state.scope.location}", 200))
        for each in exposures:
            why = f" ({each.why})" if each.why else ""
            typer.echo(plain(f"  {each.grant.access} by {each.grant.mechanism}: {each.effect}{why}", 300))
    typer.echo(f"{len(found):,} listed.")


def _grants_json(listed: "Listed", exposures: "tuple[Exposure, ...]") -> dict[str, Any]:
    state = listed.state
    return {
        "cloud": state.scope.cloud,
        "account": state.scope.account,
        "location": state.scope.location,
        "kind": state.scope.kind,
        "uid": state.resource.uid,
        "address": state.resource.address,
        "grants": [
            {"access": e.grant.access, "mechanism": e.grant.mechanism, "effect": str(e.effect), "why": e.why}
            for e in exposures
        ],
    }


def _as_json(holder: "Holder") -> dict[str, Any]:
    from snapbase.report.json_report import rfc3339

    return {
        "principal": {"kind": holder.principal.kind, "id": holder.principal.id},
        "trust": str(holder.judgement.trust),
        "label": holder.judgement.label,
        "snapshots": holder.snapshots,
        "containers": holder.containers,
        "unapproved": holder.unapproved,
        "since": rfc3339(holder.since),
        "places": [
            {"cloud": each.cloud, "account": each.account, "location": each.location, "kind": each.kind}
            for each in holder.places
        ],
    }
