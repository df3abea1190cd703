"""A filter may hide findings, never a hole; and no cloud's words reach the terminal as they are."""

from dataclasses import replace
from pathlib import Path

import pytest

from snapbase.cli import _say, main
from snapbase.finding import CoverageGap
from snapbase.model import ANYWHERE, Coverage, Scope
from snapbase.operations.diff import Filter, exit_code, narrow
from tests.report.cases import CLEAN, DRIFT

NOWHERE = CoverageGap(Coverage(Scope("aws", ANYWHERE, ANYWHERE, ANYWHERE), "list", "denied", "no"), 1)


def test_a_cloud_that_could_not_be_listed_is_a_hole_in_every_account() -> None:
    report = replace(CLEAN, complete=False, coverage=(NOWHERE,))

    narrowed = narrow(report, Filter(accounts=("111122223333",)))

    assert exit_code(narrowed, fail_on="low") == 3


def test_what_a_filter_hides_is_counted() -> None:
    narrowed = narrow(DRIFT, Filter(rules=("public-share",)))

    assert len(narrowed.findings) == 1
    assert narrowed.notes == ("14 more findings outside the filter.",)


def test_an_error_carries_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    _say("first\n\x1b[31msecond")

    assert capsys.readouterr().err == "first\n\\u001b[31msecond\n"


def test_a_severity_that_does_not_exist_is_told_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["snapbase", "--store", f"sqlite:///{tmp_path}/s.db", "run", "--fail-on", "hihg"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert "There is no severity 'hihg'." in capsys.readouterr().err
