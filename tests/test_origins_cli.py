"""Origins from the command line: seen, proposed with what they would have hidden, approved, and then quiet."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from snapbase.cli import main
from snapbase.cli.origins import _invariants, _over_lines, _proposed
from snapbase.operations.diff import finished_run
from snapbase.operations.origins import propose
from snapbase.report.listing import facts
from snapbase.report.text import plain
from snapbase.store import Store
from tests.store.rotating import ORIGIN, World, points, snapshot

Say = Callable[..., str]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/snapbase.db"


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """Ten days of a policy and of a pipeline, and a whole approval."""
    with Store.open(url, write=True) as store:
        world = World(store)
        for day in range(10):
            images = {
                each.uid: each
                for back in range(3)
                for each in (snapshot(day - back, "base", f"ci-{day - back}", origin=None, tags={"pipeline": "base"}),)
            }
            world.read(day, points(day) | images)
        world.approve()
        yield world


@pytest.fixture
def say(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], world: World
) -> Say:
    config = tmp_path / "snapbase.toml"
    config.write_text("[[aws]]\n")

    def run(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["snapbase", "--config", str(config), "--store", url, *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, error = capsys.readouterr()
        assert left.value.code == code, (words, out, error)
        return out + error

    return run


def test_list_names_every_origin_with_its_evidence(say: Say) -> None:
    found = {each["origin"]: each for each in json.loads(say("origins", "list", "--format", "json"))}

    assert found[ORIGIN]["evidence"] == "reserved tag"
    assert found[ORIGIN]["approved"] is None
    assert found["tag:aws.ec2.snapshot:pipeline=base"]["evidence"] == "user tag"
    assert ORIGIN in say("origins", "list")


def test_propose_says_what_it_would_have_hidden_and_shows_samples(say: Say) -> None:
    text = say("origins", "propose")
    (policy,) = (each for each in json.loads(say("origins", "propose", "-f", "json")) if each["origin"] == ORIGIN)

    assert "would have hidden +18 -18" in text
    assert "low trust" in text
    assert policy["back_test"] == {
        "runs": 9, "since": "2026-01-01T06:00:00Z", "hidden": {"appeared": 18, "disappeared": 18}, "listed": []
    }  # fmt: skip
    assert len(policy["samples"]) == 10
    assert policy["invariants"]["cadence"] == "24 hours"
    assert policy["invariants"]["retention"] == "5.1 days"


def test_whoever_makes_or_deletes_is_shown_whole_before_that_is_approved(say: Say, world: World) -> None:
    actors = frozenset(f"arn:aws:sts::111122223333:assumed-role/backup-operator-{n:02}" for n in range(20))
    proposed = propose(world.store, finished_run(world.store))[0]
    cohort = replace(proposed.proposal.cohort, actors=actors)

    shown = [
        plain(line, 500) for line in _proposed(replace(proposed, proposal=replace(proposed.proposal, cohort=cohort)))
    ]
    facts_ = facts(list(_over_lines(_invariants(cohort))))

    assert all(any(each in line for line in shown) for each in actors)
    assert all(each in facts_ for each in actors)


def test_approving_an_origin_quiets_what_it_makes(say: Say, world: World) -> None:
    world.read(10, points(10) | {"ci-10": snapshot(10, "base", "ci-10", origin=None, tags={"pipeline": "base"})})
    assert "snapshot-appeared" in say("diff", code=1)

    done = say("approve-baseline", "--origin", "policy-1", "--by", "ada", "--reason", "reviewed with storage")
    report = json.loads(say("diff", "--format", "json", code=1))

    assert "approved by ada: 1 origin." in done
    assert report["summary"]["expected"] == {"appeared": 2, "disappeared": 2}
    assert {each["subject"]["origin"] for each in report["findings"]} == {None}
    assert "by ada: reviewed with storage" in " ".join(say("origins", "show", "policy-1").split())
    (line,) = (each for each in json.loads(say("origins", "list", "-f", "json")) if each["origin"] == ORIGIN)
    assert line["approved"]["by"] == "ada"
    assert ORIGIN not in say("origins", "propose")
    assert ORIGIN in say("origins", "propose", "--all")


def test_weak_evidence_needs_its_own_word_and_is_sampled(say: Say, world: World) -> None:
    words = ("approve-baseline", "--origin", "pipeline=base", "--origin", ORIGIN, "--reason", "ours")
    assert "--low-trust" in say(*words, code=2)
    say(*words, "--low-trust")
    images = {f"ci-{day}": snapshot(day, "base", f"ci-{day}", origin=None, tags={"pipeline": "base"})
              for day in (8, 9, 10)}  # fmt: skip
    world.read(10, points(10) | images)
    report = json.loads(say("diff", "--format", "json"))
    (weak,) = (each for each in report["summary"]["cohorts"] if each["low_trust"])

    assert report["findings"] == []
    assert weak["samples"] == ["arn:aws:ec2:eu-west-1::snapshot/ci-10"]
    assert "low trust (user tag), such as ci-10" in say("diff").replace("\n    ", " ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--origin", "policy-1"), "needs a reason"),
        (("--origin", "policy-9", "--reason", "x"), "no origin"),
        (("--origin", "o", "--reason", "x"), "no origin that the stored history shows. Near it: dlm:policy-1, tag:"),
        (("--origin", "policy", "--reason", "x"), "no origin that the stored history shows. Near it: dlm:policy-1."),
        (("--origin", "polcy-1", "--reason", "x"), "no origin"),
        (("--origin", "policy-1", "--finding", "abc", "--reason", "x"), "of its own"),
    ],
)
def test_what_cannot_be_approved_is_refused_in_words(say: Say, words: tuple[str, ...], said: str) -> None:
    assert said in say("approve-baseline", *words, code=2)


def test_an_approval_until_a_day_says_so(say: Say) -> None:
    said = say("approve-baseline", "--origin", ORIGIN, "--reason", "trial", "--until", "2099-12-31")

    assert "Until 2100-01-01" in said
    assert "2100-01-01" in say("origins", "list")


def test_names_from_a_cloud_are_only_text(say: Say, world: World) -> None:
    odd = {f"x{day}": snapshot(day, "v\x1b[31m", f"x{day}", origin="dlm:\x1b]0;owned\x07") for day in range(8, 11)}
    world.read(10, points(10) | odd)

    for words in (("list",), ("propose",), ("show", "owned")):
        assert "\x1b" not in say("origins", *words)
