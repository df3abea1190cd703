"""Golden files for every format and situation, and no hostile character in any of them."""

import csv
import json
import os
import re
import shlex
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from snapbase.finding import Attribution, Delta, Grantee, Report, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.report import Options, reporters
from snapbase.report.text import altered, command, command_lines, plain
from tests.report.cases import CASES, DENIED, DRIFT, finding, gap

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


HOSTILE = st.text() | st.sampled_from(["=1+1", " @sum", "\t+1", "`x``y", "</p><script>", "@org", "\x9b2J", "\ud800"])


@given(HOSTILE)
def test_no_control_or_direction_character_reaches_a_ticket(text: str) -> None:
    shown = reporters()["markdown"].render(hostile(text), Options())

    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not re.search(r"(?<!\\)<script", re.sub(r"(`+).*?\1", "", shown))


@given(HOSTILE)
def test_no_cell_is_a_formula(text: str) -> None:
    rows = list(csv.reader(StringIO(reporters()["csv"].render(hostile(text), Options()))))

    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "\t"))]


@pytest.mark.parametrize("name", ["a;=cmd|' /C calc'!A0", 'a,b; "=1+1', "a;@SUM(1)", "a;\u00a0=1"])
def test_no_cell_is_a_formula_where_semicolons_part_them(name: str) -> None:
    shown = reporters()["csv"].render(hostile(name), Options())

    cells = [cell.lstrip() for row in csv.reader(StringIO(shown), delimiter=";") for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@given(HOSTILE)
def test_names_are_only_text_in_a_page(text: str) -> None:
    page, plainly = (_tags(reporters()["html"].render(hostile(f"x{each}"), Options())) for each in (text, ""))

    assert [tag for tag in page if tag != "bdi"] == [tag for tag in plainly if tag != "bdi"]


@given(HOSTILE)
def test_sarif_is_json_and_carries_every_finding(text: str) -> None:
    run = json.loads(reporters()["sarif"].render(hostile(text), Options()))["runs"][0]

    assert [each["partialFingerprints"]["snapbase/v1"] for each in run["results"]] == [
        each.id for each in hostile(text).findings
    ]


@given(st.lists(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)), min_size=1))
def test_a_command_over_several_lines_is_the_same_command(words: list[str]) -> None:
    text = shlex.join(words)

    assert shlex.split("\n".join(command_lines(text, 40)).replace(" \\\n", " ")) == words


def test_names_of_double_width_characters_keep_the_width() -> None:
    wide = finding("x", Severity.LOW, "共有" * 60, "共有" * 30, detail="共有" * 90)

    shown = reporters()["table"].render(replace(DRIFT, findings=(wide,)), Options(width=60))

    assert max(cell_len(line) for line in shown.splitlines()) <= 60


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_an_id_stands_whole_at_the_edge_of_its_title_however_long_that_is(width: int) -> None:
    titles = ["Gone", "Unknown holder can read all " * 4, "x" * 120, "共有" * 60]
    found = tuple(finding("x", Severity.LOW, title, f"name-{number}") for number, title in enumerate(titles))

    lines = reporters()["table"].render(replace(DRIFT, findings=found), Options(width=width)).splitlines()

    for each in found:
        (line,) = [line for line in lines if each.id in line]
        assert line.endswith(f"  {each.id}")
        assert cell_len(line) == width
        assert line.startswith(f"  {each.title[:4]}")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_what_a_new_snapshot_is_called_outlives_where_it_is_and_who_made_it(width: int) -> None:
    names = ["payments-copy", "orders-golden"]
    place = "aaaaaaaa-0000-4000-8000-000000000001"
    maker = Attribution(
        at=DRIFT.evaluated_at, action="write", actor="t.lambert@shop.example", source_ip=None, user_agent=None,
        event_id="1", certainty="exact",
    )  # fmt: skip
    new = [finding("snapshot-appeared", Severity.LOW, "New", name) for name in names]
    found = tuple(
        replace(each, account=place, attribution=(maker,), subject=replace(each.subject, address=f"x/{name}"))
        for each, name in zip(new, names, strict=True)
    )

    shown = reporters()["table"].render(replace(DRIFT, findings=found), Options(width=width))

    assert [shown.count(name) for name in names] == [1, 1]
    assert (maker.actor in shown) == (width > 60)


def test_many_exposures_are_counted_by_who_holds_them() -> None:
    stranger = Grantee(Principal(PrincipalKind.ACCOUNT, "999988887777"), "unknown")
    one = finding("unknown-account-share", Severity.CRITICAL, "Shared", grantee=stranger)

    shown = reporters()["table"].render(replace(DRIFT, findings=(one,) * 60), Options())

    assert shown.count(one.id) == 50
    assert "10 with account 999988887777 (unknown)" in shown


@pytest.mark.parametrize("rule", ["standing-share", "unbaselined-share", "share-then-unshare", "foreign-copy"])
def test_exposure_is_listed_one_by_one(rule: str) -> None:
    names = [f"name-{number:02d}" for number in range(12)]
    found = tuple(finding(rule, Severity.CRITICAL, f"Open: {name}", name) for name in names)

    shown = reporters()["table"].render(replace(DRIFT, findings=found), Options())

    assert [name for name in names if name not in shown] == []


def test_a_command_is_printed_whole_or_not_at_all() -> None:
    assert command("rm " + "x" * 5000).startswith("#")
    assert command("rm 'a\x1b'").startswith("#")


def test_half_a_surrogate_pair_and_terminal_codes_do_not_leave_as_they_are() -> None:
    shown = reporters()["json"].render(hostile("\ud800 \x9b2J \u202e"), Options())

    assert json.loads(shown)["notes"] == ["\ufffd \x9b2J \u202e"]
    assert not {"\x9b", "\u202e"} & set(shown)


@pytest.mark.parametrize("hidden", ["\x7f", "\xad", "\u061c", "\u2066", "\u206a", "\ufff9", "\U000e0041"])
def test_nothing_hidden_or_turned_around_leaves_json_as_it_is(hidden: str) -> None:
    shown = reporters()["json"].render(replace(DRIFT, notes=(f"a{hidden}b",)), Options())

    assert json.loads(shown)["notes"] == [f"a{hidden}b"]
    assert hidden not in shown


def test_every_changed_value_is_said_once() -> None:
    changed = finding("snapshot-modified", Severity.LOW, "Changed: tags", entry="attr:tags")
    tags = replace(changed, change=Delta("modified", {"team": "x", "env": "p"}, {"env": "p"}))

    assert altered(tags) == "tags: team: x → not set"
    assert altered(replace(tags, title="Tags: team: x → not set")) == ""


def hostile(text: str) -> Report:
    found = finding("x", Severity.LOW, text, text, detail=text, undo=text, account=text)
    return replace(DENIED, findings=(found,), notes=(text,), coverage=(gap("denied", text),))


def _tags(page: str) -> list[str]:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append(tag)  # type: ignore[method-assign]
    parser.feed(page)
    return found


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


@given(st.lists(st.from_regex(r"[a-z-]{1,20}", fullmatch=True), min_size=1, max_size=30))
def test_an_undo_command_fits_its_width_and_is_still_one_command(words: list[str]) -> None:
    lines = command_lines(" ".join(words), 60)

    assert max(len(line) for line in lines) <= 60
    assert "\n".join(lines).replace(" \\\n ", "").split() == words
