"""The whole job as a person runs it: three sandbox clouds, the real SDKs, the command line."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapbase import sandbox
from snapbase.operations import demo
from snapbase.rules.detected import detections
from snapbase.sandbox import Endpoints
from snapbase.sandbox.faults import Switchboard

DETECTIONS = {each.id for each in detections()}
THIEF = "t.lambert"


@pytest.fixture(scope="module")
def endpoints(switchboard: Switchboard) -> Iterator[Endpoints]:
    with sandbox.clouds(switchboard) as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, endpoints: Endpoints) -> Path:
    folder = tmp_path_factory.mktemp("home")
    demo.configuration(endpoints, folder)
    return folder


def _snapbase(home: Path, endpoints: Endpoints, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        **endpoints.environment(),
        "SNAPBASE_CONFIG": str(home / "snapbase.toml"),
        "COLUMNS": "80",
    }
    command = [sys.executable, "-m", "snapbase", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=home)


def test_a_theft_is_caught_and_nothing_else_is_said(home: Path, endpoints: Endpoints, switchboard: Switchboard) -> None:
    """Issue 1's story, command by command."""
    first = _snapbase(home, endpoints, "run")
    assert first.returncode == 1, first.stderr
    refused = _snapbase(home, endpoints, "approve-baseline", "--reason", "day one")
    assert refused.returncode == 2
    assert "--allow-unknown" in refused.stderr
    approved = _snapbase(home, endpoints, "approve-baseline", "--reason", "day one", "--allow-unknown")
    assert approved.returncode == 0, approved.stderr
    quiet = _snapbase(home, endpoints, "run", "--format", "json")
    assert quiet.returncode == 0, quiet.stdout
    assert json.loads(quiet.stdout)["findings"] == []

    acts = sandbox.attack(endpoints)
    fault = switchboard.break_(demo.denial())
    drift = _snapbase(home, endpoints, "run", "--format", "json")
    report = json.loads(drift.stdout)
    assert drift.returncode == 1
    told = [each for each in report["findings"] if each["rule"] in DETECTIONS]
    assert {"recovery-inhibited", "snapshot-export"} <= {each["rule"] for each in told}
    assert all(THIEF in event["actor"] for each in told for event in each["attribution"])
    unexplained = [each for each in report["findings"] if each["rule"] not in DETECTIONS]
    for act in acts:
        matching = [
            each
            for each in unexplained
            if each["rule"] == act.rule and act.uid_contains in f"{each['subject']['uid']} {each['subject']['address']}"
        ]
        assert matching, f"nothing in the report says: {act.did}"
        # Entra's own log, which says who invited a guest, is not read.
        assert all(each["attribution"] or each["kind"] == "azure.entra.guest" for each in matching), act.did
        assert all(THIEF in event["actor"] for each in matching for event in each["attribution"]), act.did
        unexplained = [each for each in unexplained if each not in matching]
    assert {each["rule"] for each in unexplained} == {"coverage-lost"}
    assert not report["run"]["complete"]
    assert {gap["outcome"] for gap in report["coverage"]} == {"denied"}
    assert all(each["attack"]["techniques"] for each in report["findings"])

    flags = ("--allow-public", "--allow-unknown", "--allow-incomplete", "--reason", "all of it")
    assert _snapbase(home, endpoints, "approve-baseline", *flags).returncode == 0
    hole = _snapbase(home, endpoints, "diff")
    assert hole.returncode == 3, hole.stdout
    assert "2 scopes unread" in hole.stdout

    switchboard.heal(fault)
    healed = _snapbase(home, endpoints, "run")
    assert healed.returncode == 0, healed.stdout


def test_diff_between_runs_and_the_story_of_a_snapshot(home: Path, endpoints: Endpoints) -> None:
    between = _snapbase(home, endpoints, "diff", "--from", "2", "--to", "3", "--format", "json")
    assert between.returncode == 1
    shared = next(f for f in json.loads(between.stdout)["findings"] if f["rule"] == "unknown-account-share")

    story = _snapbase(home, endpoints, "snapshots", "show", shared["subject"]["uid"], "--format", "json")

    assert story.returncode == 0, story.stderr
    versions = json.loads(story.stdout)["versions"]
    assert shared["principal"]["id"] not in json.dumps(versions[0]["grants"])
    assert shared["principal"]["id"] in json.dumps(versions[-1]["grants"])


def test_shares_says_who_outside_can_take_what(home: Path, endpoints: Endpoints) -> None:
    listed = _snapbase(home, endpoints, "shares", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    by_id = {each["principal"]["id"]: each for each in json.loads(listed.stdout)}
    outsider, partner = by_id["999988887777"], by_id["444455556666"]
    assert outsider["trust"] == "unknown"
    assert outsider["snapshots"] >= 3
    assert {*list(by_id)[:2]} == {"all", "allAuthenticatedUsers"}, "the least trusted come first"

    one = _snapbase(home, endpoints, "shares", "444455556666", "--format", "json")
    assert partner["snapshots"] == sum(each["kind"].endswith("snapshot") for each in json.loads(one.stdout))
    assert {grant["effect"] for each in json.loads(one.stdout) for grant in each["grants"]} <= {
        "effective", "latent", "unknown",
    }  # fmt: skip
    nobody = _snapbase(home, endpoints, "shares", "nobody")
    assert nobody.returncode == 2
    assert "snapbase shares" in nobody.stderr


def test_the_store_holds_no_secret_and_only_its_owner_can_read_it(home: Path) -> None:
    store = home / "snapbase.db"

    assert store.stat().st_mode & 0o077 == 0
    with sqlite3.connect(store) as connection:
        dump = "\n".join(connection.iterdump())
    assert "sig=" not in dump
    assert "faketoken" not in dump


def test_status_is_a_dead_man_check(home: Path, endpoints: Endpoints) -> None:
    assert _snapbase(home, endpoints, "status", "--max-age", "1h").returncode == 0
    assert _snapbase(home, endpoints, "status", "--max-age", "0m").returncode == 2
