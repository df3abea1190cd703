"""A collector's runtime that never waits."""

from snapbase.collect.limit import Limiter
from snapbase.collect.runtime import Runtime


def runtime() -> Runtime:
    """Three attempts, on a clock that only waiting moves."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return Runtime(threads=2, limiter=Limiter(attempts=3, clock=lambda: now[0], sleep=sleep))
