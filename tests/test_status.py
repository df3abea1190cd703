"""`status`: which run is the last that read everything, however many narrower ones came after it."""

from snapbase.operations.inventory import health
from snapbase.store import Store
from tests.store.world import EUROPE, minute, reading, seen, snapshot


def test_rounds_that_read_a_part_do_not_push_the_last_full_run_out(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        for number in range(1, 252):
            run = store.begin_run("" if number == 1 else "audit logs", "", minute(number))
            if number == 1:
                store.record(run, reading(EUROPE, 1, [seen(snapshot("a"))]))
            store.finish_run(run, trust=b"{}", at=minute(number))

        found = health(store, at=minute(300))

    assert found.last is not None
    assert found.complete is not None
    assert (found.last.id, found.complete.id) == (1, 1)
