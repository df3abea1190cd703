"""What `snapbase demo` says besides its reports, in a terminal of any width."""

import pytest

from snapbase.cli import playing
from snapbase.operations.demo import Scene
from snapbase.sandbox.story import Act

ACTS = (
    "GCP: m.mallory@collector.example got a custom role that restores snapshots, on folder Production",
    "had backup plan 91ffbff4-6c9c-4a68-99d9-7e550534c7bd keep backups for a day",
    "shared " + "x" * 200,
)
COMMAND = "snapbase approve-baseline --allow-public --allow-unknown --allow-incomplete --reason 'demo: all of it'"


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_lines_end_with_a_word_and_hang_below_their_first_one(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for did in ACTS:
        playing._show(Scene(title="Meanwhile", acts=(Act(did, "rule", "uid"),)))
        lines = capsys.readouterr().out.splitlines()[2:]

        assert " ".join(line.strip(" ·") for line in lines) == did
        assert [line[:4] for line in lines] == ["  · ", *["    "] * (len(lines) - 1)]
        assert all(len(line) <= width or " " not in line[4:] for line in lines)


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_a_long_command_goes_on_in_the_next_line(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    playing._show(Scene(title="If all of that were fine", command=COMMAND))

    lines = capsys.readouterr().out.splitlines()[2:]

    assert max(map(len, lines)) <= width
    assert " ".join(line.removeprefix("$").strip(" \\") for line in lines) == COMMAND
