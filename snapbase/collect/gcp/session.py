"""One Google credential, its clients, and the projects seen through them."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from snapbase.collect.gcp.errors import CallFailed, ListTruncated, is_cloud_error, passing
from snapbase.collect.runtime import Runtime
from snapbase.config import GcpEntry, is_loopback
from snapbase.errors import CredentialsError
from snapbase.model import Cloud

T = TypeVar("T")

SCOPES = (
    "https://www.googleapis.com/auth/compute.readonly",
    "https://www.googleapis.com/auth/cloud-platform.read-only",
)
"""OAuth scopes that cannot write, whatever the account may do (compute.v1 and cloudresourcemanager.v3 discovery)."""
_IMPERSONATING = "https://www.googleapis.com/auth/cloud-platform"
UNRETRIED: dict[str, Any] = {"retry": None, "timeout": 60.0}
"""For every call of a client: the limiter's loop is the only one, and no answer is waited for longer than a minute."""
PAGE = 500
_INCOMPLETE = frozenset({"PARTIAL_SUCCESS", "UNREACHABLE"})
"""Codes of a list's warning that mean that something is missing (compute.v1 discovery)."""
_CONNECTIONS = 64


class Session:
    """Signed in once; every client is made once and shared by all threads."""

    def __init__(self, entry: GcpEntry, runtime: Runtime) -> None:
        self.runtime = runtime
        self._endpoint = entry.endpoint_url
        self._credentials = _credentials(entry)
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def identity(self) -> str:
        """The account the credentials belong to, as far as they say."""
        names = ("service_account_email", "signer_email", "account")
        found = (getattr(self._credentials, name, None) for name in names)
        return next((str(name) for name in found if name), "application default credentials")

    def compute(self, name: str) -> Any:
        """A client of google-cloud-compute by class name, e.g. `SnapshotsClient`."""
        from google.cloud import compute_v1

        return self._client(name, lambda options: getattr(compute_v1, name)(**options))

    def projects(self) -> Any:
        """Resource Manager's projects client, over HTTP like the others."""
        from google.cloud.resourcemanager_v3 import ProjectsClient

        return self._client("ProjectsClient", lambda options: ProjectsClient(transport="rest", **options))

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

    def _client(self, name: str, make: Callable[[dict[str, Any]], Any]) -> Any:
        with self._lock:
            client = self._clients.get(name)
            if client is None:
                options = {"api_endpoint": self._endpoint} if self._endpoint else {}
                client = make({"credentials": self._credentials, "client_options": options})
                _widen(client)
                self._clients[name] = client
            return client


@dataclass(frozen=True, slots=True)
class Project:
    """One project, as collectors see it."""

    id: str
    number: str
    name: str = field(compare=False)
    parent: str = field(compare=False)
    """`folders/1` or `organizations/1`; empty where it has none."""
    session: Session = field(compare=False, repr=False)

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


def _first_page(ask: Callable[[str], Any], token: str) -> Any:
    """A pager asks for what follows by itself, so it is never asked for more than it already holds."""
    return next(ask(token).pages)


def _missing(page: Any) -> str:
    code = str(page.warning.code) if hasattr(page, "warning") else ""
    return code if code in _INCOMPLETE else ""


def _credentials(entry: GcpEntry) -> Any:
    import google.auth
    from google.auth import credentials, exceptions, impersonated_credentials

    if entry.endpoint_url and is_loopback(entry.endpoint_url):
        return credentials.AnonymousCredentials()
    scopes = (_IMPERSONATING,) if entry.impersonate else SCOPES
    try:
        found, _ = google.auth.default(scopes=scopes, quota_project_id=entry.quota_project)
    except exceptions.GoogleAuthError as error:
        hint = "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
        raise CredentialsError("No Google credentials were found.", hint=hint) from error
    if entry.impersonate is None:
        return found
    return impersonated_credentials.Credentials(
        source_credentials=found,
        target_principal=entry.impersonate,
        target_scopes=list(SCOPES),
        quota_project_id=entry.quota_project,
    )


def _widen(client: Any) -> None:
    """Room for every thread's connection: the SDK's session keeps ten, and warns about each that it throws away.

    A session with a client certificate has adapters of its own and is left alone.
    """
    from requests.adapters import HTTPAdapter

    session = client.transport._session
    if not session.is_mtls:
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
