"""The queues of a watch: each listened to by a thread of its own, for hints of what to read again.

An event of a queue is neither kept nor said to be true: whoever may send to the queue can write one about any account.
It names scopes, which are then read from the cloud itself; that it was done, and by whom, is said once the audit log
has it. A hint that is lost, with its message, by a crash or because there were too many, costs time and nothing else.
"""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from snapbase.audit import aws_queue, gcp_queue
from snapbase.audit.cloudtrail import AUDIT_LOG as CLOUDTRAIL
from snapbase.audit.queue import Heard
from snapbase.collect.collector import cloud
from snapbase.collect.runtime import Runtime
from snapbase.collect.stopping import Interrupted
from snapbase.errors import CredentialsError
from snapbase.event import Event
from snapbase.model import Cloud, Miss, Outcome
from snapbase.operations.touching import TOUCHING, touches
from snapbase.settings import AwsEntry, Config, GcpEntry

_HINTS, _REMEMBERED = 5_000, 20_000
"""Events that wait to be looked at, and ids that are known again; the oldest go first."""
_AGAIN = 3
"""Deliveries of one message that are no accident: clouds promise at least one."""
_BREATH, _SLICE = 1.0, 0.2
"""Seconds between requests of which the last gave nothing new, and between looks at whether to stop."""
_LONGEST = 300.0
"""Seconds after which a queue that cannot be heard is tried again, at most."""
_PATIENCE = 10.0
"""Seconds for which a request is repeated before the queue counts as not heard."""


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue of one entry."""

    cloud: str
    name: str
    """An SQS queue's URL, or a Pub/Sub subscription."""
    entry: Any
    probe: Callable[[Any, str], None]
    receive: Callable[[Any, str], Heard]
    refused: Callable[[Exception], Miss | None]
    sign_in: Callable[[Any, Runtime], Any]
    """Gives what `probe` and `receive` ask through."""


def of_entry(entry: object) -> Queue | None:
    """The queue that an entry has, if it has any."""
    if isinstance(entry, AwsEntry) and entry.queue:
        return Queue(Cloud.AWS, entry.queue, entry, aws_queue.probe, aws_queue.receive, aws_queue.refused, _of_aws)
    if isinstance(entry, GcpEntry) and entry.subscription:
        return Queue(
            Cloud.GCP, entry.subscription, entry, gcp_queue.probe, gcp_queue.receive, gcp_queue.refused, _of_gcp
        )
    return None


def configured(config: Config) -> Iterator[Queue]:
    """Every queue, once."""
    found = filter(None, map(of_entry, (*config.aws, *config.gcp)))
    yield from {(each.cloud, each.name): each for each in found}.values()


def _of_aws(entry: AwsEntry, runtime: Runtime) -> Any:
    from snapbase.collect.aws.cloud import AwsConnection

    clients = AwsConnection(entry, runtime).clients
    return clients.reader("sqs", region_of(entry.queue or "") or clients.home)


def _of_gcp(entry: GcpEntry, runtime: Runtime) -> Any:
    from snapbase.collect.gcp.session import Session

    return Session(entry, runtime).pull


def region_of(url: str) -> str:
    """The region in an SQS queue's URL; empty where it has none."""
    service, _, rest = (urlsplit(url).hostname or "").partition(".")
    return rest.partition(".")[0] if service == "sqs" else ""


def arn(url: str, partition: str, home: str) -> str:
    """An SQS queue's ARN, as a policy names it."""
    _, account, name = urlsplit(url).path.split("/")
    return f"arn:{partition}:sqs:{region_of(url) or home}:{account}:{name}"


def tried(queue: Queue, runtime: Runtime) -> Miss | None:
    """One request to a queue that takes nothing from whoever listens; what is wrong, None if nothing."""
    try:
        queue.probe(queue.sign_in(queue.entry, runtime), queue.name)
    except Exception as error:
        miss = _refused(queue, error)
        if miss is None:
            raise
        return miss
    return None


def event_pattern() -> dict[str, Any]:
    """The pattern of the EventBridge rule: in EC2, whose changes are many, by name; of other services all.

    EventBridge takes 2,048 characters of it (EventBridge quotas, "Event pattern size").
    """
    names = sorted({name for each in CLOUDTRAIL.behaviours if each.action in TOUCHING for name in each.names})
    services = dict.fromkeys(name.partition(":")[0] for name in names)
    loud = [name.partition(":")[2] for name in names if name.startswith("ec2:")]
    others = [f"{each}.amazonaws.com" for each in services if each != "ec2"]
    return {
        "source": [{"prefix": "aws."}],
        "detail-type": ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"],
        "detail": {"$or": [{"eventSource": ["ec2.amazonaws.com"], "eventName": loud}, {"eventSource": others}]},
    }


class Queues:
    """All queues of a configuration, heard from now on until closed."""

    def __init__(self, config: Config, stop: threading.Event) -> None:
        self._stop, self._ended, self._woken = stop, threading.Event(), threading.Event()
        self._every = config.watch.every
        self._lock = threading.Lock()
        self._hints: deque[Event] = deque(maxlen=_HINTS)
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._delivered: Counter[tuple[str, str]] = Counter()
        self._notes: dict[str, str] = {}
        self._since: datetime | None = None
        for queue in configured(config):
            # Nobody waits for a thread that waits for a cloud: it ends with the process.
            threading.Thread(target=self._listen, args=(queue,), name=f"queue-{queue.cloud}", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Until something is heard, which is told by True, or the time is over, or the watch is stopped."""
        until = time.monotonic() + seconds
        while not self._stop.is_set():
            left = until - time.monotonic()
            if self._woken.wait(max(0.0, min(left, _SLICE))):
                return True
            if left <= 0:
                break
        return False

    def take(self) -> list[Event]:
        """What was heard since the last time."""
        with self._lock:
            self._woken.clear()
            found = list(self._hints)
            self._hints.clear()
        return found

    def pass_over(self, before: datetime) -> None:
        """What was done before is no news from now on: everything was read since.

        A queue that keeps for days what it gives again every few seconds would have it all read again for ever.
        """
        with self._lock:
            self._since = before

    def notes(self) -> dict[str, str]:
        """What must be said of the queues now, by what it is about."""
        with self._lock:
            return dict(self._notes)

    def close(self) -> None:
        self._ended.set()

    def _listen(self, queue: Queue) -> None:
        runtime = Runtime(threads=1, stop=self._ended, give_up_after=_PATIENCE)
        handle: Any = None
        failures = 0
        while not self._ended.is_set():
            try:
                handle = handle or queue.sign_in(queue.entry, runtime)
                is_new = self._took(queue, queue.receive(handle, queue.name))
            except Interrupted:
                break
            except Exception as error:
                handle, failures = None, failures + 1
                miss = _refused(queue, error) or Miss(Outcome.FAILED, f"a bug in snapbase: {type(error).__name__}")
                self._not_heard(queue, miss)
                self._ended.wait(min(2.0 ** min(failures, 20), _LONGEST))
                continue
            failures = 0
            self._say(queue, "heard", "")
            if not is_new:
                self._ended.wait(_BREATH)
        runtime.close()

    def _took(self, queue: Queue, found: Heard) -> bool:
        """Keeps what is new and may have changed something; whether any message was new."""
        with self._lock:
            new = [self._first((queue.name, each)) for each in found.messages]
            late = [each for each in found.events if self._since is None or each.at >= self._since]
            fresh = [each for each in late if touches(each) and self._first((each.cloud, each.id, each.result))]
            self._hints.extend(fresh)
            if fresh:
                self._woken.set()
            self._delivered.update((queue.name, each) for each in found.messages)
            often = any(self._delivered[queue.name, each] >= _AGAIN for each in found.messages)
            if len(self._delivered) > _REMEMBERED:
                self._delivered.clear()
        if found.foreign:
            self._say(queue, "foreign", f"{queue.name} has messages that are no audit events: {_FILTER[queue.cloud]}")
        if often:
            self._say(queue, "again", f"{queue.name} gives the same messages again: {_SETTINGS[queue.cloud]}")
        return any(new)

    def _first(self, key: Hashable) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _not_heard(self, queue: Queue, miss: Miss) -> None:
        why = f"{queue.name} is not heard ({miss.outcome}): {miss.reason.rstrip('.')}."
        self._say(queue, "heard", f"{why} The audit logs are asked all the same, every {self._every:g} s.")

    def _say(self, queue: Queue, what: str, words: str) -> None:
        with self._lock:
            if words:
                self._notes[f"{queue.name} {what}"] = words
            else:
                self._notes.pop(f"{queue.name} {what}", None)


_FILTER: Mapping[str, str] = {
    Cloud.AWS: "`snapbase policy aws --format event-pattern` prints the rule's pattern; who else may send to it?",
    Cloud.GCP: "`snapbase policy gcp --format sink-filter` prints the sink's filter; who else may publish to it?",
}
_SETTINGS: Mapping[str, str] = {
    Cloud.AWS: "make its visibility timeout as long as its retention.",
    Cloud.GCP: "make its ack deadline and its retention 600 s each.",
}


def _refused(queue: Queue, error: Exception) -> Miss | None:
    """Why a queue cannot be heard; None: not a cloud's answer, so a bug."""
    if isinstance(error, CredentialsError):
        return Miss(Outcome.DENIED, f"{error.message} {error.hint}".strip())
    return queue.refused(error) or cloud(queue.cloud).classify(error)
