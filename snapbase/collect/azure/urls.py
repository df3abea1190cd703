"""URLs in answers."""

from typing import Any
from urllib.parse import urlsplit

from snapbase.collect.azure.fields import text


def bare(value: Any) -> str | None:
    """A URL without its query: a source blob's may carry a SAS, which is a secret."""
    url = text(value)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else None
