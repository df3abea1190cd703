"""`python -m benchmarks.limiter`: the limiter in real time against token buckets, told and not told the rate."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from snapbase.collect.limit import Limiter, Rate, Retry

CAPACITY, REFILL, LATENCY = 100.0, 20.0, 0.04
KEYS, CALLS, THREADS = 4, 300, 32
FLOOR = (CALLS - CAPACITY) / REFILL


class Throttled(Exception):
    """The server's bucket is empty."""


class Server:
    """One token bucket per key, asked after half the latency."""

    def __init__(self) -> None:
        self.throttled = 0
        self._lock = threading.Lock()
        self._tokens = dict.fromkeys(range(KEYS), CAPACITY)
        self._at = dict.fromkeys(range(KEYS), time.monotonic())

    def answer(self, key: int) -> None:
        """Raises `Throttled` where the key's bucket is empty."""
        time.sleep(LATENCY / 2)
        with self._lock:
            now = time.monotonic()
            self._tokens[key] = min(CAPACITY, self._tokens[key] + (now - self._at[key]) * REFILL)
            self._at[key] = now
            admitted = self._tokens[key] >= 1
            self._tokens[key] -= admitted
            self.throttled += not admitted
        time.sleep(LATENCY / 2)
        if not admitted:
            raise Throttled


def measure(name: str, limiter: Limiter) -> None:
    """Sends every key's calls through the limiter and prints the time beside the buckets' own floor."""
    server = Server()

    def call(key: int) -> None:
        limiter.call(
            ("aws", str(key), "us-east-1", "ec2:DescribeSnapshotAttribute"),
            lambda: server.answer(key),
            lambda error: Retry(throttled=True) if isinstance(error, Throttled) else None,
        )

    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(call, [key for _ in range(CALLS) for key in range(KEYS)]))
    took = time.monotonic() - began
    share = server.throttled / (KEYS * CALLS + server.throttled)
    print(f"{name:<20}{took:>7.2f} s  {took / FLOOR:.3f} x floor  {server.throttled:>3} throttled ({share:.1%})")


def main() -> None:
    """Prints both rows."""
    print(f"{KEYS} buckets of {CAPACITY:.0f} + {REFILL:.0f}/s, {CALLS} calls each, {THREADS} threads; floor {FLOOR} s")
    measure("not told the rate", Limiter())
    measure("told the rate", Limiter(told=lambda _: Rate(CAPACITY, REFILL)))


if __name__ == "__main__":
    main()
