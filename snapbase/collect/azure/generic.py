"""ARM lists whose own SDK would be one more to install for one call: the same pipeline, the same paging."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.azure.errors import Unread, is_unregistered
from snapbase.collect.azure.paging import pager
from snapbase.collect.azure.session import Subscription

LIST_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/read"
_GROUPS_API = "2021-04-01"


def listed(subscription: Subscription, operation: str, path: str, version: str) -> Iterator[Mapping[str, Any]]:
    """Every item of an ARM list at `path` (below the endpoint), page by page; raises `Unread`."""
    for page in subscription.pages(operation, partial(pager, subscription.compute.send_request, path, version)):
        yield from page


def optional(subscription: Subscription, operation: str, path: str, version: str) -> Iterator[Mapping[str, Any]]:
    """The same of a provider that many subscriptions never register. Nothing of it exists in those: ARM refuses to
    unregister a provider while it has resources (Azure resource providers and types, learn.microsoft.com)."""
    try:
        yield from listed(subscription, operation, path, version)
    except Unread as error:
        if not is_unregistered(error):
            raise


def shown(subscription: Subscription, operation: str, path: str, version: str) -> Mapping[str, Any]:
    """One resource at `path` (below the endpoint); raises `Unread`."""
    from azure.core.rest import HttpRequest

    def send(**options: Any) -> None:
        request = HttpRequest("GET", f"{path}?api-version={version}")
        subscription.compute.send_request(request, **options).raise_for_status()

    return subscription.get(operation, send)


def groups_of(subscription: Subscription) -> list[Mapping[str, Any]]:
    """The subscription's resource groups (Resources REST API), listed once for all kinds."""
    path = f"{subscription.uid}/resourcegroups"
    return subscription.runtime.once(
        ("azure.groups", subscription.id), lambda: list(listed(subscription, LIST_GROUPS, path, _GROUPS_API))
    )
