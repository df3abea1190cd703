"""Signed-in access to accounts and regions: one boto3 Session for all of them, clients made once.

A Session costs many times a client in time and memory, so there is one; the credentials of an account's assumed role
are handed to its clients and renewed by botocore itself when a run outlives them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from snapbase import __version__
from snapbase.collect.aws.errors import CallFailed, classify, vanished, verdict
from snapbase.collect.aws.policy import Unclear
from snapbase.collect.runtime import Runtime
from snapbase.model import Grant, Miss, Observation, Outcome, Resource
from snapbase.settings import AwsEntry

_HOMES = {"aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1", "aws-eusc": "eusc-de-east-1"}
"""Where each partition but the first has Organizations (botocore's endpoints; aws-eusc has one region only)."""

_TOKENS = (
    ("NextToken", "NextToken"),
    ("nextToken", "nextToken"),
    ("Marker", "Marker"),
    ("NextMarker", "Marker"),
    ("nextPageToken", "pageToken"),
)
"""How an answer names the next page, and how a request asks for it, in operations without a paginator of botocore's."""

_MAY_BE_EMPTY = frozenset({"sqs:ReceiveMessage"})
"""JSON operations that answer nothing where there is nothing."""


def home_region(entry: AwsEntry) -> str:
    """Where the entry signs in; the first partition's default can be meant in no other."""
    if entry.home_region == "us-east-1":
        return _HOMES.get(entry.partition, entry.home_region)
    return entry.home_region


class Clients:
    """Every client of one configuration entry, by account, region and service."""

    def __init__(self, entry: AwsEntry, runtime: Runtime) -> None:
        import boto3
        from botocore.config import Config as BotoConfig

        self.entry = entry
        self.home = home_region(entry)
        self.runtime = runtime
        self.sample = runtime.sample
        self._core = _lender()
        self.session: Any = boto3.Session(
            botocore_session=self._core, profile_name=entry.profile, region_name=self.home
        )
        _read_timestamps_fast(self._core)
        self._config = BotoConfig(
            retries={"total_max_attempts": 1},
            max_pool_connections=64,
            user_agent_extra=f"snapbase/{__version__}",
        )
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._credentials: dict[str, Any] = {}
        self._tokens: dict[tuple[str, str], tuple[str, str]] = {}

    def own(self, service: str, region: str) -> Any:
        """A client with the entry's own credentials."""
        return self._client("", service, region)

    def of(self, account: str, service: str, region: str) -> Any:
        """A client with the account's role, or the entry's own credentials where no role was entered."""
        return self._client(account, service, region)

    def enter(self, account: str, role: str) -> None:
        """Assumes the account's role; every later client of the account uses it, and renews it before it ends."""
        from botocore.credentials import RefreshableCredentials

        def renew() -> dict[str, str]:
            return self._assume(account, role)

        refreshable = RefreshableCredentials.create_from_metadata(renew(), refresh_using=renew, method="assume-role")
        with self._lock:
            self._credentials[account] = refreshable

    def _assume(self, account: str, role: str) -> dict[str, str]:
        parameters = {"RoleArn": role, "RoleSessionName": f"snapbase-{datetime.now(UTC):%Y%m%d%H%M%S}"}
        if self.entry.external_id:
            parameters["ExternalId"] = self.entry.external_id
        answer = send(self.runtime, self.own("sts", self.home), "sts", "AssumeRole", account, self.home, parameters)
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    def tokens(self, service: str, operation: str) -> tuple[str, str]:
        """How an answer of the operation names the next page, and how a request asks for it."""
        key = (service, operation)
        if key not in self._tokens:
            with self._lock:
                self._tokens[key] = _tokens(self._core, service, operation)
        return self._tokens[key]

    def reader(self, service: str, region: str) -> Callable[..., dict[str, Any]]:
        """Asks one service with the entry's own credentials: `ask(operation, **parameters)`; raises `CallFailed`."""

        def ask(operation: str, **parameters: Any) -> dict[str, Any]:
            return send(self.runtime, self.own(service, region), service, operation, "", region, parameters)

        return ask

    def _client(self, account: str, service: str, region: str) -> Any:
        credentials = self._credentials.get(account)
        key = (account if credentials else "", region, service)
        client = self._clients.get(key)
        if client is None:
            # A Session makes one client at a time only; the clients themselves are safe for any number of threads.
            with self._lock:
                client = self._clients.get(key) or self._make(service, region, credentials)
                self._clients[key] = client
        return client

    def _make(self, service: str, region: str, credentials: Any) -> Any:
        with self._core.lending(credentials):
            return self.session.client(
                service, region_name=region, endpoint_url=self.entry.endpoint, config=self._config
            )


def _lender() -> Any:
    """A botocore session that gives other credentials than its own to the clients made meanwhile.

    `create_client` takes frozen keys only, or asks `get_credentials()`; what that gives stays with the client, whose
    signer asks it for every request. So each account's clients renew their role by themselves.
    """
    from botocore.session import Session

    class Lender(Session):
        _lent: Any = None

        def get_credentials(self) -> Any:
            return self._lent or super().get_credentials()

        @contextmanager
        def lending(self, credentials: Any) -> Iterator[None]:
            self._lent = credentials
            try:
                yield
            finally:
                self._lent = None

    return Lender()


def _tokens(core: Any, service: str, operation: str) -> tuple[str, str]:
    from botocore.exceptions import DataNotFoundError

    try:
        pager = core.get_paginator_model(service).get_paginator(operation)
    except (DataNotFoundError, ValueError):
        pager = {}
    answered, asked = pager.get("output_token"), pager.get("input_token")
    if isinstance(answered, str) and isinstance(asked, str) and answered.isalnum():
        return answered, asked
    model = core.get_service_model(service).operation_model(operation)
    given, told = (getattr(shape, "members", ()) for shape in (model.input_shape, model.output_shape))
    for answered, asked in _TOKENS:
        if asked in given and answered in told:
            return answered, asked
    return _TOKENS[0]


def _read_timestamps_fast(core: Any) -> None:
    """Half of the time of a long listing goes into guessing the format of its timestamps."""
    from botocore.utils import parse_timestamp

    def parse(value: Any) -> datetime:
        if isinstance(value, str):
            try:
                read = datetime.fromisoformat(value)
            except ValueError:
                pass
            else:
                return read if read.tzinfo else read.replace(tzinfo=UTC)
        stock: datetime = parse_timestamp(value)
        return stock

    factory = core.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=parse)


def send(
    runtime: Runtime, client: Any, service: str, operation: str, account: str, region: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """One operation through the limiter; whatever AWS refuses comes as `CallFailed` with where it was asked."""
    from botocore import xform_name
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    name = f"{service}:{operation}"
    runtime.operations.add(name)
    method = getattr(client, xform_name(operation))

    def ask() -> dict[str, Any]:
        told: dict[str, Any] = method(**parameters)
        # botocore reads JSON that is cut short as an empty answer, and hardly an operation called here has one.
        empty = name not in _MAY_BE_EMPTY and not told.keys() - {"ResponseMetadata"}
        if empty and "json" in client.meta.service_model.resolved_protocol:
            raise UnusableAnswer(f"{name} answered nothing")
        return told

    try:
        answer: dict[str, Any] = runtime.limiter.call(("aws", account, region, name), ask, verdict)
    except (ClientError, BotoCoreError, ResponseParserError, ConnectionError) as error:
        raise CallFailed(error, name, account, region) from error
    return answer


@dataclass(frozen=True, slots=True)
class Region:
    """One region of one account, as collectors see it."""

    account: str
    region: str
    clients: Clients = field(repr=False)

    @property
    def runtime(self) -> Runtime:
        return self.clients.runtime

    @property
    def partition(self) -> str:
        return self.clients.entry.partition

    @property
    def settings_uid(self) -> str:
        """The uid of the region's sharing settings (kind `aws.ec2.region-settings`)."""
        return f"arn:{self.partition}:ec2:{self.region}:{self.account}:region-settings"

    def key_manager(self, key: str) -> str:
        """`AWS` or `CUSTOMER`; empty where it could not be found out, and the sharing is then simply read."""
        parts = key.split(":")
        if len(parts) > 4 and parts[4] != self.account:
            return "CUSTOMER"
        return self.runtime.once(("aws-key-manager", self.account, self.region, key), lambda: self._manager(key))

    def _manager(self, key: str) -> str:
        try:
            described = self.call("kms", "DescribeKey", KeyId=key)
        except CallFailed:
            return ""
        return str(described.get("KeyMetadata", {}).get("KeyManager", ""))

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer of one read-only operation; raises `CallFailed`."""
        client = self.clients.of(self.account, service, self.region)
        return send(self.runtime, client, service, operation, self.account, self.region, parameters)

    def pages(self, service: str, operation: str, items: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every item of every page."""
        answered, asked = self.clients.tokens(service, operation)
        seen: set[str] = set()
        while True:
            answer = self.call(service, operation, **parameters)
            yield from answer.get(items) or ()
            following = answer.get(answered)
            if not following:
                return
            if following in seen:
                raise CallFailed(
                    UnusableAnswer(f"{operation} gave the same page twice"),
                    f"{service}:{operation}",
                    self.account,
                    self.region,
                )
            seen.add(following)
            parameters[asked] = following

    def sampled(self, uid: str) -> bool:
        """Whether this inferred resource is one of the few whose sharing is read anyway; steady for a uid."""
        share = int.from_bytes(blake2b(uid.encode(), digest_size=4).digest()) / 2**32
        return share < self.clients.sample


class UnusableAnswer(ConnectionError):
    """An answer arrived, but not one that the operation can give."""


def missed(error: CallFailed) -> Miss:
    """What a failed call leaves unknown, and why."""
    miss = classify(error)
    if miss is None:
        raise error
    return miss


def observed(resource: Resource, read_grants: Callable[[], frozenset[Grant]]) -> Observation | None:
    """The resource with its grants, or why they were not read; None where it was deleted since it was listed."""
    try:
        return Observation(resource, read_grants())
    except CallFailed as error:
        return None if vanished(error) else Observation(resource, grants=None, miss=missed(error))
    except Unclear as error:
        return Observation(resource, grants=None, miss=Miss(Outcome.FAILED, str(error)))


def tags(listed: Iterable[dict[str, Any]] | None) -> dict[str, str]:
    """AWS's list of keys and values as a mapping."""
    return {str(each["Key"]): str(each.get("Value", "")) for each in listed or ()}
