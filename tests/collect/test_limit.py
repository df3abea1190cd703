"""The limiter against a simulated token bucket, in virtual time: it is told no rate."""

import heapq
import threading
from collections.abc import Generator

import pytest

from snapbase.collect.limit import Limiter, Retry, _Bucket
from snapbase.collect.stopping import Interrupted

LATENCY = 0.04


class _Throttled(Exception):
    pass


class _Server:
    """The cloud's bucket: a capacity and a refill a second."""

    def __init__(self, capacity: float, refill: float) -> None:
        self.capacity, self.refill = capacity, refill
        self.tokens, self.at = capacity, 0.0
        self.throttled = 0

    def answer(self, now: float) -> bool:
        self.tokens = min(self.capacity, self.tokens + (now - self.at) * self.refill)
        self.at = now
        if self.tokens < 1:
            self.throttled += 1
            return False
        self.tokens -= 1
        return True


def _play(server: _Server, calls: int, threads: int) -> float:
    """Runs `threads` callers over a shared queue of calls against one bucket; returns the virtual seconds it took."""
    bucket, left, ended = _Bucket(), [calls], 0.0
    events: list[tuple[float, int, Generator[float, float, None]]] = []

    def caller(now: float) -> Generator[float, float, None]:
        while left[0] > 0:
            left[0] -= 1
            while True:
                now = yield now + bucket.reserve(now)
                good = server.answer(now + LATENCY / 2)
                now = yield now + LATENCY
                if good:
                    break
                bucket.throttled(now, 0.0)

    for number in range(threads):
        each = caller(0.0)
        heapq.heappush(events, (next(each), number, each))
    while events:
        now, number, each = heapq.heappop(events)
        ended = max(ended, now)
        try:
            heapq.heappush(events, (each.send(now), number, each))
        except StopIteration:
            continue
    return ended


@pytest.mark.parametrize(("capacity", "refill"), [(100, 20), (100, 30), (50, 10)])
def test_an_untold_rate_is_met_within_a_sixth_and_hardly_throttled(capacity: float, refill: float) -> None:
    server = _Server(capacity, refill)

    took = _play(server, 600, 8)

    floor = (600 - capacity) / refill
    assert took <= floor * 1.15
    assert server.throttled <= 600 * 0.05


def test_a_bucket_that_never_throttles_is_never_delayed() -> None:
    bucket = _Bucket()

    assert [bucket.reserve(now / 1000) for now in range(1000)] == [0.0] * 1000


def test_retry_after_holds_the_whole_bucket() -> None:
    bucket = _Bucket()
    bucket.throttled(10.0, 7.0)

    assert bucket.reserve(10.0) == 7.0


def test_a_call_is_retried_until_it_passes_and_other_errors_are_not() -> None:
    limiter, tries = Limiter(sleep=lambda _: None), []

    def sometimes() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise _Throttled
        return "answer"

    assert limiter.call(("aws", "1", "x", "y"), sometimes, lambda _: Retry(throttled=True)) == "answer"

    def broken() -> str:
        tries.append(1)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - no message to match
        limiter.call(("aws", "1", "x", "y"), broken, lambda _: None)
    assert len(tries) == 4


def test_waiting_ends_when_the_run_stops() -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(Interrupted):
        Limiter(stop=stop).call(("aws", "1", "x", "y"), lambda: None, lambda _: None)
