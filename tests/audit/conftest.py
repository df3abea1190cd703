from collections.abc import Iterator

import pytest

from snapbase import sandbox
from snapbase.model import Outcome
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.azure.server import AzureSandbox
from snapbase.sandbox.faults import FaultKind, Switchboard
from tests.collect.azure.arm import Arm


@pytest.fixture(scope="module")
def aws_url(switchboard: Switchboard) -> Iterator[str]:
    """An empty AWS, with no real credentials in reach."""
    server = AwsSandbox(switchboard)
    url = server.start()
    with sandbox.environment(Endpoints(url, "", "")):
        yield url
    server.stop()


@pytest.fixture(
    params=[
        (FaultKind.DENIED, Outcome.DENIED),
        (FaultKind.SCP_DENIED, Outcome.DENIED),
        (FaultKind.THROTTLED, Outcome.THROTTLED),
        (FaultKind.DISABLED, Outcome.DISABLED),
        (FaultKind.ERROR, Outcome.FAILED),
        (FaultKind.RESET, Outcome.FAILED),
    ],
    ids=lambda each: each[0],
)
def refusal(request: pytest.FixtureRequest) -> tuple[FaultKind, Outcome]:
    """A way in which AWS does not tell its log, and what is to be said of it."""
    found: tuple[FaultKind, Outcome] = request.param
    return found


@pytest.fixture(scope="module")
def azure(switchboard: Switchboard) -> Iterator[AzureSandbox]:
    server = AzureSandbox(switchboard)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def arm(azure: AzureSandbox) -> Iterator[Arm]:
    """One server for all tests, its log and estate emptied for each."""
    azure.activity.clear()
    azure.estate.resources.clear()
    azure.estate.assignments.clear()
    azure.page_size = 50
    arm = Arm(azure, azure.url)
    yield arm
    arm.runtime.close()
    azure.switchboard.heal()
