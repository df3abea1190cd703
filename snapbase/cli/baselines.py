"""`baselines`: the approval log as evidence."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapbase.cli.context import TableOption, configuration, opened, publish, refuse_empty, say
from snapbase.errors import ApprovalRefused, NotFound, UsageError

if TYPE_CHECKING:
    from snapbase.model import Baseline
    from snapbase.operations.evidence import Line
    from snapbase.store.evidence import Verified

_NONE = "Nothing was approved yet. `snapbase approve-baseline` does."
IdArgument = Annotated[int, typer.Argument(help="Its id.")]
ByOption = Annotated[str | None, typer.Option(help="Who says so; the OS user by default.")]


def list_baselines(context: typer.Context, fmt: TableOption = "table") -> None:
    """Every line of the log, oldest first: what counts, what ends soon, what was revoked, what waits."""
    from snapbase.operations.evidence import Standing, lines
    from snapbase.report.listing import listing

    with opened(context, configuration(context)) as store:
        found = lines(store)
    if fmt == "json":
        typer.echo(json.dumps([_line_json(each) for each in found], indent=2))
        return
    columns = ("id", "what", "run", "at", "by", "entries", "stands", "reason")
    typer.echo(listing(columns, [_row(each) for each in found], empty=_NONE), nl=False)
    soon = sum(1 for each in found if each.standing == Standing.ENDS_SOON)
    pending = sum(1 for each in found if each.standing == Standing.PENDING)
    if soon:
        typer.echo(f"Ending within 14 days: {soon}. What they let through returns as findings.")
    if pending:
        typer.echo(f"Waiting for somebody else: {pending}. `snapbase baselines confirm ID --by OTHER` makes it count.")


def _row(line: "Line") -> tuple[str, ...]:
    each, approval = line.baseline, line.baseline.approval
    what = f"{each.scope} {each.about}" if each.about is not None else each.scope
    stands = str(line.standing)
    if line.revoked:
        stands = f"revoked by {line.revoked.approval.by}"
    elif approval.until:
        stands = f"{stands}, until {_minute(approval.until)}"
    reason = " ".join(filter(None, (approval.reason, approval.ticket and f"[{approval.ticket}]")))
    return (
        str(each.id),
        what,
        str(each.run_id),
        _minute(approval.at),
        approval.by,
        str(each.entries),
        stands,
        reason,
    )


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def show_baseline(context: typer.Context, baseline: IdArgument, fmt: TableOption = "table") -> None:
    """One line: who, why, what it is worth today, and every entry it pinned."""
    from snapbase.operations.evidence import lines
    from snapbase.report.listing import facts, listing

    with opened(context, configuration(context)) as store:
        found = next((each for each in lines(store) if each.baseline.id == baseline), None)
        pins = store.pins(baseline) if found else ()
    if found is None:
        raise NotFound(f"There is no baseline {baseline}.", hint="`snapbase baselines list` lists them.")
    body = _line_json(found)
    if fmt == "json":
        shown = [{"subject": p.subject, "entry": p.entry, "rev": p.rev, "held": p.held} for p in pins]
        typer.echo(json.dumps(body | {"pins": shown}, indent=2))
        return
    typer.echo(facts([(name, _words(value)) for name, value in body.items() if value not in (None, "", {})]), nl=False)
    rows = [("held back" if pin.held else "pinned", str(pin.rev), pin.entry, pin.subject) for pin in pins]
    typer.echo(listing(("what", "revision", "entry", "subject"), rows, empty="No pins: the run as a whole."), nl=False)


def _words(value: object) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


def revoke(
    context: typer.Context,
    baseline: IdArgument,
    reason: Annotated[str, typer.Option(help="Why it was not fine.")] = "",
    by: ByOption = None,
) -> None:
    """Take an approval back. Nothing is erased: the log says who took it back, and why."""
    from snapbase.model import BaselineScope
    from snapbase.operations import evidence as operation
    from snapbase.operations.approve import claimed_identity

    refuse_empty("--by", by)
    config = configuration(context)
    with opened(context, config, write=True) as store, store.lock():
        who = by or claimed_identity()["user"]
        line = operation.revoke(store, baseline, by=who, reason=reason, sign=operation.signer(config))
        now, _ = store.effective(None)
        whole = [each.baseline.id for each in operation.lines(store) if each.standing == operation.Standing.IN_FORCE]
        head = store.baselines()[-1].hash
    typer.echo(f"Baseline {baseline} is revoked.")
    if line.standing == operation.Standing.BELOW:
        typer.echo(f"A later whole approval states what it approved anew: revoke that too (in force: {_ids(whole)}).")
    elif now is None:
        typer.echo("Nothing is approved now: everything that stands is listed again.")
    elif line.baseline.scope == BaselineScope.WHOLE:
        typer.echo(f"What lies below it counts again: the approved state is that of baseline {_ids(whole)}.")
    say(context, f"Head of the log, to be kept elsewhere: {head}")


def _ids(found: list[int]) -> str:
    return ", ".join(map(str, found)) or "none"


def confirm(
    context: typer.Context,
    baseline: IdArgument,
    by: Annotated[str, typer.Option(help="Who confirms it: somebody other than who approved.")],
    reason: Annotated[str, typer.Option(help="What was looked at.")] = "",
) -> None:
    """The second pair of eyes: a pending approval counts once somebody else has confirmed it."""
    from snapbase.operations import evidence as operation
    from snapbase.operations.approve import claimed_identity
    from snapbase.report.text import plain

    refuse_empty("--by", by)
    config = configuration(context)
    with opened(context, config, write=True) as store, store.lock():
        line = operation.confirm(store, baseline, by=by, reason=reason, sign=operation.signer(config))
        head = store.baselines()[-1].hash
    approver = plain(line.baseline.approval.by, 60)
    typer.echo(f"Baseline {baseline}, approved by {approver}, is confirmed by {plain(by, 60)} and counts.")
    if operation.same_identity(line.baseline, claimed_identity()):
        say(context, "Both names were claimed from the same OS account on the same host; that is on record.")
    say(context, f"Head of the log, to be kept elsewhere: {head}")


def verify(
    context: typer.Context,
    head: Annotated[
        str | None, typer.Option(help="The head that was kept elsewhere: finds truncation and rewriting.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="Ed25519 public key (PEM or OpenSSH) that the lines must be signed with.")
    ] = None,
    fmt: TableOption = "table",
) -> None:
    """Recompute the log and everything it covered. Exit 0: as it was; 1: something is not.

    Whoever can write the database, and from whom neither a head nor the key was kept, is not stopped by this.
    """
    from snapbase.operations import evidence as operation

    refuse_empty("--head", head)  # an empty one compares nothing, and would say that all is well
    with opened(context, configuration(context)) as store:
        found = operation.verify(store, head=head or "", public_key=public_key)
    if fmt == "json":
        typer.echo(json.dumps(_verified_json(found), indent=2))
    else:
        typer.echo("\n".join(_verified(found)))
    raise typer.Exit(1 if found.problems else 0)


def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="Where to; `-` is stdout.")] = "-",
) -> None:
    """The approved state as text: one JSON line for each thing, sorted, the same bytes for the same state."""
    from snapbase.operations import evidence as operation

    with opened(context, configuration(context)) as store:
        text = "".join(operation.export(store))
    publish(text, None if file == "-" else Path(file))


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="What `baselines export` wrote; `-` is stdin.")],
    head: Annotated[str | None, typer.Option(help="The head of the log that was kept elsewhere.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="Ed25519 public key of the exporting log.")] = None,
) -> None:
    """Make an exported state the approved one of this store: what is collected next is compared with it.

    The file is verified first, and refused where it is not what was approved.
    """
    from snapbase.operations import evidence as operation
    from snapbase.report.text import plain

    refuse_empty("--head", head)
    config = configuration(context)
    found, verified = operation.load(_read(file), head=head or "", public_key=public_key)
    if verified.problems:
        typer.echo("\n".join(_verified(verified)))
        raise ApprovalRefused("The file is not what was approved; nothing was imported.")
    with opened(context, config, write=True) as store, store.lock():
        pending = config.approval.four_eyes
        made = operation.restore(store, found, pending=pending, sign=operation.signer(config))
        new = store.baselines()[-1].hash
    for line in made.lines:
        old = line.claimed.get("imported_line", "")
        typer.echo(f"Baseline {line.id}: line {plain(old)} of the file, approved by {plain(line.approval.by, 60)}.")
    typer.echo(
        f"{made.resources:,} resources as approved. `snapbase collect`, then `snapbase diff` compares with them."
    )
    if pending:
        typer.echo("They count once somebody confirms them: snapbase baselines confirm ID --by OTHER")
    if made.strange:
        typer.echo(f"Scopes the file does not know: {made.strange}. All that is in them will be news.")
    typer.echo(
        "Not carried over: signatures and the old chain. The new lines name the old ones; keep the file for both."
    )
    for words in verified.unproven:
        typer.echo(plain(words, 600))
    say(context, f"Head of the log, to be kept elsewhere: {new}")


def _read(file: str) -> list[str]:
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="ascii")).splitlines()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not what `snapbase baselines export` writes.") from None


def _verified(found: "Verified") -> list[str]:
    from snapbase.report.text import plain, several

    shown = [f"line {each.line}: {each.words}" if each.line else each.words for each in found.problems]
    lines = [plain(each, 600) for each in shown]
    lines += [several(found.lines, "line") + (f", {several(len(shown), 'problem')}." if shown else ", all as written.")]
    lines += [f"Head: {found.head}"] if found.head else []
    return [*lines, *(plain(each, 600) for each in found.unproven)]


def _verified_json(found: "Verified") -> dict[str, Any]:
    return {
        "schema": "snapbase.verify/1",
        "lines": found.lines,
        "head": found.head,
        "problems": [{"line": each.line, "problem": each.words} for each in found.problems],
        "unproven": list(found.unproven),
    }


def _line_json(line: "Line") -> dict[str, Any]:
    return _as_json(line.baseline) | {
        "standing": str(line.standing) or None,
        "revoked_by": line.revoked.approval.by if line.revoked else None,
        "confirmed_by": line.confirmed.approval.by if line.confirmed else None,
    }


def _as_json(baseline: "Baseline") -> dict[str, Any]:
    from snapbase.report.json_report import rfc3339

    approval = baseline.approval
    return {
        "id": baseline.id,
        "scope": baseline.scope,
        "about": baseline.about,
        "run_id": baseline.run_id,
        "approved_at": rfc3339(approval.at),
        "approved_by": approval.by,
        "reason": approval.reason,
        "ticket": approval.ticket,
        "until": rfc3339(approval.until),
        "entries": baseline.entries,
        "claimed": dict(baseline.claimed),
        "covered": baseline.covered,
        "hash": baseline.hash,
        "signed": bool(baseline.signature),
    }
