"""Random approvals, revocations and confirmations: what counts is what replaying the log without the others gives."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from snapbase.store import Store
from tests.baseline_clerk import BELOW_A_PARTIAL, CARRIED_ON, FALLS_BACK, STEPS, WAITS, Clerk
from tests.baseline_player import Step


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, max_size=12))
@example(steps=FALLS_BACK)
@example(steps=CARRIED_ON)
@example(steps=BELOW_A_PARTIAL)
@example(steps=WAITS)
def test_what_counts_is_what_the_log_gives_without_the_revoked_and_the_waiting(
    fresh: Callable[[], Any], steps: list[Step]
) -> None:
    with fresh() as opened:
        store: Store = opened
        Clerk(store).play([("read", 0, "complete", {}), *steps])
        assert store.verify_baselines().problems == ()
