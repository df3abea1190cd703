"""One switchboard for what can go wrong in a cloud, per cloud, account, location and operation."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class FaultKind(StrEnum):
    DENIED = "denied"
    SCP_DENIED = "scp-denied"
    """AWS only: an explicit deny in a service control policy."""
    EXPIRED = "expired"
    """The credentials are no longer good."""
    THROTTLED = "throttled"
    """The cloud's own throttling answer, with Retry-After where the cloud sends it."""
    ERROR = "error"
    """A 5xx."""
    UNIMPLEMENTED = "unimplemented"
    """An answer no SDK can parse (HTML 500)."""
    DISABLED = "disabled"
    """The region is not enabled, the API not switched on, the subscription disabled."""
    SLOW = "slow"
    TRUNCATED = "truncated"
    """The body ends in the middle."""
    RESET = "reset"
    """The connection is reset before an answer."""


@dataclass(slots=True)
class Fault:
    """What goes wrong, where. Patterns are shell globs; `times` None means until healed."""

    kind: FaultKind
    cloud: str = "*"
    account: str = "*"
    location: str = "*"
    operation: str = "*"
    """The SDK's operation as the collectors name it, e.g. `ec2:DescribeSnapshots`."""
    times: int | None = None
    skip: int = 0
    """How many matching calls pass before the first fault."""
    seconds: float = 0.2
    struck: int = field(default=0, compare=False)


class Switchboard:
    """Holds the faults; every endpoint asks it once per request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._allowed: dict[str, frozenset[str]] = {}
        self.calls: list[tuple[str, str, str, str]] = []
        """Every request answered, as (cloud, account, location, operation)."""

    def break_(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def heal(self, fault: Fault | None = None) -> None:
        """Takes back one fault, or all of them and what was permitted."""
        with self._lock:
            if fault is None:
                self._allowed.clear()
            self._faults = [] if fault is None else [each for each in self._faults if each is not fault]

    def permit(self, cloud: str, operations: Iterable[str]) -> None:
        """Only these operations are allowed in a cloud until healed; every other one is denied."""
        with self._lock:
            self._allowed[cloud] = frozenset(operations)

    def strike(self, cloud: str, account: str, location: str, operation: str) -> Fault | None:
        """The fault that hits this request, if any, counted as used."""
        where = (cloud, account, location, operation)
        with self._lock:
            self.calls.append(where)
            for fault in self._faults:
                patterns = (fault.cloud, fault.account, fault.location, fault.operation)
                if not all(fnmatchcase(value, pattern) for value, pattern in zip(where, patterns, strict=True)):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times is not None and fault.struck >= fault.times:
                    continue
                fault.struck += 1
                return fault
            allowed = self._allowed.get(cloud)
        return None if allowed is None or operation in allowed else Fault(FaultKind.DENIED)
