"""`snapbase db prune`, `backup` and `restore` from the command line."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from snapbase.cli import main
from snapbase.model import Approval, BaselineScope
from snapbase.operations import trusting
from snapbase.store import Store
from snapbase.store.baselines import NewLine
from snapbase.trust import TrustList
from tests.store.world import EUROPE, grant, reading, seen, snapshot

Say = Callable[..., str]
TRUST = trusting.to_bytes(TrustList(own=frozenset({EUROPE.account})))


@pytest.fixture
def say(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Two years of runs two weeks apart; one snapshot takes the place of another; the second run is approved."""
    config = tmp_path / "snapbase.toml"
    config.write_text("[store]\nkeep_days = 400\n")
    now = datetime.now(UTC)
    with Store.open(store_url, write=True) as store:
        for number in range(52):
            at = now - timedelta(weeks=2 * (51 - number))
            run = store.begin_run("", "", at)
            given = reading(EUROPE, number, [seen(snapshot(f"s{number}"), {grant()})])
            store.record(run, given)
            done = store.finish_run(run, trust=TRUST, at=at)
            if number == 1:
                said = Approval("ada", at, "because")
                as_of: dict[str, Any] = {"run_id": run, "rev": done.last_rev, "trust_id": done.trust_id}
                store.append_baseline(NewLine(scope=BaselineScope.WHOLE, approval=said, claimed={}, entries=1, **as_of))

    def _say(*words: str, code: int = 0, store: str = store_url) -> str:
        monkeypatch.setattr(sys, "argv", ["snapbase", "--config", str(config), "--store", store, *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, error = capsys.readouterr()
        assert left.value.code == code, (words, out, error)
        return out + error

    return _say


def test_prune_says_what_went_what_is_kept_and_why(say: Say, store_url: str) -> None:
    diff = say("diff", "--format", "json", code=1)
    would = say("db", "prune", "--dry-run")
    assert would.startswith("Would forget 42 rows: 21 of resources' versions, 21 of grants.")
    assert say("diff", "--format", "json", code=1) == diff

    said = say("db", "prune", "--vacuum")

    assert "21 of resources' versions" in said
    assert "21 of resources," in said
    assert "2 older rows stay" in said
    assert ("MiB smaller" if store_url.startswith("sqlite") else "autovacuum") in said
    assert say("diff", "--format", "json", code=1) == diff
    say("baselines", "verify")
    assert "was pruned" in say("diff", "--from", "10", "--to", "52", code=2)
    assert "was pruned" in say("diff", "--from", "3", "--to", "52", code=2)
    assert say("db", "prune").startswith("Forgot nothing.")
    assert "At least 61 days" in say("db", "prune", "--older-than", "2w", code=2)


def test_backup_and_restore_keep_the_evidence(say: Say, tmp_path: Path) -> None:
    file, there = tmp_path / "copy.db", f"sqlite:///{tmp_path}/there.db"
    diff = say("diff", "--format", "json", code=1)

    said = say("db", "backup", str(file))

    head = said.split("Its head: ")[1].strip()
    assert "exists already" in say("db", "backup", str(file), code=2)
    assert "1 line of the approval log" in say("db", "restore", str(file), store=there)
    assert "not empty" in say("db", "restore", str(file), store=there, code=2)
    for place in (there, f"sqlite:///{file}"):
        say("baselines", "verify", "--head", head, store=place)
        assert say("diff", "--format", "json", store=place, code=1) == diff


def test_a_backup_whose_evidence_was_altered_is_told(say: Say, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    say("db", "backup", str(file))
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE baseline SET why = 'nobody asked'"))
    engine.dispose()

    assert "does not hold" in say("db", "restore", str(file), store=f"sqlite:///{tmp_path}/there.db", code=1)
