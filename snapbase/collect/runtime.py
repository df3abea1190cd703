"""What one run's collectors share: the limiter, a pool for calls inside a scope, answers asked once, and the ledger."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf
from typing import Any, TypeVar

from snapbase.collect.limit import Limiter
from snapbase.collect.stopping import Interrupted

T = TypeVar("T")
R = TypeVar("R")


class Runtime:
    """Shared by every thread of one run. Close it when the run ends."""

    def __init__(
        self,
        *,
        threads: int = 16,
        limiter: Limiter | None = None,
        stop: threading.Event | None = None,
        sample: float = 0.01,
        give_up_after: float = inf,
    ) -> None:
        self.sample = sample
        """Share of the inferred resources whose sharing is read anyway."""
        self.stop = stop or threading.Event()
        self.limiter = limiter or Limiter(stop=self.stop, give_up_after=give_up_after)
        self.operations: set[str] = set()
        """Every cloud operation called in this run, e.g. `ec2:DescribeSnapshots`: proof that nothing else was."""
        self._calls = ThreadPoolExecutor(threads, thread_name_prefix="call")
        self._threads = threads
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Any]] = {}

    def map(self, ask: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """`ask(item)` for every item, concurrently, in order, never more than a window ahead of the reader.

        Only a scope's own reader may call this, never a function that is itself run by it.
        """
        window: deque[Future[R]] = deque()
        try:
            for item in items:
                if self.stop.is_set():
                    raise Interrupted
                window.append(self._calls.submit(ask, item))
                if len(window) > 2 * self._threads:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            for future in window:
                future.cancel()

    def once(self, key: Hashable, ask: Callable[[], R]) -> R:
        """The answer of the first `ask` for this key; others wait for it, and get its error if it failed."""
        with self._lock:
            future = self._answers.get(key)
            mine = future is None
            if future is None:
                future = self._answers[key] = Future()
        if mine:
            try:
                future.set_result(ask())
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def close(self) -> None:
        self._calls.shutdown(wait=True, cancel_futures=True)
