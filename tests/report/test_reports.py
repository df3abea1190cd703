"""Golden files for every format and situation, and no hostile character in any of them."""

import json
import os
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapbase.finding import Severity
from snapbase.report import Options, reporters
from snapbase.report.text import plain
from tests.report.cases import CASES, DRIFT, finding

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fmt", sorted(reporters()))
def test_golden(fmt: str, case: str) -> None:
    path = GOLDEN / fmt / f"{case}.txt"
    text = reporters()[fmt].render(CASES[case], Options(width=80))
    if os.environ.get("SNAPBASE_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert text == path.read_text()


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("case", CASES)
def test_the_table_keeps_its_width_and_ends_with_coverage(case: str, width: int) -> None:
    lines = reporters()["table"].render(CASES[case], Options(width=width)).splitlines()

    assert max(len(line) for line in lines) <= width
    assert "COVERAGE" in lines
    assert lines.index("COVERAGE") > max((n for n, line in enumerate(lines) if line.startswith("COUNTED")), default=0)


@pytest.mark.parametrize("case", ["denied", "incomplete"])
def test_what_was_not_read_is_never_called_clean(case: str) -> None:
    text = reporters()["table"].render(CASES[case], Options())

    assert "Everything selected was read" not in text
    assert "unread" in text.splitlines()[1]


@given(st.text())
def test_no_control_or_direction_character_reaches_a_terminal(text: str) -> None:
    report = replace(DRIFT, findings=(finding("x", Severity.LOW, text, text, detail=text, undo=text),), notes=(text,))

    shown = reporters()["table"].render(report, Options(width=80))

    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


@given(st.text())
def test_json_carries_names_unchanged(text: str) -> None:
    surrogates = any(unicodedata.category(c) == "Cs" for c in text)
    if surrogates:
        return
    report = replace(DRIFT, findings=(finding("x", Severity.LOW, "t", text),))

    body = json.loads(reporters()["json"].render(report, Options()))

    assert body["findings"][0]["subject"]["name"] == text


@given(st.text(), st.integers(min_value=3, max_value=300))
def test_plain_is_short_and_harmless(text: str, limit: int) -> None:
    shown = plain(text, limit)

    assert len(shown) <= limit
    assert "\x1b" not in shown
