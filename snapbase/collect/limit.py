"""A token bucket of our own per account, region and API, that learns the cloud's rate from its throttling."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from snapbase.collect.stopping import Interrupted

T = TypeVar("T")

FIRST_GUESS = 20.0
"""Calls a second assumed after the first throttling: the refill rate of EC2's non-mutating actions (EC2 API guide)."""
_SLOWEST = 0.2
_DECREASE = 0.8
_INCREASE = 1.02
"""Per second without throttling."""
_SETTLE = 0.5
"""Seconds during which further throttling counts as the same event: the answers were already on their way."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What to do about an error that may pass."""

    throttled: bool
    """True slows this bucket down; False (a 5xx, a reset connection) only waits."""
    after: float = 0.0
    """Seconds the cloud asked to wait (Retry-After); 0: it did not say."""


@dataclass(slots=True)
class _Bucket:
    """Unlimited until the cloud throttles once; then paced at `rate`, which falls on throttling and creeps up again."""

    rate: float | None = None
    free_at: float = 0.0
    """When the next call may leave."""
    changed_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, now: float) -> float:
        """Seconds to wait before a call that is asked for now may leave."""
        with self.lock:
            if self.rate is None:
                return max(0.0, self.free_at - now)
            quiet = now - self.changed_at
            if quiet >= 1.0:
                self.rate *= _INCREASE**quiet
                self.changed_at = now
            leaves = max(now, self.free_at)
            self.free_at = leaves + 1.0 / self.rate
            return leaves - now

    def throttled(self, now: float, after: float) -> None:
        with self.lock:
            if self.rate is None:
                self.rate, self.changed_at = FIRST_GUESS, now
            elif now - self.changed_at >= _SETTLE:
                self.rate, self.changed_at = max(_SLOWEST, self.rate * _DECREASE), now
            self.free_at = max(self.free_at, now + after)


class Limiter:
    """Hands out permission to call; every key `(cloud, account, location, api)` has a bucket of its own."""

    def __init__(
        self,
        *,
        attempts: int = 10,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.stop = stop or threading.Event()
        self._attempts = attempts
        self._clock = clock
        self._sleep = sleep or self.stop.wait
        self._buckets: dict[tuple[str, ...], _Bucket] = {}
        self._lock = threading.Lock()

    def call(
        self,
        key: tuple[str, ...],
        send: Callable[[], T],
        verdict: Callable[[BaseException], Retry | None],
    ) -> T:
        """The answer of `send`, retried while `verdict` says the error may pass; the last error otherwise."""
        bucket = self._bucket(key)
        for attempt in range(self._attempts):
            self._wait(bucket.reserve(self._clock()))
            try:
                return send()
            except Exception as error:
                retry = verdict(error)
                if retry is None or attempt == self._attempts - 1:
                    raise
                if retry.throttled:
                    bucket.throttled(self._clock(), retry.after)
                else:
                    self._wait(retry.after or min(0.05 * 2**attempt, 5.0))
        raise AssertionError("unreachable")

    def _bucket(self, key: tuple[str, ...]) -> _Bucket:
        with self._lock:
            return self._buckets.setdefault(key, _Bucket())

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)
        if self.stop.is_set():
            raise Interrupted
