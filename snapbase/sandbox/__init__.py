"""Local AWS, Azure and GCP endpoints that speak real HTTP to the real SDKs, started together."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType

from snapbase.errors import UsageError
from snapbase.sandbox.faults import Switchboard
from snapbase.sandbox.story import Act


@dataclass(frozen=True, slots=True)
class Endpoints:
    aws: str
    azure: str
    gcp: str

    def environment(self) -> dict[str, str]:
        """What to export so that SDKs and snapbase talk to the sandbox and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SNAPBASE_AZURE_ENDPOINT": self.azure,
            "SNAPBASE_GCP_ENDPOINT": self.gcp,
        }


_REAL_AWS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN")


@contextmanager
def clouds(switchboard: Switchboard) -> Iterator[Endpoints]:
    """The three endpoints, seeded, for as long as the block runs."""
    try:
        from snapbase.sandbox.aws.server import AwsSandbox
        from snapbase.sandbox.azure.server import AzureSandbox
        from snapbase.sandbox.gcp.server import GcpSandbox
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The sandbox needs {error.name}, which is not installed.", hint="pip install 'snapbase[sandbox]'"
        ) from error
    with ExitStack() as stack:
        urls = []
        for server in (AwsSandbox(switchboard), AzureSandbox(switchboard), GcpSandbox(switchboard)):
            stack.callback(server.stop)
            urls.append(server.start())
        endpoints = Endpoints(*urls)
        for story, url in zip(_stories(), urls, strict=True):
            story.seed(url)
        yield endpoints


@contextmanager
def environment(endpoints: Endpoints) -> Iterator[None]:
    """The process's environment pointed at the sandbox, with no real credentials in reach of an SDK."""
    before = dict(os.environ)
    for name in _REAL_AWS:
        os.environ.pop(name, None)
    os.environ.update(endpoints.environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def attack(endpoints: Endpoints) -> tuple[Act, ...]:
    """The theft, in three clouds; returns everything that was done."""
    urls = (endpoints.aws, endpoints.azure, endpoints.gcp)
    return tuple(act for story, url in zip(_stories(), urls, strict=True) for act in story.attack(url))


def _stories() -> tuple[ModuleType, ModuleType, ModuleType]:
    from snapbase.sandbox.aws import story as aws
    from snapbase.sandbox.azure import story as azure
    from snapbase.sandbox.gcp import story as gcp

    return aws, azure, gcp
