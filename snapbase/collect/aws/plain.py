"""What kinds have in common whose lists tell everything there is to read: names that come back, keys, and regions."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from snapbase.collect.aws.errors import CallFailed
from snapbase.collect.aws.session import Region


def incarnation(address: str, made: datetime) -> str:
    """A uid for what is deleted and made again under the same ARN."""
    return f"{address}@{made.astimezone(UTC).isoformat()}"


def key(region: Region, given: Any) -> tuple[str | None, tuple[str, ...]]:
    """The ARN of the key that an answer names, and the guards that follow: the key, unless AWS manages it."""
    if not given or str(given) == "AWS_OWNED_KMS_KEY":
        return None, ()
    arn = str(given)
    if not arn.startswith("arn:"):
        arn = f"arn:{region.partition}:kms:{region.region}:{region.account}:key/{arn}"
    return arn, (() if region.key_manager(arn) == "AWS" else (arn,))


def listed(region: Region, service: str, operation: str, items: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Every item of every page; none in a region where AWS does not offer the service."""
    try:
        yield from region.pages(service, operation, items, **parameters)
    except CallFailed as error:
        if not _not_offered(region, service, error):
            raise


def _not_offered(region: Region, service: str, error: CallFailed) -> bool:
    """Whether neither botocore nor the name servers know an endpoint of the service there."""
    from botocore.exceptions import EndpointConnectionError

    if not isinstance(error.cause, EndpointConnectionError) or not _no_such_host(error.cause):
        return False
    return region.region not in region.clients.session.get_available_regions(service, region.partition)


def _no_such_host(error: BaseException) -> bool:
    """Whether the name servers answered that there is no such name, which is not the same as no answer."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error, getattr(error, "kwargs", {}).get("error")]
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        if isinstance(cause, socket.gaierror):
            return cause.errno == socket.EAI_NONAME
        pending += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
    return False
