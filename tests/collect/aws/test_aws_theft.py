"""What the theft of the demo changes, kind by kind, and what it leaves alone."""

import pytest

from snapbase.model import Observation
from snapbase.sandbox.aws.story import MEMBER, OUTSIDER, PARTNER, attack
from snapbase.sandbox.story import Act
from tests.collect.aws.reader import ELSEWHERE, PUBLIC, Amazon, accounts, holders, read, shared


@pytest.fixture(scope="module")
def snapshots(estate: Amazon) -> dict[str, Observation]:
    """As they were before."""
    return read(estate.region(), "aws.ec2.snapshot")


@pytest.fixture(scope="module")
def elsewhere(estate: Amazon) -> dict[str, Observation]:
    return read(estate.region(region=ELSEWHERE), "aws.ec2.snapshot")


@pytest.fixture(scope="module")
def acts(estate: Amazon, snapshots: object, elsewhere: object) -> tuple[Act, ...]:
    return attack(estate.url)


def test_sharing_of_snapshots_before_and_after(
    amazon: Amazon, snapshots: dict[str, Observation], acts: tuple[Act, ...]
) -> None:
    assert shared(snapshots.items()) == {
        "catalogue, for the partner": accounts(PARTNER),
        "exchange with the partner": accounts(PARTNER),
    }

    after = read(amazon.region(), "aws.ec2.snapshot")

    assert shared(after.items()) == {
        "catalogue, for the partner": accounts(PARTNER, OUTSIDER),
        "exchange with the partner": accounts(PARTNER),
        "ledger, before the migration": accounts(OUTSIDER),
        "warehouse, for the analysts": {PUBLIC},
    }
    assert set(snapshots) - set(after) == {"web tier, weekly"}
    assert len(acts) >= 7


def test_sharing_of_an_image_and_a_database(amazon: Amazon, acts: tuple[Act, ...]) -> None:
    assert holders(read(amazon.region(), "aws.ec2.image")["golden-web"]) == accounts(OUTSIDER)
    assert holders(read(amazon.region(), "aws.rds.snapshot")["orders-year-end"]) == accounts(OUTSIDER)


def test_the_second_region_is_left_alone(
    amazon: Amazon, elsewhere: dict[str, Observation], acts: tuple[Act, ...]
) -> None:
    assert elsewhere
    assert read(amazon.region(MEMBER, ELSEWHERE), "aws.ec2.snapshot") == elsewhere
