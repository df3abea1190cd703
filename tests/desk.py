"""Somebody at a terminal who collects, reports and approves: for tests of what approvals do."""

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from snapbase.cli import main
from snapbase.model import Grant, Observation
from snapbase.store import Store
from snapbase.trust import TrustList
from tests.store.world import AMERICA, EUROPE, OUTSIDER, PUBLIC, grant, reading, seen, snapshot

TRUST = json.dumps(TrustList(own=frozenset({"111122223333"})).to_json()).encode()
STRANGER = "777766665555"


@dataclass
class Desk:
    """Somebody at a terminal, with a store and a configuration."""

    url: str
    config: Path
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    minutes: int = 0
    error: str = ""

    def say(self, *words: str, code: int = 0) -> str:
        self.patch.setattr(sys, "argv", ["snapbase", "--config", str(self.config), "--store", self.url, *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, self.error = self.capture.readouterr()
        assert left.value.code == code, (words, out, self.error)
        return out

    def configure(self, body: str) -> None:
        self.config.write_text(f"[[aws]]\n{body}")

    def collect(self, *observations: Observation, elsewhere: Any = None) -> None:
        """A run that reads both regions completely."""
        self.minutes += 1
        at = datetime.now(UTC) + timedelta(seconds=self.minutes)
        with Store.open(self.url, write=True) as store:
            run_id = store.begin_run("", "", at)
            for scope, found in ((EUROPE, observations), (AMERICA, elsewhere or ())):
                given = reading(scope, 0, found)
                store.record(run_id, type(given)(scope, at, given.observations, given.coverage))
            store.finish_run(run_id, trust=TRUST, at=at)

    def rules(self, code: int = 1) -> list[str]:
        return [each["rule"] for each in self.report(code)["findings"]]

    def report(self, code: int = 1) -> Any:
        return json.loads(self.say("diff", "--format", "json", code=code))

    def head(self) -> str:
        return str(json.loads(self.say("baselines", "verify", "--format", "json"))["head"])


def shared(*grants: Grant) -> Observation:
    return seen(snapshot("a"), grants)


def drift(desk: Desk) -> None:
    """Approved quiet; then a share with everyone, and one with a stranger."""
    desk.collect(shared())
    desk.say("approve-baseline", "--reason", "day one", "--by", "ada")
    desk.collect(shared(grant(PUBLIC), grant(OUTSIDER)))
