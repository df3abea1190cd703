"""What the tests of the store share."""

from collections.abc import Iterator

import pytest

from snapbase.store import Store
from tests.store.rotating import World


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    with Store.open(store_url, write=True) as store:
        yield World(store)
