import os
from collections.abc import Iterator

import pytest

from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.aws.story import seed
from snapbase.sandbox.faults import Switchboard
from tests.collect.aws.account import Aws, started
from tests.collect.aws.reader import Amazon

_NONE = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


@pytest.fixture(scope="module")
def estate() -> Iterator[Amazon]:
    """One seeded sandbox a module: its tests change resources of their own only, or each its own region."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _NONE:
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        sandbox = AwsSandbox(switchboard := Switchboard())
        url = sandbox.start()
        seed(url)
        started = Amazon(url, sandbox, switchboard)
        yield started
        started.runtime.close()
        sandbox.stop()


@pytest.fixture
def amazon(estate: Amazon) -> Amazon:
    estate.fresh()
    return estate


@pytest.fixture(scope="module")
def running() -> Iterator[Aws]:
    """One sandbox a module, with nothing in its accounts."""
    with started() as aws:
        yield aws


@pytest.fixture
def aws(running: Aws) -> Aws:
    """The same, empty again."""
    running.reset()
    return running
