"""Signed-in access to accounts and regions: one boto3 Session for all of them, clients made once.

A Session costs many times a client in time and memory, so there is one; the credentials of an account's assumed role
are handed to its clients and renewed by botocore itself when a run outlives them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from snapbase import __version__
from snapbase.collect.aws.errors import CallFailed, classify, vanished, verdict
from snapbase.collect.runtime import Runtime
from snapbase.config import AwsEntry
from snapbase.model import Grant, Miss, Observation, Resource

_TOKENS = {"rds": ("Marker", "Marker"), "kms": ("NextMarker", "Marker")}
"""How an answer names the next page, and how a request asks for it, where not NextToken (botocore's paginators)."""

_JSON_SERVICES = frozenset({"kms", "organizations"})


class Clients:
    """Every client of one configuration entry, by account, region and service."""

    def __init__(self, entry: AwsEntry, runtime: Runtime) -> None:
        import boto3
        from botocore.config import Config as BotoConfig

        self.entry = entry
        self.runtime = runtime
        self.sample = runtime.sample
        self.session: Any = boto3.Session(profile_name=entry.profile, region_name=entry.home_region)
        _read_timestamps_fast(self.session)
        self._config = BotoConfig(
            retries={"total_max_attempts": 1},
            max_pool_connections=64,
            user_agent_extra=f"snapbase/{__version__}",
        )
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._credentials: dict[str, Any] = {}

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
        region = self.entry.home_region
        answer = send(self.runtime, self.own("sts", region), "sts", "AssumeRole", account, region, parameters)
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    def _client(self, account: str, service: str, region: str) -> Any:
        with self._lock:
            credentials = self._credentials.get(account)
            key = (account if credentials else "", region, service)
            if key not in self._clients:
                self._clients[key] = self._make(service, region, credentials)
            return self._clients[key]

    def _make(self, service: str, region: str, credentials: Any) -> Any:
        client = self.session.client(
            service, region_name=region, endpoint_url=self.entry.endpoint_url, config=self._config
        )
        if credentials is not None:
            # boto3 takes only frozen keys; the signer asks its credentials for every request, so these renew.
            client._request_signer._credentials = credentials
        return client


def _read_timestamps_fast(session: Any) -> None:
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

    factory = session._session.get_component("response_parser_factory")
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
        # botocore reads JSON that is cut short as an empty answer, and no operation called here has one.
        if service in _JSON_SERVICES and not told.keys() - {"ResponseMetadata"}:
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
        answered, asked = _TOKENS.get(service, ("NextToken", "NextToken"))
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


def tags(listed: Iterable[dict[str, Any]] | None) -> dict[str, str]:
    """AWS's list of keys and values as a mapping."""
    return {str(each["Key"]): str(each.get("Value", "")) for each in listed or ()}
