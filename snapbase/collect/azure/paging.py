"""Lists whose own SDK would be one more to install: paged as an SDK would, through any client's `send_request`."""

from collections.abc import Iterator
from typing import Any


def pager(send_request: Any, path: str, version: str, **options: Any) -> Any:
    """A list at `path` (below the endpoint) as an SDK's pager; no `version` for Microsoft Graph."""
    from azure.core.paging import ItemPaged
    from azure.core.rest import HttpRequest

    joint = "&" if "?" in path else "?"
    first = f"{path}{joint}api-version={version}" if version else path

    def get_next(link: str | None) -> Any:
        url = link or first
        response = send_request(HttpRequest("GET", url), **options)
        response.raise_for_status()
        return response.json()

    def extract(body: Any) -> tuple[str | None, Iterator[Any]]:
        return body.get("nextLink") or body.get("@odata.nextLink") or None, iter(body["value"])

    return ItemPaged(get_next, extract)
