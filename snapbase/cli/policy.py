"""`policy` and `doctor`: what a cloud must allow, and whether it does."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapbase.cli.context import (
    AccountOption,
    CloudOption,
    KindOption,
    RegionOption,
    TableOption,
    configuration,
    publish,
    say,
    store_place,
)
from snapbase.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from snapbase.operations.doctor import Check

_Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write it there (mode 0600).")]


def aws(
    context: typer.Context,
    kind: KindOption = None,
    fmt: Annotated[str, typer.Option("--format", "-f", help="json, cloudformation or event-pattern.")] = "json",
    assume_role: Annotated[
        str, typer.Option(help="Also allow to enter this role of every account (for the identity snapbase runs as).")
    ] = "",
    partition: Annotated[str, typer.Option(help="aws, aws-cn, aws-us-gov or aws-eusc.")] = "aws",
    output: _Output = None,
) -> None:
    """An IAM policy, a CloudFormation template of the role for a StackSet, or the pattern of a queue's rule.

    The policy has what the queues of the configuration need; it is for the identity that snapbase runs as.
    """
    from snapbase.collect.aws.session import home_region
    from snapbase.operations import policy, queues

    if fmt == "cloudformation":
        if assume_role:
            raise UsageError("The role in each account enters no other.", hint="--assume-role goes with --format json.")
        publish(_json(policy.aws_stack(tuple(kind or ()))), output)
        say(
            context,
            "A StackSet with service-managed permissions leaves the management account out: deploy it there too.",
        )
        return
    if fmt == "event-pattern":
        publish(_json(queues.event_pattern()), output)
        return
    if fmt != "json":
        raise UsageError(f"No format {fmt}.", hint="json, cloudformation or event-pattern.")
    entries = configuration(context).aws
    heard = [queues.arn(each.queue, partition, home_region(each)) for each in entries if each.queue]
    kinds = tuple(kind or ())
    publish(_json(policy.aws_policy(kinds, assume_role=assume_role, partition=partition, queues=heard)), output)


def azure(
    context: typer.Context,
    scope: Annotated[
        list[str] | None, typer.Option(help="Where the role may be assigned: a management group or subscriptions.")
    ] = None,
    kind: KindOption = None,
    name: Annotated[str, typer.Option(help="The role's name.")] = "snapbase-collector",
    output: _Output = None,
) -> None:
    """A custom role, read-only, as `az role definition create` takes it."""
    from snapbase.operations import policy

    publish(_json(policy.azure_role(tuple(scope or ()), tuple(kind or ()), name=name)), output)
    say(context, f"az role definition create --role-definition @{output or 'FILE'}")
    if graph := policy.graph_permissions(tuple(kind or ())):
        say(context, f"Microsoft Graph application permissions are given apart from it: {', '.join(graph)}.")


def gcp(
    context: typer.Context,
    kind: KindOption = None,
    title: Annotated[str, typer.Option(help="The role's title.")] = "snapbase-collector",
    fmt: Annotated[str, typer.Option("--format", "-f", help="yaml or sink-filter.")] = "yaml",
    output: _Output = None,
) -> None:
    """A custom role for the organisation, as `gcloud iam roles create` takes it, or the filter of a queue's sink."""
    from snapbase.audit import gcp_queue
    from snapbase.operations import policy

    if fmt == "sink-filter":
        publish(f"{gcp_queue.sink_filter()}\n", output)
        return
    if fmt != "yaml":
        raise UsageError(f"No format {fmt}.", hint="yaml or sink-filter.")
    publish(policy.gcp_role(tuple(kind or ()), title=title), output)
    say(context, f"gcloud iam roles create snapbase_collector --organization=ID --file={output or 'FILE'}")
    for entry in configuration(context).gcp:
        if entry.subscription:
            needed = f"a role with {gcp_queue.PERMISSION}: anywhere else it could empty other subscriptions"
            say(context, f"On {entry.subscription} alone, {needed}.")


def doctor(
    context: typer.Context,
    cloud: CloudOption = None,
    account: AccountOption = None,
    region: RegionOption = None,
    kind: KindOption = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Every region of every account, not a sample.")] = False,
    fmt: TableOption = "table",
    output: _Output = None,
) -> None:
    """Check configuration, store, credentials, permissions and clock, and say what to fix.

    Exit 0: all is well; 3: something cannot be read; 2: nothing can be done as it is.
    """
    from snapbase.collect.engine import Selection
    from snapbase.operations import doctor as operation
    from snapbase.operations import narrowing

    clouds = narrowing.clouds(cloud)
    places = narrowing.words(account), narrowing.words(region)
    selection = Selection(clouds, *places, narrowing.kinds(kind, clouds))
    try:
        config = configuration(context)
    except ConfigurationError as error:
        checks = [operation.misconfigured(error)]
    else:
        checks = operation.examine(config, store_place(context, config), selection, thorough=thorough)
    publish(_doctor_json(checks) if fmt == "json" else _doctor_table(checks), output)
    raise typer.Exit(operation.exit_code(checks))


def _doctor_json(checks: "list[Check]") -> str:
    from snapbase.operations.doctor import exit_code

    body = {
        "schema": "snapbase.doctor/1",
        "exit_code": exit_code(checks),
        "checks": [
            {"area": c.area, "subject": c.subject, "state": c.state, "detail": c.detail, "fix": c.fix} for c in checks
        ],
    }
    return json.dumps(body, indent=2) + "\n"  # a cloud's own words are in it: all but ASCII is escaped


def _doctor_table(checks: "list[Check]") -> str:
    from snapbase.operations.doctor import State
    from snapbase.report.listing import listing

    allowed = sum(check.area == "permission" and check.state == State.OK for check in checks)
    shown = [check for check in checks if check.area != "permission" or check.state != State.OK]
    rows = [(check.state, check.area, check.subject, check.detail) for check in shown]
    if allowed:
        rows.append((State.OK, "permission", f"{allowed} permissions", "allowed where they were tried"))
    text = listing(("state", "area", "what", ""), rows, empty="Nothing was checked.")
    fixes = dict.fromkeys(check.fix for check in checks if check.fix and check.state != State.OK)
    if fixes:
        text += listing(("What to fix",), [(fix,) for fix in fixes], empty="")
    return text


def _json(body: object) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
