"""Subscriptions and projects that went over to somebody else are ours no more."""

from collections.abc import Iterable, Iterator
from datetime import date

import pytest

from snapbase.model import ANYWHERE, Outcome, Principal, PrincipalKind, Resource, ResourceType, Scope
from snapbase.operations import trusting
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.trust import TrustClass
from tests.store.world import minute, reading, seen

KEPT, SOLD = (f"aaaaaaaa-0000-4000-8000-00000000000{each}" for each in "ab")
GONE, DENIED, COMPLETE = Outcome.DISABLED, Outcome.DENIED, Outcome.COMPLETE


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, write=True) as opened:
        yield opened


def _run(store: Store, at: int, sold: str, shut: Iterable[Scope] = (), config: Config | None = None) -> None:
    """A run in which all that is known of the second subscription was read like this."""
    previous = trusting.of_run(store, store.last_run())
    number = store.begin_run("", "", minute(at))
    for account, outcome in ((KEPT, COMPLETE), (SOLD, sold)):
        attributes = {"subscription_id": account, "tenant_id": "ours"}
        uid = f"/subscriptions/{account}"
        found = Resource(uid=uid, address=uid, type=ResourceType.CONTAINER, attributes=attributes)
        listed = [seen(found)] if outcome == COMPLETE else []
        store.record(number, reading(Scope("azure", account, "global", "azure.rbac"), at, listed, outcome))
        store.record(number, reading(Scope("azure", account, "global", "azure.compute.snapshot"), at, [], outcome))
    for scope in shut:
        store.record(number, reading(scope, at, [], DENIED))
    rev = store.head()
    told = list(store.states(rev, kinds=trusting.TELLING))
    trust = trusting.trust_now(store, config or Config(), rev, previous, told)
    store.finish_run(number, trust=trusting.to_bytes(trust), at=minute(at))


def _trusted(store: Store, account: str = SOLD) -> TrustClass:
    holder = Principal(PrincipalKind.SUBSCRIPTION, account)
    return trusting.of_run(store, store.last_run()).judge(holder, account=KEPT, kind="", on=date(2026, 11, 25)).trust


def test_one_that_its_cloud_lists_no_more_is_ours_no_more_until_it_is_read_again(store: Store) -> None:
    classes = []
    for at, sold in enumerate((COMPLETE, GONE, GONE, GONE, COMPLETE), 1):
        _run(store, at, sold)
        classes.append(_trusted(store))

    assert classes == [TrustClass.ORG, TrustClass.ORG, TrustClass.FORMER_ORG, TrustClass.FORMER_ORG, TrustClass.ORG]
    assert _trusted(store, KEPT) == TrustClass.OWN


@pytest.mark.parametrize(
    ("sold", "shut"),
    [
        (DENIED, ()),
        (Outcome.THROTTLED, ()),
        (GONE, (Scope("azure", SOLD, ANYWHERE, ANYWHERE),)),
        (GONE, (Scope("azure", ANYWHERE, ANYWHERE, ANYWHERE),)),
        (GONE, (Scope("azure", "folders/7", ANYWHERE, ANYWHERE),)),
    ],
    ids=["refused", "throttled", "disabled, but there", "not all could be listed", "below what was not listed"],
)
def test_one_that_was_not_read_for_another_reason_stays_ours(store: Store, sold: str, shut: tuple[Scope, ...]) -> None:
    for at, outcome in enumerate((COMPLETE, sold, sold), 1):
        _run(store, at, outcome, shut if outcome == sold else ())

    assert _trusted(store) == TrustClass.ORG


def test_one_that_was_taken_from_the_configuration_stays_ours(store: Store) -> None:
    written = Config.model_validate({"azure": [{"subscriptions": [KEPT]}]})
    for at, outcome in enumerate((COMPLETE, GONE, GONE), 1):
        _run(store, at, outcome, config=written)

    assert _trusted(store) == TrustClass.ORG
