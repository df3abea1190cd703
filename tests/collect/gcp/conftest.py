from collections.abc import Iterator

import pytest

from snapbase.sandbox.faults import Switchboard
from snapbase.sandbox.gcp.server import GcpSandbox
from tests.collect.gcp.keys import Vault
from tests.collect.gcp.reader import Google


@pytest.fixture
def google() -> Iterator[Google]:
    """A sandbox with one empty project."""
    sandbox = GcpSandbox(Switchboard())
    started = Google(sandbox, sandbox.start())
    yield started
    started.runtime.close()
    sandbox.stop()


@pytest.fixture
def vault(google: Google) -> Vault:
    return Vault(google)
