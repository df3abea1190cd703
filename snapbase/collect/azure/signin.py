"""Signing in to Azure Resource Manager: credential, endpoint and the pipeline every client shares."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from snapbase.errors import CredentialsError
from snapbase.settings import AzureEntry, is_loopback

PUBLIC = "https://management.azure.com"


@dataclass(frozen=True, slots=True)
class _Cloud:
    """One of Azure's clouds (azure.core AzureClouds, azure.mgmt.core get_arm_endpoints, azure.identity
    AzureAuthorityHosts; Microsoft Graph national cloud deployments)."""

    audience: str
    graph: str
    authority: str | None = None
    """None: azure-identity decides: the public cloud, or AZURE_AUTHORITY_HOST."""


_CLOUDS = {
    "management.azure.com": _Cloud("https://management.azure.com", "https://graph.microsoft.com"),
    "management.chinacloudapi.cn": _Cloud(
        "https://management.chinacloudapi.cn",
        "https://microsoftgraph.chinacloudapi.cn",
        "login.chinacloudapi.cn",
    ),
    "management.usgovcloudapi.net": _Cloud(
        "https://management.core.usgovcloudapi.net",
        "https://graph.microsoft.us",
        "login.microsoftonline.us",
    ),
}
"""By the host of the ARM endpoint: `endpoint` in the configuration chooses the cloud."""
_CONNECT_SECONDS, _READ_SECONDS = 10, 120
_CONNECTIONS = 64
_HINT = "Sign in (az login), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret, certificate or federated token."


@dataclass(frozen=True)
class SignIn:
    """One `[[azure]]` entry's way in. SDK clients are made with `**options`, and share its connections."""

    entry: AzureEntry

    @property
    def endpoint(self) -> str:
        return (self.entry.endpoint or PUBLIC).rstrip("/")

    @property
    def local(self) -> bool:
        """A sandbox on this machine: plain http, and a token that opens nothing."""
        return is_loopback(self.endpoint)

    @cached_property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of every management client.

        The pipeline is spelled out because the SDK's own would retry, follow redirects with the token, and answer an
        unregistered resource provider by registering it: a write.
        """
        return {
            "credential": self._credential,
            "base_url": self.endpoint,
            "policies": self._policies_of(self.endpoint, self._scope),
            "transport": self._transport,
        }

    def identity(self) -> str:
        """Who the token says we are; raises `CredentialsError` where no token can be had."""
        if self.local:
            return f"sandbox at {self.endpoint}"
        from azure.core.exceptions import AzureError

        try:
            token = self._credential.get_token(self._scope).token
        except AzureError as error:
            raise CredentialsError("No usable Azure credential was found.", hint=_HINT) from error
        claims = _claims(token)
        names = (claims.get(name) for name in ("upn", "unique_name", "appid", "oid"))
        who = next((name for name in names if isinstance(name, str)), "an unnamed identity")
        return f"{who} of tenant {claims.get('tid', 'unknown')}"

    @property
    def _scope(self) -> str:
        return f"{self._cloud.audience}/.default"

    @property
    def _cloud(self) -> _Cloud:
        """Of an endpoint that is none of Microsoft's (a proxy, an Azure Stack) nothing else is known."""
        return _CLOUDS.get(urlsplit(self.endpoint).hostname or "", _Cloud(self.endpoint, ""))

    @property
    def graph(self) -> str:
        """Microsoft Graph's endpoint of the same cloud; empty where there is none to be known."""
        return self.endpoint if self.local else self._cloud.graph

    def directory(self) -> Any:
        """A client of Microsoft Graph, with the same pipeline: reads only, to no other host."""
        from azure.core import PipelineClient

        policies = self._policies_of(self.graph, f"{self.graph}/.default")
        return PipelineClient(self.graph, policies=policies, transport=self._transport)

    @cached_property
    def _credential(self) -> Any:
        if self.local:
            return object()
        from azure.identity import DefaultAzureCredential

        authority = self._cloud.authority
        options: dict[str, Any] = {"authority": authority} if authority else {}
        if self.entry.tenant_id is None:
            return DefaultAzureCredential(**options)
        options["additionally_allowed_tenants"] = [self.entry.tenant_id]
        return _OfTenant(DefaultAzureCredential(**options), self.entry.tenant_id)

    def _policies_of(self, endpoint: str, scope: str) -> list[Any]:
        from azure.core.pipeline import policies
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        if self.local:
            # azure-core refuses to sign a plain http request; a fixed header goes to this machine and nowhere else.
            authentication = policies.HeadersPolicy({"Authorization": "Bearer faketoken"})
        else:
            authentication = ARMChallengeAuthenticationPolicy(self._credential, scope)
        return [
            policies.RequestIdPolicy(),
            policies.UserAgentPolicy("snapbase"),
            policies.CustomHookPolicy(raw_request_hook=partial(_only_reads, endpoint)),
            policies.ContentDecodePolicy(),
            authentication,
        ]

    @cached_property
    def _transport(self) -> Any:
        import requests
        from azure.core.pipeline.transport import RequestsTransport
        from requests.adapters import HTTPAdapter

        session = requests.Session()
        session.trust_env = not self.local
        session.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        return RequestsTransport(session=session, connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)


@dataclass(frozen=True, slots=True)
class _OfTenant:
    """A credential that asks for tokens of one tenant, whichever it was made for."""

    credential: Any
    tenant: str

    def get_token(self, *scopes: str, **options: Any) -> Any:
        options.setdefault("tenant_id", self.tenant)
        return self.credential.get_token(*scopes, **options)


def _only_reads(endpoint: str, request: Any) -> None:
    """Stops what is not a read, and a nextLink to another host before the token is sent there."""
    from azure.core.exceptions import AzureError

    method, url = request.http_request.method, request.http_request.url
    if method != "GET":
        raise RuntimeError(f"the collector only reads, and was about to send a {method}")
    if origin(url) != origin(endpoint):
        raise AzureError("the answer points to another host")


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port, the port also where it is implied: some providers' nextLinks spell out `:443`."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return None


def _claims(token: str) -> Mapping[str, Any]:
    """A JWT's claims, unverified: only to show people who they are."""
    body = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
