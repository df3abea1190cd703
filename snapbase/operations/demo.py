"""A theft in three clouds, watched: the main job from the first reading to the clean report, without an account."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snapbase.collect.engine import Selection
from snapbase.config import load
from snapbase.finding import Report
from snapbase.model import Baseline
from snapbase.operations import approve as approving
from snapbase.operations.collect import Collected, collect
from snapbase.operations.diff import against_baseline, diff, exit_code, finished_run
from snapbase.sandbox import Endpoints, attack
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.sandbox.story import Act
from snapbase.settings import Config
from snapbase.store import Store

DENIED_ACCOUNT_REGION = ("eu-west-1", "ec2:DescribeSnapshots")
"""Where the attacker's last act blinds the collector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One thing that happened, and what a person at the terminal would have typed to see it."""

    title: str
    command: str = ""
    collected: Collected | None = None
    baseline: Baseline | None = None
    acts: tuple[Act, ...] = ()
    report: Report | None = None
    code: int | None = None


def scenes(store: Store, config: Config, endpoints: Endpoints, switchboard: Switchboard) -> Iterator[Scene]:
    """Plays the demo; every scene is yielded when it has happened."""
    first = _collect(store, config)
    yield Scene(title="Three clouds are read for the first time", command="snapbase collect", collected=first)
    approved = _approve(store, "the estate as reviewed on day one")
    command = "snapbase approve-baseline --by you --reason 'the estate as reviewed on day one' …"
    yield Scene(title="Somebody looks at it, and says it is fine", command=command, baseline=approved)

    acts = attack(endpoints)
    fault = switchboard.break_(denial())
    yield Scene(title="Meanwhile, an attacker", acts=acts)
    yield _judged(store, _collect(store, config), "snapbase run", "The next hour, cron runs snapbase")

    command = "snapbase approve-baseline --allow-public --allow-unknown --allow-incomplete --reason 'demo: all of it'"
    accepted = _approve(store, "demo: all of it")
    yield Scene(title="If all of that were fine, one would have to say so", command=command, baseline=accepted)
    yield _judged(store, None, "snapbase diff", "Then there is no drift, but a hole is still a hole")

    switchboard.heal(fault)
    yield _judged(store, _collect(store, config), "snapbase run", "The region is readable again")


def denial() -> Fault:
    """One region of one account stops answering."""
    location, operation = DENIED_ACCOUNT_REGION
    return Fault(FaultKind.DENIED, cloud="aws", account=denied_account(), location=location, operation=operation)


def denied_account() -> str:
    from snapbase.sandbox.aws.story import MEMBER

    return MEMBER


def configuration(endpoints: Endpoints, folder: Path) -> tuple[Config, Path]:
    """The demo's configuration, also written as a file so that it can be played with."""
    from snapbase.sandbox.aws.story import PARTNER, REGIONS, ROLE
    from snapbase.sandbox.gcp.story import OWN_DOMAIN, PROJECTS

    path = folder / "snapbase.toml"
    path.write_text(
        _TOML.format(
            store=f"sqlite:///{folder / 'snapbase.db'}",
            aws=endpoints.aws,
            azure=endpoints.azure,
            gcp=endpoints.gcp,
            role=ROLE,
            regions=json.dumps(list(REGIONS)),
            projects=json.dumps(list(PROJECTS)),
            partner=PARTNER,
            domain=OWN_DOMAIN,
        ),
        encoding="utf-8",
    )
    return load(path, {}), path


_TOML = """\
# The demo's three clouds, on this machine.
[[aws]]
endpoint = "{aws}"
organization = true
role = "{role}"
regions = {regions}

[[azure]]
endpoint = "{azure}"

[[gcp]]
endpoint = "{gcp}"
projects = {projects}

[trust]
domains = ["{domain}"]

[[trust.accounts]]
id = "{partner}"
name = "Backup partner"
reason = "holds our off-site copies"

[store]
url = "{store}"
"""


def _collect(store: Store, config: Config) -> Collected:
    return collect(store, config, Selection(), progress=lambda _: None, stop=threading.Event())


def _approve(store: Store, reason: str) -> Baseline:
    request = approving.Request(
        run=finished_run(store),
        by="you",
        reason=reason,
        allow_public=True,
        allow_unknown=True,
        allow_incomplete=True,
    )
    return approving.approve(store, approving.plan(store, request))


def _judged(store: Store, collected: Collected | None, command: str, title: str) -> Scene:
    run = finished_run(store)
    report = diff(store, run, against_baseline(store, run))
    code = exit_code(report, fail_on="low")
    return Scene(title=title, command=command, collected=collected, report=report, code=code)
