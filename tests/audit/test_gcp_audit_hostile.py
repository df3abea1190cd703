"""No entry, however mangled, raises."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.audit.gcp_audit import AUDIT_LOG
from snapbase.audit.log import Broken
from snapbase.event import Event
from tests.audit.gcp_records import (
    CASES,
    EVE,
    NIGHTLY,
    SNAPSHOT,
    SQL,
    STORAGE,
    VAULT,
    bindings,
    deltas,
    parsed,
    path,
    record,
)

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**40, float("nan"), "projects/" * 300, "\ud800", "\x00"])
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BASES = [record(*case[:3]) for case in CASES]
BASES += [
    record("v1.compute.snapshots.setIamPolicy", path(SNAPSHOT), bindings(EVE), **deltas(("ADD", STORAGE, EVE))),
    record("SetIamPolicy", "projects/p", bindings(EVE), serviceName="cloudresourcemanager.googleapis.com"),
    record("google.cloud.backupdr.v1.BackupDR.DeleteBackup", VAULT, serviceName="backupdr.googleapis.com"),
]


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in _places(each, (*at, key)))]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_record_however_mangled_raises(data: st.DataObject) -> None:
    entry = copy.deepcopy(data.draw(st.sampled_from(BASES)))
    for _ in range(data.draw(st.integers(1, 4))):
        *way, last = data.draw(st.sampled_from(_places(entry)[1:]))
        inside: Any = entry
        for key in way:
            inside = inside[key]
        inside[last] = data.draw(JUNK)

    AUDIT_LOG.recognise(entry)
    found = AUDIT_LOG.parse(entry)

    assert found is None or isinstance(found, Event | Broken)
    if isinstance(found, Event):
        assert list(AUDIT_LOG.fold([found, found]))[1:] == []
        assert all(len(each) < 4096 for each in (*found.subjects, found.detail, found.id))


@pytest.mark.parametrize(
    "number", [10**5000, -(10**30), True, 1.5, "9" * 400, [3]], ids=lambda each: type(each).__name__
)
def test_a_number_that_is_none_is_left_out(number: Any) -> None:
    """Python refuses to write integers of more than 4,300 digits."""
    kept = {"snapshotSchedulePolicy": {"retentionPolicy": {"maxRetentionDays": number}}}

    assert parsed("compute.resourcePolicies.patch", NIGHTLY, kept).detail == ""
    assert parsed("cloudsql.backupRuns.delete", "", {"instance": "crm", "id": number}).subjects == (
        f"{SQL}/instances/crm",
    )
