"""Signing in, finding subscriptions, and every way a call can fail: the right outcome, and words that help."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from snapbase.collect.azure import compute_snapshot
from snapbase.collect.azure.errors import Unread, classify, verdict
from snapbase.collect.azure.fields import moment
from snapbase.collect.azure.generic import LIST_GROUPS
from snapbase.collect.azure.session import AzureConnection
from snapbase.collect.azure.signin import PUBLIC, SignIn, origin
from snapbase.collect.collector import Target, cloud, collectors
from snapbase.collect.limit import Limiter, Retry
from snapbase.collect.runtime import Runtime
from snapbase.model import ANYWHERE, Miss, Outcome, Scope
from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.estate import Body
from snapbase.sandbox.azure.server import SUBSCRIPTIONS, TENANT, AzureSandbox
from snapbase.sandbox.faults import FaultKind, Switchboard
from snapbase.settings import AzureEntry
from tests.collect.azure.arm import GROUP, HERE, SUBSCRIPTION, WHO, Arm
from tests.collect.azure.makers import BESIDE, MAKERS

SNAPSHOTS = "Microsoft.Compute/snapshots/read"
LISTING = "Microsoft.Resources/subscriptions/read"
DESCENDANTS = "Microsoft.Management/managementGroups/descendants/read"
APPLICATION = "00000000-0000-4000-8000-0000000000aa"
READ_ONLY = {
    LISTING,
    DESCENDANTS,
    *(permission for kind in collectors("azure") for permission in kind.permissions),
}


class _Canned(AzureSandbox):
    """Answers everything with one body."""

    body = ""

    def answer(self, method: str, target: str, body: Body) -> Answer:
        return Answer(200, headers={"Content-Type": "application/json"}, raw=self.body.encode())


@pytest.fixture
def canned() -> Iterator[_Canned]:
    sandbox = _Canned(Switchboard())
    sandbox.start()
    yield sandbox
    sandbox.stop()


def _listed(canned: _Canned, body: str) -> list[Target]:
    canned.body = body
    runtime = Runtime(threads=1, limiter=Limiter(attempts=2, sleep=lambda _: None))
    return list(AzureConnection(AzureEntry(endpoint=canned.url), runtime).targets())


def _targets(arm: Arm, *subscriptions: str) -> dict[str, Target]:
    return {target.account: target for target in arm.connect(subscriptions).targets()}


def _failure(arm: Arm) -> Miss:
    """How reading the snapshots fails."""
    with pytest.raises(Unread) as refused:
        arm.snapshots()
    miss = classify(refused.value)
    assert miss is not None
    return miss


def test_every_visible_subscription_is_a_target(arm: Arm) -> None:
    arm.sandbox.page_size = 1

    found = _targets(arm)

    assert set(found) == set(SUBSCRIPTIONS)
    assert all(target.location == "global" and target.failure is None for target in found.values())
    assert found[SUBSCRIPTION].label == "Shop Production"


def test_a_configured_subscription_that_is_not_visible_is_said(arm: Arm) -> None:
    found = _targets(arm, SUBSCRIPTION, WHO)

    assert found[SUBSCRIPTION].failure is None
    assert found[WHO].location == ANYWHERE
    failure = found[WHO].failure
    assert failure is not None
    assert failure.outcome == Outcome.DENIED
    assert WHO in failure.reason


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("Disabled", "disabled"), ("Deleted", "disabled"), ("Warned", None), ("PastDue", None), ("NewState", None)],
)
def test_only_subscriptions_that_are_switched_off_are_left_out(arm: Arm, state: str, outcome: str | None) -> None:
    arm.sandbox.estate.subscriptions[SUBSCRIPTION]["state"] = state

    failure = _targets(arm)[SUBSCRIPTION].failure

    assert (failure.outcome if failure else None) == outcome


def test_subscriptions_that_cannot_be_listed_fail_one_by_one_or_together(arm: Arm) -> None:
    arm.fault(FaultKind.DENIED, LISTING)

    configured = _targets(arm, *SUBSCRIPTIONS)
    assert {each.failure.outcome for each in configured.values() if each.failure} == {Outcome.DENIED}
    assert set(configured) == set(SUBSCRIPTIONS)
    with pytest.raises(Unread):
        _targets(arm)


FAULTS = [
    (FaultKind.DENIED, Outcome.DENIED, "grant this action"),
    (FaultKind.EXPIRED, Outcome.DENIED, "sign in again"),
    (FaultKind.THROTTLED, Outcome.THROTTLED, "lower collect.threads"),
    (FaultKind.ERROR, Outcome.FAILED, "answered 503"),
    (FaultKind.UNIMPLEMENTED, Outcome.FAILED, "answered 500"),
    (FaultKind.DISABLED, Outcome.DISABLED, "Microsoft.Compute is not registered"),
    (FaultKind.TRUNCATED, Outcome.FAILED, "run again"),
    (FaultKind.RESET, Outcome.FAILED, "got no answer"),
]


@pytest.mark.parametrize(("kind", "outcome", "words"), FAULTS)
def test_each_fault_has_its_outcome_and_its_words(arm: Arm, kind: FaultKind, outcome: str, words: str) -> None:
    arm.snapshot("one")
    arm.fault(kind, SNAPSHOTS)

    miss = _failure(arm)

    assert miss.outcome == outcome
    assert words in miss.reason
    assert SUBSCRIPTION in miss.reason
    assert len(miss.reason) <= 300
    assert "faketoken" not in miss.reason


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.ERROR, FaultKind.TRUNCATED, FaultKind.RESET])
def test_what_passes_is_retried_and_leaves_no_trace(arm: Arm, kind: FaultKind) -> None:
    arm.snapshot("one")
    arm.fault(kind, SNAPSHOTS, times=1)

    assert set(arm.snapshots()) == {"one"}


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.EXPIRED, FaultKind.DISABLED])
def test_what_does_not_pass_is_asked_once(arm: Arm, kind: FaultKind) -> None:
    fault = arm.fault(kind, SNAPSHOTS)

    _failure(arm)

    assert fault.struck == 1


def test_an_unregistered_provider_is_not_registered_by_reading(arm: Arm) -> None:
    """The SDK's own pipeline would: a write."""
    arm.fault(FaultKind.DISABLED, SNAPSHOTS)
    arm.switchboard.calls.clear()

    _failure(arm)

    assert {call[3] for call in arm.switchboard.calls} <= READ_ONLY


def test_a_slow_answer_is_an_answer(arm: Arm) -> None:
    arm.snapshot("one")
    arm.fault(FaultKind.SLOW, SNAPSHOTS).seconds = 0.0

    assert set(arm.snapshots()) == {"one"}


def test_a_disabled_subscription_refuses_in_words(arm: Arm) -> None:
    arm.fault(FaultKind.DISABLED, LIST_GROUPS)
    with pytest.raises(Unread) as refused:
        arm.containers()

    miss = classify(refused.value)

    assert miss is not None
    assert miss.outcome == Outcome.DISABLED
    assert "DisabledSubscription" in miss.reason


def test_a_subscription_that_went_away_is_not_empty(arm: Arm) -> None:
    handle = arm.target().handle
    del arm.sandbox.estate.subscriptions[SUBSCRIPTION]

    with pytest.raises(Unread) as refused:
        list(compute_snapshot.read(handle, Scope("azure", SUBSCRIPTION, "global", "azure.compute.snapshot")))

    miss = classify(refused.value)
    assert miss is not None
    assert miss.outcome == Outcome.DENIED
    assert "no such subscription" in miss.reason


@pytest.mark.parametrize("body", ["{}", '{"value": null}', '{"value": ["x"]}', "[]", "null", '"text"', "not json"])
def test_an_answer_without_a_list_is_not_an_empty_list(canned: _Canned, body: str) -> None:
    with pytest.raises(Unread) as refused:
        _listed(canned, body)

    miss = classify(refused.value)
    assert miss is not None
    assert miss.outcome == Outcome.FAILED
    assert "could not be understood" in miss.reason


def test_a_list_that_leads_in_a_circle_ends(canned: _Canned) -> None:
    with pytest.raises(Unread):
        _listed(canned, json.dumps({"value": [], "nextLink": f"{canned.url}/subscriptions?page=2"}))


@pytest.mark.parametrize(
    ("link", "same"),
    [
        ("https://management.azure.com:443/subscriptions?page=2", True),
        ("https://Management.Azure.com/subscriptions", True),
        ("http://management.azure.com/subscriptions", False),
        ("https://management.azure.com.evil.example/subscriptions", False),
        ("https://management.azure.com@evil.example/", False),
        ("https://management.azure.com:444/", False),
        ("https://management.azure.com:port/", False),
        ("https://[", False),
    ],
)
def test_which_links_lead_to_the_endpoint(link: str, same: bool) -> None:
    assert (origin(link) == origin(PUBLIC)) is same


def test_a_bug_is_not_an_outcome() -> None:
    assert classify(KeyError("x")) is None
    assert classify(RuntimeError("x")) is None
    assert verdict(KeyError("x")) is None


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("99999999", 600.0),
        ("nonsense", 0.0),
        ("nan", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2999 07:28:00 GMT", 600.0),
        (None, 0.0),
    ],
)
def test_retry_after_is_obeyed_within_reason(header: str | None, after: float) -> None:
    from types import SimpleNamespace

    from azure.core.exceptions import HttpResponseError

    headers = {} if header is None else {"Retry-After": header}
    response = SimpleNamespace(status_code=429, reason="", headers=headers, text=lambda **_: "", content_type="")

    assert verdict(HttpResponseError(response=response)) == Retry(throttled=True, after=after)


def test_an_error_code_that_is_not_one_never_reaches_a_report() -> None:
    evil = "\x1b[31m<script>" + "A" * 400
    error = _refusal(400, evil)

    miss = classify(error)

    assert miss is not None
    assert "script" not in miss.reason
    assert len(miss.reason) <= 300


def test_only_reading_operations_are_called_and_each_is_declared(arm: Arm) -> None:
    for maker in (*MAKERS, *BESIDE):
        maker.make(arm, "one")
    arm.writer.assign(HERE, roles.CONTRIBUTOR, WHO, "User")
    arm.writer.assign(HERE, roles.CONTRIBUTOR, APPLICATION, "ServicePrincipal")
    arm.writer.assign(HERE, "99999999-0000-4000-8000-000000000000", WHO, "User")
    arm.switchboard.calls.clear()

    asked = set()
    list(arm.connect().targets())
    for kind in collectors("azure"):
        arm.read(kind)
        asked |= arm.runtime.operations
        assert arm.runtime.operations - {LISTING} <= set(kind.permissions), kind.kind

    assert asked | {DESCENDANTS} == {call[3] for call in arm.switchboard.calls}
    # The definitions of delegations come with them, by a permission of their own.
    assert asked | {DESCENDANTS} == READ_ONLY - {"Microsoft.ManagedServices/registrationDefinitions/read"}
    assert all(each.endswith("/read") or each.startswith("graph:") for each in READ_ONLY)


def test_a_next_link_to_another_host_never_gets_the_token(arm: Arm) -> None:
    elsewhere = AzureSandbox(Switchboard())
    elsewhere.start()
    for number in range(2):
        arm.snapshot(f"daily-{number}")
    handle = arm.target().handle
    list_here = arm.sandbox.page
    arm.sandbox.page_size = 1

    def page(found: list[Any], path: str, query: Any) -> Answer:
        answer = list_here(found, path, query)
        if path.endswith("/snapshots") and "nextLink" in answer.body:
            answer.body["nextLink"] = answer.body["nextLink"].replace(arm.url, elsewhere.url)
        return answer

    arm.sandbox.page = page  # type: ignore[method-assign]
    try:
        with pytest.raises(Unread) as refused:
            list(compute_snapshot.read(handle, Scope("azure", SUBSCRIPTION, "global", "x")))
    finally:
        elsewhere.stop()

    miss = classify(refused.value)
    assert miss is not None
    assert miss.outcome == Outcome.FAILED
    assert elsewhere.switchboard.calls == []


def test_the_collectors_own_clients_cannot_write(arm: Arm) -> None:
    arm.snapshot("daily")
    arm.switchboard.calls.clear()
    compute = arm.target().handle.compute

    with pytest.raises(RuntimeError, match="only reads"):
        compute.snapshots.begin_grant_access(GROUP, "daily", {"access": "Read", "durationInSeconds": 60})

    assert {call[3] for call in arm.switchboard.calls} == {LISTING}


def test_the_kinds_and_the_cloud_load_without_an_sdk() -> None:
    code = (
        "import sys; from snapbase.collect.collector import cloud, collectors; collectors('azure'); cloud('azure');"
        "sys.exit(any(name == 'azure' or name.startswith('azure.') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {each.kind for each in (*MAKERS, *BESIDE)} < {each.kind for each in collectors("azure")}
    assert cloud("azure").name == "azure"


def test_the_sandbox_is_told_apart_from_a_real_endpoint(arm: Arm) -> None:
    assert arm.connect().identity() == f"sandbox at {arm.url}"
    real = SignIn(AzureEntry(tenant_id=TENANT))
    assert (real.endpoint, real.local) == (PUBLIC, False)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2016-12-28T04:47:30.6630569+00:00", "2016-12-28T04:47:30.663056+00:00"),
        ("2016-12-28T04:47:30Z", "2016-12-28T04:47:30+00:00"),
        ("2016-12-28T06:47:30+02:00", "2016-12-28T04:47:30+00:00"),
        ("2016-12-28T04:47:30", "2016-12-28T04:47:30+00:00"),
        ("yesterday", None),
        (7, None),
        (None, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_as_arm_writes_them(sent: object, read: str | None) -> None:
    found = moment(sent)

    assert (found.isoformat() if found else None) == read


def _refusal(status: int, code: str) -> Exception:
    from types import SimpleNamespace

    from azure.core.exceptions import HttpResponseError, ODataV4Format

    response = SimpleNamespace(status_code=status, reason="", headers={}, text=lambda **_: "", content_type="")
    error = HttpResponseError(response=response)
    error.error = ODataV4Format({"code": code, "message": "no"})
    return error
