"""A second of `make fuzz`: damaged records of every log, the same ones every time."""

import json

from fuzz.mutation import chooser, seeds
from fuzz.reading import read
from snapbase.audit.files import parse, unpack
from snapbase.audit.log import audit_logs
from snapbase.event import Event


def test_damaged_records_of_every_log_raise_nothing() -> None:
    choose = chooser(1)

    said = {read(choose) for _ in range(5_000)}

    assert {"event", "broken", "passed over"} <= said


def test_the_undamaged_ones_are_events_of_every_log() -> None:
    found = [parse(record, audit_logs()) for seed in seeds() for record in unpack(json.loads(seed))]  # type: ignore[arg-type]

    assert {each.cloud for each in found if isinstance(each, Event)} == {log.cloud for log in audit_logs()}
