"""One Google credential, its clients, and the projects seen through them."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from snapbase.collect.gcp.custom_roles import CustomRoles
from snapbase.collect.gcp.errors import CallFailed, ListTruncated, is_cloud_error, passing
from snapbase.collect.runtime import Runtime
from snapbase.errors import CredentialsError
from snapbase.model import Cloud
from snapbase.settings import GcpEntry, is_loopback

T = TypeVar("T")

SCOPES = (
    "https://www.googleapis.com/auth/compute.readonly",
    "https://www.googleapis.com/auth/cloud-platform.read-only",
)
"""OAuth scopes that cannot write, whatever the account may do (compute.v1 and cloudresourcemanager.v3 discovery)."""
_EVERYTHING = ("https://www.googleapis.com/auth/cloud-platform",)
"""The only scope that impersonation, IAM, Cloud KMS, Cloud SQL and Backup and DR take for reading (their discovery
documents)."""
UNRETRIED: dict[str, Any] = {"retry": None, "timeout": 60.0}
"""For every call of a client: the limiter's loop is the only one, and no answer is waited for longer than a minute."""
_QUEUES = ("https://www.googleapis.com/auth/pubsub",)
"""The narrowest scope that `subscriptions.pull` takes (pubsub.v1 discovery)."""
_PULLED = 120.0
"""Seconds that a pull is waited for: Pub/Sub answers one that finds nothing after about 90."""
PAGE = 500
_INCOMPLETE = frozenset({"PARTIAL_SUCCESS", "UNREACHABLE"})
"""Codes of a list's warning that mean that something is missing (compute.v1 discovery)."""
_CONNECTIONS = 64
_GOOGLE = "googleapis.com"


class Session:
    """Signed in once; every client is made once and shared by all threads."""

    def __init__(self, entry: GcpEntry, runtime: Runtime) -> None:
        self.runtime = runtime
        self._entry = entry
        self._endpoint = entry.endpoint
        self._credentials = _credentials(entry, SCOPES)
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._signed: Any = None
        self._logs: Any = None
        self._queues: Any = None
        self.roles = CustomRoles(self)

    def identity(self) -> str:
        """The account the credentials belong to, as far as they say."""
        names = ("service_account_email", "signer_email", "account")
        found = (getattr(self._credentials, name, None) for name in names)
        return next((str(name) for name in found if name), "application default credentials")

    def compute(self, name: str) -> Any:
        """A client of google-cloud-compute by class name, e.g. `SnapshotsClient`."""
        from google.cloud import compute_v1

        return self._client(name, lambda options: getattr(compute_v1, name)(**options))

    def manager(self, name: str) -> Any:
        """A client of Resource Manager by class name, e.g. `ProjectsClient`; over HTTP like the others."""
        from google.cloud import resourcemanager_v3

        return self._client(name, lambda options: getattr(resourcemanager_v3, name)(transport="rest", **options))

    def call(self, operation: str, project: str, location: str, send: Callable[[], T]) -> T:
        """The answer of `send`, through the limiter; raises `CallFailed` where the cloud refuses or stays away."""
        runtime = self.runtime
        runtime.operations.add(operation)
        try:
            return runtime.limiter.call((Cloud.GCP, project, location, operation), send, passing)
        except Exception as error:
            if not is_cloud_error(error):
                raise
            raise CallFailed(operation, project, location) from error

    def pages(self, operation: str, project: str, location: str, ask: Callable[[str], Any]) -> Iterator[Any]:
        """Every page of a list, each through the limiter; `ask(page_token)` is a client's own pager.

        Raises `CallFailed`, and `ListTruncated` behind the last page if the cloud said that it left something out.
        """
        token, warning = "", ""
        while True:
            page = self.call(operation, project, location, partial(_first_page, ask, token))
            warning = warning or _missing(page)
            yield page
            token = page.next_page_token
            if not token:
                break
        if warning:
            raise ListTruncated(operation, f"{project}/{location}", warning)

    def get(
        self,
        operation: str,
        project: str,
        location: str,
        service: str,
        path: str,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The JSON answer of a service that needs no client library of its own, e.g. `iam`; raises `CallFailed`.

        These services know no scope that only reads, so this is the only method that uses theirs, and it only GETs.
        """
        return self.call(operation, project, location, partial(self._fetch, service, path, query or {}))

    def policy(self, operation: str, project: str, location: str, service: str, path: str, version: int) -> Any:
        """The allow policy that such a service gives, as Resource Manager's clients have it; raises `CallFailed`."""
        query = {"options.requestedPolicyVersion": str(version)}
        return self.call(operation, project, location, lambda: _policy(self._fetch(service, path, query)))

    def get_pages(
        self, operation: str, project: str, location: str, service: str, path: str
    ) -> Iterator[dict[str, Any]]:
        """Every page of such an answer; raises `CallFailed`, and `ListTruncated` behind a last page with holes."""
        token, unread = "", ""
        while True:
            query = {"pageSize": str(PAGE), "pageToken": token} if token else {"pageSize": str(PAGE)}
            page = self.get(operation, project, location, service, path, query)
            unread = unread or ", ".join(_unread(page))
            yield page
            token = str(page.get("nextPageToken") or "")
            if not token:
                break
        if unread:
            raise ListTruncated(operation, f"{project}/{location}", unread)

    def entries(self, operation: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer of Cloud Logging's `entries.list`, a POST that only reads; raises `CallFailed`."""
        container = str(next(iter(body["resourceNames"]), ""))
        return self.call(operation, container.removeprefix("projects/"), "global", partial(self._entries, body))

    def _entries(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        from google.auth.transport.requests import AuthorizedSession

        with self._lock:
            if self._logs is None:
                self._logs = AuthorizedSession(self._credentials)
                _widen(self._logs)
        root = self._endpoint or f"https://logging.{self._universe}"
        return _answered(self._logs.post(f"{root}/v2/entries:list", json=dict(body), timeout=UNRETRIED["timeout"]))

    def pull(self, subscription: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer of Pub/Sub's `subscriptions.pull`, a POST that deletes nothing; raises `CallFailed`."""
        send = partial(self._pull, subscription, body)
        return self.call("pubsub.projects.subscriptions.pull", subscription.split("/")[1], "global", send)

    def _pull(self, subscription: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        from google.auth.transport.requests import AuthorizedSession

        with self._lock:
            if self._queues is None:
                self._queues = AuthorizedSession(_credentials(self._entry, _QUEUES))
        root = self._endpoint or f"https://pubsub.{self._universe}"
        return _answered(self._queues.post(f"{root}/v1/{subscription}:pull", json=dict(body), timeout=_PULLED))

    def _fetch(self, service: str, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        root = self._endpoint or f"https://{service}.{self._universe}"
        return _answered(self._web().get(f"{root}/{path}", params=query, timeout=UNRETRIED["timeout"]))

    @property
    def _universe(self) -> str:
        """`googleapis.com`, or the domain of the sovereign cloud that the credentials belong to."""
        return str(getattr(self._credentials, "universe_domain", None) or _GOOGLE)

    def _web(self) -> Any:
        from google.auth.transport.requests import AuthorizedSession

        with self._lock:
            if self._signed is None:
                self._signed = AuthorizedSession(_credentials(self._entry, _EVERYTHING))
                _widen(self._signed)
            return self._signed

    def _client(self, name: str, make: Callable[[dict[str, Any]], Any]) -> Any:
        with self._lock:
            client = self._clients.get(name)
            if client is None:
                client = make({"credentials": self._credentials, "client_options": self._options()})
                _widen(client.transport._session)
                self._clients[name] = client
            return client

    def _options(self) -> dict[str, str]:
        if self._endpoint:
            return {"api_endpoint": self._endpoint}
        return {} if self._universe == _GOOGLE else {"universe_domain": self._universe}


@dataclass(frozen=True, slots=True)
class Project:
    """One project, as collectors see it."""

    id: str
    number: str
    name: str = field(compare=False)
    parent: str = field(compare=False)
    """`folders/1` or `organizations/1`; empty where it has none."""
    session: Session = field(compare=False, repr=False)
    above: tuple[str, ...] = field(default=(), compare=False)
    """The uids of the folders and the organisation that it lies in, as far as they could be found out."""

    @property
    def uid(self) -> str:
        """Full resource name by number, which is never reused."""
        return f"//cloudresourcemanager.googleapis.com/projects/{self.number}"

    @property
    def runtime(self) -> Runtime:
        return self.session.runtime

    def call(self, operation: str, location: str, send: Callable[[], T]) -> T:
        """One answer; raises `CallFailed`."""
        return self.session.call(operation, self.id, location, send)

    def pages(self, operation: str, location: str, ask: Callable[[str], Any]) -> Iterator[Any]:
        """Every page of a list; see `Session.pages`."""
        return self.session.pages(operation, self.id, location, ask)

    def get_pages(self, operation: str, location: str, service: str, path: str) -> Iterator[dict[str, Any]]:
        """Every page of a JSON list; see `Session.get_pages`."""
        return self.session.get_pages(operation, self.id, location, service, path)


def _answered(answer: Any) -> dict[str, Any]:
    from google.api_core.exceptions import from_http_response
    from requests.exceptions import InvalidJSONError

    if answer.status_code >= 400:
        raise from_http_response(answer)
    body = answer.json()
    if not isinstance(body, dict):
        raise InvalidJSONError("answered with no object")
    return body


def _policy(body: dict[str, Any]) -> Any:
    from google.iam.v1 import policy_pb2  # type: ignore[import-untyped]
    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]

    return ParseDict(body, policy_pb2.Policy(), ignore_unknown_fields=True)


def _first_page(ask: Callable[[str], Any], token: str) -> Any:
    """A pager asks for what follows by itself, so it is never asked for more than it already holds."""
    return next(ask(token).pages)


def _missing(page: Any) -> str:
    """What a page says that it leaves out, of the whole list or, in an aggregated one, of a single zone or region."""
    if unreachable := list(getattr(page, "unreachables", ())):
        return f"unreachable: {', '.join(sorted(unreachable))}"
    listed = getattr(page, "items", None)
    parts = [page, *(listed.values() if isinstance(listed, Mapping) else ())]
    codes = {str(part.warning.code) for part in parts if hasattr(part, "warning")}
    return ", ".join(sorted(codes & _INCOMPLETE))


def _unread(page: Mapping[str, Any]) -> list[str]:
    """`unreachable` locations of Backup and DR, `warnings` of Cloud SQL (discovery documents)."""
    warnings = page.get("warnings") or []
    return sorted({*page.get("unreachable", ()), *(str(each.get("code") or "warning") for each in warnings)})


def _credentials(entry: GcpEntry, scopes: Sequence[str]) -> Any:
    import google.auth
    from google.auth import credentials, exceptions, impersonated_credentials

    if entry.endpoint and is_loopback(entry.endpoint):
        return credentials.AnonymousCredentials()
    try:
        found, _ = google.auth.default(
            scopes=_EVERYTHING if entry.impersonate else scopes, quota_project_id=entry.quota_project
        )
    except exceptions.GoogleAuthError as error:
        hint = "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
        raise CredentialsError("No Google credentials were found.", hint=hint) from error
    if entry.impersonate is None:
        return found
    return impersonated_credentials.Credentials(
        source_credentials=found,
        target_principal=entry.impersonate,
        target_scopes=list(scopes),
        quota_project_id=entry.quota_project,
    )


def _widen(session: Any) -> None:
    """Room for every thread's connection: the SDK's session keeps ten, and warns about each that it throws away.

    A session with a client certificate has adapters of its own and is left alone.
    """
    from requests.adapters import HTTPAdapter

    if not session.is_mtls:
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
