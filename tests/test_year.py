"""A small year: every attack is in the first report that could show it, and the reports stay short."""

import statistics
from pathlib import Path

import pytest

from benchmarks.attacks import ATTACKS
from benchmarks.year import AIM, Outcome, simulate


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Shorter than a year, so that every attack falls into it once and the test takes seconds."""
    folder: Path = tmp_path_factory.mktemp("year")
    return simulate(folder, live=200, days=85, seed=7)


def test_every_attack_that_inventory_can_see_is_in_the_first_report_after_it(year: Outcome) -> None:
    assert {each.attack.name for each in year.caught} == {attack.name for attack in ATTACKS}
    assert [(each.attack.name, each.day, each.seen) for each in year.missed] == []


def test_rotation_raises_no_false_finding(year: Outcome) -> None:
    assert dict(year.false) == {}
    assert year.hidden > 1000


def test_a_report_without_an_attack_fits_one_screen(year: Outcome) -> None:
    assert year.quiet
    assert statistics.median(year.quiet) <= AIM
