from collections.abc import Iterator

import pytest

from snapbase.sandbox.azure.server import AzureSandbox
from snapbase.sandbox.faults import Switchboard
from tests.collect.azure.arm import Arm


@pytest.fixture
def arm() -> Iterator[Arm]:
    """A sandbox with one empty resource group."""
    sandbox = AzureSandbox(Switchboard())
    url = sandbox.start()
    started = Arm(sandbox, url)
    yield started
    started.runtime.close()
    sandbox.stop()
