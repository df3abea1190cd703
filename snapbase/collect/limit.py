"""A token bucket of our own per account, region and API, that learns the cloud's rate from its throttling.

A throttled answer says that the cloud's bucket is empty at that moment. What passed between two such moments, divided
by the time between, is therefore its refill rate, whatever its capacity. So a bucket begins unlimited, waits a moment
when first throttled (the cloud's tokens pile up meanwhile, nothing is lost), drains what came, and from the second
throttling on paces itself just below the measured rate. It then speeds up with the square of the quiet time until the
next throttling measures anew: slow near the last known rate, fast once that is long ago.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from snapbase.collect.stopping import Interrupted

T = TypeVar("T")

SLOWEST = 0.05
"""Calls per second below which no bucket goes."""
GUESS = 1.0
"""Calls per second to try where nothing has passed yet: that tells nothing of the rate."""
REFUSED = 60.0
"""Seconds for which a bucket through which nothing passes answers every call with the last refusal."""
HEADROOM = 0.97
"""Share of a measured rate to use: the rest is for what others take and for errors of measurement."""
DOUBLING, GUESS_DOUBLING = 20.0, 2.0
"""Seconds without throttling after which a bucket runs at twice its last measured rate, or its first guess."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 4.0
"""Seconds to wait after a throttled answer without Retry-After; doubled while nothing passes."""
PILE = 15.0
"""Calls that should have piled up by the end of the first pause: enough to measure, too few to overflow a bucket."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What to do about an error that may pass."""

    throttled: bool
    """True slows this bucket down; False (a 5xx, a reset connection) only waits."""
    after: float = 0.0
    """Seconds the cloud asked to wait (Retry-After); 0: it did not say."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A cloud's bucket where it is known: calls it lets through at once, and calls per second after that."""

    capacity: float
    per_second: float


@dataclass(slots=True)
class _Window:
    """The time between two moments when the cloud's bucket was empty."""

    began: float
    seconds: float
    passed: int
    fastest: float
    """The pace at its end, which was too fast."""

    def measured(self) -> float:
        return min(self.passed / self.seconds * HEADROOM, self.fastest)


class Bucket:
    """One key's pace. Knows no clock and no lock: every method is told the time in seconds."""

    def __init__(self, told: Rate | None = None) -> None:
        self._ceiling = told.per_second if told else inf
        self._burst = told.capacity if told else None
        self._base = self._ceiling
        self._ready = -inf
        """When the tokens taken so far have all come in; a burst runs ahead of it."""
        self._blocked = -inf
        self._began: float | None = None
        self._empty: float | None = None
        self._passed = 0
        self._barren = 0
        self._doubling = DOUBLING
        self._closed: _Window | None = None
        self._refusal: tuple[float, BaseException] | None = None
        self.answered = 0
        """Calls that passed so far."""

    def refuse(self, error: BaseException, now: float) -> None:
        """Nothing passed while a call was tried to its end: others need not find that out one by one."""
        self._refusal = (now + REFUSED, error)

    def refused(self, now: float) -> BaseException | None:
        """The error that every call gets for now; None: it may go and try."""
        if self._refusal is None or now >= self._refusal[0]:
            return None
        return self._refusal[1]

    def rate(self, now: float) -> float:
        """Calls per second this bucket allows itself now; infinite before the first throttling."""
        quiet = now - self._empty if self._empty is not None else 0.0
        return min(self._ceiling, self._base * (1 + (quiet / self._doubling) ** 2))

    def take(self, now: float) -> float:
        """0: go, the call is counted. Else the seconds after which to ask again."""
        if now < self._blocked:
            return self._blocked - now
        if self._began is None:
            self._began = now
        rate = self.rate(now)
        if rate == inf:
            return 0.0
        burst = self._burst if self._burst is not None else max(rate * FIRST_PAUSE, 1.0)
        ready = max(self._ready, now - (burst - 1) / rate)
        if ready > now:
            return ready - now
        self._ready = ready + 1 / rate
        return 0.0

    def passed(self, sent: float) -> None:
        """A call sent then was answered."""
        self._barren = 0
        self._refusal = None
        self.answered += 1
        if self._empty is None or sent >= self._empty:
            self._passed += 1
        elif self._closed is not None and sent >= self._closed.began:
            # Answers of one burst come in any order: this one belongs to the time already measured.
            self._closed.passed += 1
            self._base = max(self._base, self._closed.measured())

    def throttled(self, sent: float, now: float, after: float = 0.0) -> None:
        """A call sent then was refused for its rate; calls already under way when that was learnt teach nothing new."""
        if self._empty is None or sent >= self._empty:
            self._learn(now)
            pause = after or min(min(FIRST_PAUSE, PILE / self._base) * 2**self._barren, LONGEST_PAUSE)
            self._barren += 1
            # The cloud's tokens pile up during the pause: what comes in from now on may be used at once after it.
            self._ready, self._burst = now, None
        else:
            pause = after
        self._blocked = max(self._blocked, now + pause)

    def _learn(self, now: float) -> None:
        """Takes the measure of the time since the bucket was last empty."""
        since = self._empty if self._empty is not None else self._began
        elapsed = max(now - since, 1e-3) if since is not None else 1.0
        measured = self._passed / elapsed
        current = self.rate(now)
        if self._empty is None and current == inf:
            # The first burst held the whole capacity; a quarter of its speed is a guess for one short drain.
            self._base, self._doubling = max(measured / 4, SLOWEST if measured else GUESS), GUESS_DOUBLING
        else:
            self._doubling = DOUBLING
            self._closed = _Window(now - elapsed, elapsed, self._passed, current)
            slowest = SLOWEST if self._passed else min(current, GUESS)
            self._base = max(self._closed.measured(), current / 4, slowest)
        self._empty, self._passed = now, 0


class Limiter:
    """Hands out permission to call; every key `(cloud, account, location, api)` has a bucket of its own."""

    def __init__(
        self,
        *,
        attempts: int = 10,
        give_up_after: float = inf,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        told: Callable[[tuple[str, ...]], Rate | None] = lambda _: None,
    ) -> None:
        """A call is sent up to `attempts` times, the last within `give_up_after` seconds of its first failure.

        `told` gives the rates that are known beforehand; every other one is learnt.
        """
        self.stop = stop or threading.Event()
        self._attempts = attempts
        self._give_up_after = give_up_after
        self._clock = clock
        self._sleep = sleep or self.stop.wait
        self._told = told
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def call(
        self,
        key: tuple[str, ...],
        send: Callable[[], T],
        verdict: Callable[[BaseException], Retry | None],
    ) -> T:
        """The answer of `send`, retried while `verdict` says the error may pass; the last error otherwise.

        Raises `Interrupted` instead of waiting or sending once the run was asked to stop.
        """
        attempt, deadline, answered = 0, inf, -1
        while True:
            bucket, sent = self._enter(key)
            try:
                answer = send()
            except Exception as error:
                attempt += 1
                answered = bucket.answered if attempt == 1 else answered
                now = self._clock()
                deadline = min(deadline, now + self._give_up_after)
                retry = verdict(error)
                self._heed(bucket, sent, retry)
                if retry is None or attempt >= self._attempts or now + retry.after > deadline:
                    if retry is not None and retry.throttled and bucket.answered == answered:
                        with self._lock:
                            bucket.refuse(error, now)
                    raise
                if not retry.throttled:
                    self._wait(retry.after or min(0.05 * 2**attempt, 5.0))
            else:
                with self._lock:
                    bucket.passed(sent)
                return answer

    def _enter(self, key: tuple[str, ...]) -> tuple[Bucket, float]:
        """Waits until the key's bucket lets a call through; the bucket, and when that was. Raises its refusal."""
        while True:
            if self.stop.is_set():
                raise Interrupted
            with self._lock:
                bucket = self._buckets.get(key)
                if bucket is None:
                    bucket = self._buckets[key] = Bucket(self._told(key))
                now = self._clock()
                refusal = bucket.refused(now)
                wait = bucket.take(now) if refusal is None else 0.0
            if refusal is not None:
                # Without the frames of those who got it before.
                raise refusal.with_traceback(None)
            if wait <= 0:
                return bucket, now
            self._wait(wait)

    def _heed(self, bucket: Bucket, sent: float, retry: Retry | None) -> None:
        with self._lock:
            if retry is not None and retry.throttled:
                bucket.throttled(sent, self._clock(), retry.after)
            else:
                bucket.passed(sent)

    def _wait(self, seconds: float) -> None:
        self._sleep(seconds)
        if self.stop.is_set():
            raise Interrupted
