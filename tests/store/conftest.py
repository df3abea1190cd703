"""What the tests of the store share."""

from collections.abc import Iterator

import pytest

from snapbase.store import Store
from tests.store.rotating import World


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A new empty one, open for writing."""
    with Store.open(store_url, write=True) as opened:
        yield opened


@pytest.fixture
def world(store: Store) -> World:
    return World(store)
