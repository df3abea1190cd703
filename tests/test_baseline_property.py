"""Random histories, writers, trusted lists and approvals, against an oracle that keeps full copies of everything."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.baseline_oracle import RANKS
from tests.baseline_player import ACCOUNTS, CONTENTS, LATER, OUTCOMES, SOLD, SUNDAYS, Player, Step, of_a

_number = st.integers(0, 1)
_step = st.one_of(
    st.tuples(st.just("read"), _number, OUTCOMES, CONTENTS),
    st.tuples(st.just("both"), st.lists(st.tuples(_number, _number, OUTCOMES, CONTENTS, st.integers(0, 9)), max_size=4),
              st.booleans()),
    st.tuples(st.just("trust"), st.dictionaries(st.sampled_from(ACCOUNTS), st.sampled_from(sorted(RANKS)))),
    st.tuples(st.just("whole"), st.sets(st.integers(0, 7))),
    st.tuples(st.just("single"), st.integers(0, 7), st.sampled_from([None, None, 1, 3])),
)  # fmt: skip
HELD_WIDENING = [("whole", set()), ("trust", {ACCOUNTS[0]: "trusted"}), ("whole", {0}), LATER]
"""An addition to the trusted list that somebody held back stays a finding."""
HELD_OVER_A_DATE = [of_a(), ("whole", set()), of_a(SOLD), ("single", 0, 3), of_a(SUNDAYS), ("whole", {0}),
                    LATER, LATER]  # fmt: skip
"""Held back above an approval with an end: when that ends, what is held back is still not approved."""
TWO_DATES = [of_a(), ("whole", set()), of_a(SOLD), ("single", 0, 3), of_a(SUNDAYS), ("single", 0, 3),
             ("whole", set()), LATER, LATER]  # fmt: skip
"""Of two approvals with an end the newer one counts, also after the whole was approved."""


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(_step, max_size=10))
@example(steps=HELD_WIDENING)
@example(steps=HELD_OVER_A_DATE)
@example(steps=TWO_DATES)
def test_every_diff_against_every_baseline_is_what_full_copies_say(fresh: Callable[[], Any], steps: list[Step]) -> None:
    with fresh() as store:
        Player(store).play([("read", 0, "complete", {}), *steps])
