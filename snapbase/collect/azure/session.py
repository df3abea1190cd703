"""One entry's subscriptions, and the one way in which Azure is called: raw answers, page by page, limited."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from snapbase.collect.azure.errors import Unread, classify, verdict
from snapbase.collect.azure.fields import items, lower, section, text
from snapbase.collect.azure.paging import pager
from snapbase.collect.azure.signin import SignIn
from snapbase.collect.collector import Target, Where
from snapbase.collect.runtime import Runtime
from snapbase.model import ANYWHERE, Miss, Outcome
from snapbase.settings import AzureEntry

T = TypeVar("T")

LOCATION = "global"
"""Every list read here covers a whole subscription, all regions at once."""
LIST_SUBSCRIPTIONS = "Microsoft.Resources/subscriptions/read"
LIST_DESCENDANTS = "Microsoft.Management/managementGroups/descendants/read"
_DESCENDANTS_API = "2020-05-01"
_UNREADABLE_STATES = frozenset({"disabled", "deleted"})
"""Of Enabled, Warned, PastDue, Disabled and Deleted (Subscriptions REST API); the middle two still answer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks Azure under one account's name. Answers are ARM's JSON: the SDK's models drop fields, and default others."""

    runtime: Runtime
    account: str
    """Subscription id; empty for questions to the tenant."""

    def get(self, operation: str, send: Callable[..., object]) -> Mapping[str, Any]:
        """The body that `send(raw_response_hook=...)` got; `Unread` where there is none."""
        answer = _Answer()
        self._call(operation, lambda: send(raw_response_hook=answer.keep_object))
        return answer.body

    def pages(self, operation: str, listing: Callable[..., Any]) -> Iterator[list[Mapping[str, Any]]]:
        """The items of each page of an SDK list method, following nextLink to its end; `Unread` where it breaks."""
        from azure.core.exceptions import DecodeError

        answer = _Answer()
        pages = listing(raw_response_hook=answer.keep_page).by_page()
        followed = set()
        while True:
            self._call(operation, lambda: next(pages))
            yield answer.body["value"]
            link = pages.continuation_token
            if not link:
                return
            if link in followed:
                raise Unread(operation, self.account, DecodeError("nextLink leads in a circle"))
            followed.add(link)

    def _call(self, operation: str, send: Callable[[], T]) -> T:
        self.runtime.operations.add(operation)
        key = ("azure", self.account, LOCATION, operation)
        try:
            return self.runtime.limiter.call(key, send, verdict)
        except Exception as error:
            if classify(error) is None:
                raise
            raise Unread(operation, self.account, error) from error


class _Answer:
    """Keeps the last answer's JSON, if it is what the API promises: a 200 without a list is not an empty list."""

    def __init__(self) -> None:
        self.body: Mapping[str, Any] = {}

    def keep_object(self, response: Any) -> None:
        if response.http_response.status_code == 200:
            self.body = _decoded(response)

    def keep_page(self, response: Any) -> None:
        from azure.core.exceptions import DecodeError

        if response.http_response.status_code != 200:
            return
        body = _decoded(response)
        value = body.get("value")
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise DecodeError("a list without items")
        self.body = body


def _decoded(response: Any) -> Mapping[str, Any]:
    from azure.core.exceptions import DecodeError
    from azure.core.pipeline.policies import ContentDecodePolicy

    body = response.context.get(ContentDecodePolicy.CONTEXT_NAME)
    if not isinstance(body, Mapping):
        raise DecodeError("not an object")
    return body


class Subscription:
    """The handle of Azure's collectors: one subscription, as listed, and its management clients."""

    def __init__(self, listed: Mapping[str, Any], sign_in: SignIn, runtime: Runtime) -> None:
        from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient
        from azure.mgmt.compute import ComputeManagementClient

        self.id = lower(listed.get("subscriptionId")) or ""
        self.listed = listed
        self.runtime = runtime
        self.compute = ComputeManagementClient(subscription_id=self.id, **sign_in.options)
        self.authorization = AuthorizationManagementClient(subscription_id=self.id, **sign_in.options)
        self._options = sign_in.options
        self.directory = sign_in.directory
        self.graph = sign_in.graph
        self._caller = Caller(runtime, self.id)
        self.get = self._caller.get
        self.pages = self._caller.pages

    @cached_property
    def eligibility(self) -> Any:
        """azure-mgmt-authorization in the version that knows eligible roles."""
        from azure.mgmt.authorization.v2020_10_01 import AuthorizationManagementClient

        return AuthorizationManagementClient(subscription_id=self.id, **self._options)

    @property
    def uid(self) -> str:
        """Its ARM id, lower case."""
        return f"/subscriptions/{self.id}"


class AzureConnection:
    """One `[[azure]]` entry, signed in."""

    def __init__(self, entry: AzureEntry, runtime: Runtime) -> None:
        self._entry = entry
        self._runtime = runtime
        self._sign_in = SignIn(entry)

    def identity(self) -> str:
        """Who Azure says we are; raises `CredentialsError` if nobody."""
        return self._sign_in.identity()

    def targets(self) -> Iterator[Target]:
        """Every subscription to read: the configured ones, else all that are visible. `Unread` where they cannot be
        listed and none is configured, after all others where only part of them could be."""
        wanted = self._entry.subscriptions
        try:
            visible = self._visible()
        except Unread as error:
            failure = classify(error)
            if not wanted:
                raise
            yield from (Target(each, ANYWHERE, where=Where.GLOBAL, failure=failure) for each in wanted)
            return
        managed, unlisted = (set[str](), None) if wanted else self._managed(visible)
        for each in wanted or sorted(visible.keys() | managed):
            yield self._target(visible[each]) if each in visible else _invisible(each)
        if unlisted is not None:
            raise unlisted

    def _visible(self) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for page in Caller(self._runtime, "").pages(LIST_SUBSCRIPTIONS, self._client.subscriptions.list):
            found.update({key: each for each in page if (key := lower(each.get("subscriptionId")))})
        return found

    def _managed(self, visible: Mapping[str, Mapping[str, Any]]) -> tuple[set[str], Unread | None]:
        """Every subscription that the tenants' root management groups know of, whose ids are those of the tenants
        (Management Groups REST API, Descendants). One in which we have no role shows up nowhere else; few may read
        this, and who may not reads what is visible. Beside it, why it could not be told this time, to whoever may."""
        tenants = {lower(each.get("tenantId")) for each in visible.values()} | {self._entry.tenant_id}
        found: set[str] = set()
        failure: Unread | None = None
        for tenant in sorted(filter(None, tenants)):
            path = f"/providers/Microsoft.Management/managementGroups/{tenant}/descendants"
            listing = partial(pager, self._client.send_request, path, _DESCENDANTS_API)
            try:
                for page in Caller(self._runtime, "").pages(LIST_DESCENDANTS, listing):
                    found.update(key for each in page if (key := _subscription_in(each)))
            except Unread as error:
                failure = error if verdict(error.error) else failure
        return found, failure

    @cached_property
    def _client(self) -> Any:
        from azure.mgmt.resource.subscriptions import SubscriptionClient

        return SubscriptionClient(**self._sign_in.options)

    def _target(self, listed: Mapping[str, Any]) -> Target:
        subscription = Subscription(listed, self._sign_in, self._runtime)
        label = text(listed.get("displayName")) or ""
        state = text(listed.get("state")) or ""
        if state.lower() in _UNREADABLE_STATES:
            reason = f"subscription {subscription.id} is {state.lower()}: re-enable it, or leave it out"
            failure = Miss(Outcome.DISABLED, reason)
            return Target(subscription.id, ANYWHERE, where=Where.GLOBAL, label=label, failure=failure)
        return Target(subscription.id, LOCATION, subscription, Where.GLOBAL, label)


def _subscription_in(descendant: Mapping[str, Any]) -> str | None:
    kind = lower(descendant.get("type")) or ""
    return lower(descendant.get("name")) if kind.endswith("/subscriptions") else None


def _invisible(subscription: str) -> Target:
    reason = (
        f"subscription {subscription} is not visible to the collector's identity: give it a role there (Reader is "
        "enough), or correct azure.subscriptions and azure.tenant_id"
    )
    return Target(subscription, ANYWHERE, where=Where.GLOBAL, failure=Miss(Outcome.DENIED, reason))


def managing_tenants(listed: Mapping[str, Any]) -> list[str]:
    """Tenants that manage a subscription through Azure Lighthouse, as its listing says."""
    tenants = (lower(section(each).get("tenantId")) for each in items(listed.get("managedByTenants")))
    return sorted({each for each in tenants if each})
