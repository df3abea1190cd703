"""An approval names what it approves exactly, or is refused."""

from dataclasses import replace

import pytest

from tests.desk import Desk, shared
from tests.store.world import PUBLIC, grant, seen, snapshot


def test_a_snapshot_whose_uid_begins_another_s_is_approved_by_it(desk: Desk) -> None:
    longer = seen(snapshot("ab"), (grant(PUBLIC),))
    desk.collect(shared(grant(PUBLIC)), longer)
    allowed = ("--allow-public", "--reason", "an image")
    desk.say("approve-baseline", "--snapshot", "snapshot/", *allowed, code=2)
    assert "is the uid or the address of no snapshot as of run 1." in desk.error

    desk.say("approve-baseline", "--snapshot", snapshot("a").uid, *allowed)

    (left,) = (each for each in desk.report()["findings"] if each["rule"] == "public-share")
    assert left["subject"]["uid"] == longer.resource.uid


@pytest.mark.parametrize("name", ["orders-2", "snapshot/orders-2", "orders-2.uid"])
def test_a_snapshot_is_approved_by_the_end_of_its_address(desk: Desk, name: str) -> None:
    one = snapshot("orders-2")
    desk.collect(seen(one, (grant(PUBLIC),)), seen(snapshot("orders-23"), (grant(PUBLIC),)))
    words = ("--snapshot", one.uid if name.endswith("uid") else name, "--allow-public", "--reason", "an image")

    assert one.uid in desk.say("approve-baseline", *words) + desk.error

    (left,) = (each for each in desk.report()["findings"] if each["rule"] == "public-share")
    assert left["subject"]["name"] == "orders-23"


def test_what_is_gone_does_not_approve_what_is_called_nearly_the_same(desk: Desk) -> None:
    tagged = replace(snapshot("snap-1"), name="orders")
    desk.collect(seen(snapshot("orders-2"), (grant(PUBLIC),)), seen(tagged, (grant(PUBLIC),)))

    desk.say("approve-baseline", "--snapshot", "orders", "--allow-public", "--reason", "why", code=2)

    assert f"Near it: {tagged.uid}, {snapshot('orders-2').uid}." in desk.error
    assert desk.say("baselines", "list", "--format", "json").strip() == "[]"


def test_one_name_in_two_places_names_neither(desk: Desk) -> None:
    there = replace(snapshot("a"), uid="arn:aws:ec2:us-east-1::snapshot/a", address="arn:aws:ec2:us-east-1::snapshot/a")
    desk.collect(shared(), elsewhere=[seen(there)])

    desk.say("approve-baseline", "--snapshot", "a", "--reason", "why", code=2)

    assert "a names several snapshots as of run 1. Near it: " in desk.error
    assert there.uid in desk.error
