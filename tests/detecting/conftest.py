"""A store with a log that is known for three weeks."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from snapbase.event import Action
from snapbase.store import Store
from tests.detecting.world import EVE, did


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A log known for three weeks, in which others do this and that."""
    with Store.open(store_url, write=True) as opened:
        opened.add_events([did(Action.CREATE, days=-21, actor=replace(EVE, id="somebody"), subjects=("old",))])
        yield opened
