"""The limiter against a cloud's bucket, as a discrete-event simulation: virtual time, so nothing sleeps."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from snapbase.collect.limit import Bucket, Limiter, Rate, Retry
from snapbase.collect.stopping import Interrupted

LATENCY = 0.04


@dataclass
class Server:
    """A cloud's token bucket; `refill` may change with time."""

    capacity: float
    refill: Callable[[float], float]
    tokens: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.capacity

    def admits(self, now: float) -> bool:
        self.tokens = min(self.capacity, self.tokens + (now - self.at) * self.refill(now))
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(frozen=True)
class Played:
    seconds: float
    throttled: int
    waited: float
    finished: list[float]
    """When each call was answered."""


def _play(bucket: Bucket, server: Server, *, calls: int, threads: int = 8, after: float = 0.0) -> Played:
    """`threads` callers share one bucket until `calls` were answered."""
    events: list[tuple[float, int, str, float]] = [(0.0, each, "ask", 0.0) for each in range(threads)]
    order, unclaimed, throttled, waited = threads, calls - threads, 0, 0.0
    finished: list[float] = []
    while events:
        now, _, what, sent = heapq.heappop(events)
        order += 1
        if what == "ask":
            wait = bucket.take(now)
            waited += wait
            heapq.heappush(events, (now + wait, order, "ask", 0.0) if wait else (now + LATENCY / 2, order, "at", now))
        elif what == "at":
            verdict = "passed" if server.admits(now) else "throttled"
            heapq.heappush(events, (now + LATENCY / 2, order, verdict, sent))
        elif what == "throttled":
            bucket.throttled(sent, now, after)
            throttled += 1
            heapq.heappush(events, (now, order, "ask", 0.0))
        else:
            bucket.passed(sent)
            finished.append(now)
            if unclaimed > 0:
                unclaimed -= 1
                heapq.heappush(events, (now, order, "ask", 0.0))
    return Played(finished[-1], throttled, waited, finished)


@pytest.mark.parametrize("threads", [1, 2, 4, 8])
def test_learns_the_rate_within_15_percent_of_the_floor(threads: int) -> None:
    played = _play(Bucket(), Server(100, lambda _: 20.0), calls=300, threads=threads)

    floor = max((300 - 100) / 20, 300 * LATENCY / threads)
    assert len(played.finished) == 300
    assert played.seconds <= 1.15 * floor
    assert played.throttled < 0.05 * (300 + played.throttled)


def test_told_the_rate_it_is_within_3_percent_and_never_throttled() -> None:
    played = _play(Bucket(Rate(100, 20)), Server(100, lambda _: 20.0), calls=300)

    assert played.seconds <= 1.03 * 10
    assert played.throttled <= 3


@pytest.mark.parametrize(("capacity", "refill"), [(100, 5.0), (100, 20.0), (200, 50.0), (30, 100.0), (10, 2.0)])
def test_holds_a_long_run_near_any_rate(capacity: float, refill: float) -> None:
    calls = int(capacity + 60 * refill)
    played = _play(Bucket(), Server(capacity, lambda _: refill), calls=calls)

    assert played.seconds <= 1.15 * 60
    assert played.throttled <= 8 + 0.1 * calls  # the 8 callers of the first burst learn it together


def test_slows_down_and_recovers_when_others_share_the_bucket() -> None:
    def refill(now: float) -> float:
        return 10.0 if 20 <= now < 60 else 20.0

    played = _play(Bucket(), Server(100, refill), calls=2000)

    floor = 2000 - 100 + 40 * 10  # what the shared bucket let through in all
    assert played.seconds <= 1.15 * floor / 20
    assert played.throttled < 0.05 * (2000 + played.throttled)


def test_adds_no_delay_where_nothing_throttles() -> None:
    played = _play(Bucket(), Server(1e9, lambda _: 0.0), calls=1000)

    assert played.waited == 0
    assert played.seconds == pytest.approx(1000 / 8 * LATENCY)


def test_retry_after_is_waited_for_by_every_caller() -> None:
    bucket = Bucket()
    assert bucket.take(0) == 0
    bucket.throttled(sent=0, now=1, after=30)

    assert bucket.take(2) == 29
    assert bucket.take(31) == 0


def test_calls_under_way_when_throttling_was_learnt_teach_nothing() -> None:
    bucket = Bucket()
    for _ in range(8):
        bucket.take(0)
        bucket.passed(0)
    bucket.take(0.5)
    bucket.throttled(sent=0.5, now=1)
    learnt = bucket.rate(1)
    bucket.throttled(sent=0.5, now=1)

    assert bucket.rate(1) == learnt


def test_answers_of_one_burst_may_come_in_any_order() -> None:
    first, second = Bucket(), Bucket()
    for bucket in (first, second):
        for _ in range(100):
            bucket.take(0)
            bucket.passed(0)
        bucket.take(0.5)
        bucket.throttled(sent=0.5, now=0.5)
    for _ in range(20):
        first.passed(1.2)
    first.throttled(sent=1.2, now=1.3)
    second.throttled(sent=1.2, now=1.3)
    for _ in range(20):
        second.passed(1.2)

    assert first.rate(1.3) == pytest.approx(second.rate(1.3))
    assert first.rate(1.3) == pytest.approx(20 / 0.8 * 0.97)


def test_a_pause_grows_while_nothing_passes() -> None:
    bucket, now, pauses = Bucket(), 0.0, []
    for _ in range(5):
        assert bucket.take(now) == 0
        bucket.throttled(sent=now, now=now)
        pauses.append(bucket.take(now))
        now += pauses[-1]

    assert pauses == [0.5, 1, 2, 4, 4]


class _Throttled(Exception):
    pass


def _verdict(error: BaseException) -> Retry | None:
    if isinstance(error, _Throttled):
        return Retry(throttled=True, after=1e-6)
    return Retry(throttled=False, after=1e-6) if isinstance(error, ConnectionError) else None


def _failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def send() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return send


def test_a_call_is_retried_while_the_error_may_pass() -> None:
    assert Limiter().call(("k",), _failing(ConnectionError(), _Throttled()), _verdict) == "answer"


def test_the_last_error_is_raised_when_attempts_run_out() -> None:
    with pytest.raises(ConnectionError, match="second"):
        Limiter(attempts=2).call(("k",), _failing(ConnectionError("first"), ConnectionError("second")), _verdict)


def test_an_error_that_does_not_pass_is_raised_at_once() -> None:
    send = _failing(KeyError("denied"), KeyError("never reached"))
    with pytest.raises(KeyError, match="denied"):
        Limiter().call(("k",), send, _verdict)


def test_stop_ends_a_wait() -> None:
    stop = threading.Event()
    limiter = Limiter(stop=stop)
    waiting = threading.Event()

    def send() -> None:
        waiting.set()
        raise _Throttled

    def forever(_: BaseException) -> Retry:
        return Retry(throttled=True, after=3600)

    raised: list[BaseException] = []

    def call() -> None:
        try:
            limiter.call(("k",), send, forever)
        except Interrupted as error:
            raised.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    waiting.wait()
    stop.set()
    caller.join(30)
    assert len(raised) == 1


def test_keys_do_not_slow_each_other() -> None:
    stop = threading.Event()
    limiter = Limiter(attempts=1, stop=stop)
    with pytest.raises(_Throttled):
        limiter.call(("one",), _failing(_Throttled()), lambda _: Retry(throttled=True, after=3600))

    assert limiter.call(("other",), _failing(), _verdict) == "answer"


@pytest.mark.parametrize(("after", "waits"), [(0.0, True), (120.0, False)])
def test_a_call_is_given_up_in_time(after: float, waits: bool) -> None:
    """Neither is it repeated beyond its time, nor is the cloud's own wait begun where it would end beyond it."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    limiter = Limiter(attempts=1000, give_up_after=60, clock=lambda: now[0], sleep=sleep)
    with pytest.raises(_Throttled):
        limiter.call(("k",), _failing(*[_Throttled() for _ in range(1000)]), lambda _: Retry(True, after))

    assert (now[0] > 50) == waits
    assert now[0] < 66


def _refusing(now: list[float]) -> tuple[Limiter, list[float]]:
    """A limiter on a clock that only waiting moves, and the times at which the cloud was asked."""

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return Limiter(attempts=4, clock=lambda: now[0], sleep=sleep), []


def test_what_is_throttled_for_good_is_found_out_once_and_not_for_each_resource() -> None:
    now = [0.0]
    limiter, asked = _refusing(now)

    def refuse() -> None:
        asked.append(now[0])
        raise TimeoutError("slow down")

    for _ in range(1_000):
        with pytest.raises(TimeoutError):
            limiter.call(("aws", "1", "eu", "ec2:Describe"), refuse, lambda _: Retry(throttled=True))

    assert len(asked) == 4
    assert now[0] < 20
    now[0] += 61
    assert limiter.call(("aws", "1", "eu", "ec2:Describe"), lambda: "well again", lambda _: None) == "well again"
    before = now[0]
    assert limiter.call(("aws", "1", "eu", "ec2:Describe"), lambda: "and quick", lambda _: None) == "and quick"
    assert now[0] - before <= 1.0


def test_a_refusal_that_is_told_again_and_again_does_not_grow() -> None:
    """Each raising adds its frames to an error's traceback, and keeps all that they hold."""
    limiter, _ = _refusing([0.0])

    def refuse() -> None:
        raise TimeoutError("slow down")

    for _ in range(100):
        with pytest.raises(TimeoutError) as raised:
            limiter.call(("aws", "1", "eu", "ec2:Describe"), refuse, lambda _: Retry(throttled=True))

    assert len(raised.traceback) < 10


def test_two_refusals_before_anything_passed_say_little_about_the_rate() -> None:
    bucket = Bucket()
    for at in (0.0, 1.0):
        bucket.take(at)
        bucket.throttled(sent=at, now=at)

    assert bucket.rate(1.0) >= 0.9


def test_a_key_through_which_something_passes_is_never_refused_for_others() -> None:
    now = [0.0]
    limiter, _ = _refusing(now)
    key = ("aws", "1", "eu", "ec2:Describe")

    def refuse() -> None:
        raise TimeoutError("slow down")

    def verdict(_: BaseException) -> Retry:
        limiter.call(key, lambda: "passed", lambda _: None)
        return Retry(throttled=True)

    with pytest.raises(TimeoutError):
        limiter.call(key, refuse, verdict)
    assert limiter.call(key, lambda: "fine", lambda _: None) == "fine"
