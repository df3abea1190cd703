"""One boto3 Session, an account's own credentials in its clients, renewed when a run outlives them, from any thread."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.sts.models import sts_backends

from snapbase.collect.aws.errors import CallFailed, classify
from snapbase.collect.aws.session import Clients, Region
from snapbase.model import Outcome
from snapbase.sandbox.aws import wire
from snapbase.sandbox.aws.other import shorten_sessions
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, REGIONS, ROLE
from snapbase.sandbox.faults import Fault, FaultKind
from tests.collect.aws.reader import HOME, Amazon

ROLE_ARN = f"arn:aws:iam::{MEMBER}:role/{ROLE}"
ASSUME = "sts:AssumeRole"


@pytest.fixture
def clients(amazon: Amazon) -> Iterator[Clients]:
    yield Clients(amazon.entry(), amazon.runtime)
    sts_backends[MANAGEMENT]["aws"].__dict__.pop("session_seconds", None)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, datetime]]:
    """The access key and the time of every request that the sandbox saw."""
    seen: list[tuple[str, datetime]] = []
    real = wire.identity

    def identity(authorization: str, account_of: Any) -> Any:
        seen.append((authorization.partition("Credential=")[2].partition("/")[0], datetime.now(UTC)))
        return real(authorization, account_of)

    monkeypatch.setattr(wire, "identity", identity)
    return seen


def _assumed(amazon: Amazon) -> int:
    return sum(each[3] == ASSUME for each in amazon.switchboard.calls)


def _who(clients: Clients, account: str, region: str = HOME) -> str:
    return str(Region(account, region, clients).call("sts", "GetCallerIdentity")["Account"])


def test_each_account_s_clients_have_its_credentials_and_others_the_entry_s(amazon: Amazon, clients: Clients) -> None:
    clients.enter(MEMBER, ROLE_ARN)

    assert _who(clients, MEMBER) == MEMBER
    assert _who(clients, MANAGEMENT) == MANAGEMENT
    assert str(clients.own("sts", HOME).get_caller_identity()["Account"]) == MANAGEMENT
    assert clients.session.get_credentials().access_key == "sandbox"


def test_clients_are_made_once_and_their_role_is_assumed_once(amazon: Amazon, clients: Clients) -> None:
    clients.enter(MEMBER, ROLE_ARN)

    assert clients.of(MEMBER, "ec2", HOME) is clients.of(MEMBER, "ec2", HOME)
    assert clients.of(MEMBER, "ec2", HOME) is not clients.own("ec2", HOME)
    assert clients.of(MANAGEMENT, "ec2", HOME) is clients.own("ec2", HOME)
    for region in REGIONS:
        _who(clients, MEMBER, region)
    assert _assumed(amazon) == 1


def test_a_role_is_assumed_again_before_a_request_would_be_refused(
    amazon: Amazon, clients: Clients, keys: list[tuple[str, datetime]]
) -> None:
    """botocore renews ten minutes before the end, so sessions this short last for about one second."""
    shorten_sessions(MANAGEMENT, 601)
    clients.enter(MEMBER, ROLE_ARN)
    client = clients.of(MEMBER, "sts", HOME)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert client.get_caller_identity()["Account"] == MEMBER
        time.sleep(0.05)

    ends = {role.access_key_id: role.expiration for role in sts_backends[MEMBER]["aws"].assumed_roles}
    used = [(key, at) for key, at in keys if key != "sandbox"]
    assert len({key for key, _ in used}) >= 3
    assert all(at < ends[key].replace(tzinfo=UTC) for key, at in used)
    assert clients.of(MEMBER, "sts", HOME) is client


def test_one_thread_renews_for_all(amazon: Amazon, clients: Clients) -> None:
    shorten_sessions(MANAGEMENT, 601)
    clients.enter(MEMBER, ROLE_ARN)
    time.sleep(1.2)
    shorten_sessions(MANAGEMENT, 3600)
    together = threading.Barrier(16)

    def ask(number: int) -> str:
        together.wait(10)
        return _who(clients, MEMBER, REGIONS[number % 2])

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(16))) == {MEMBER}
    assert _assumed(amazon) == 2


def test_a_renewal_that_is_refused_is_that_account_s_trouble_only(amazon: Amazon, clients: Clients) -> None:
    shorten_sessions(MANAGEMENT, 600)
    clients.enter(MEMBER, ROLE_ARN)
    amazon.switchboard.break_(Fault(FaultKind.DENIED, operation=ASSUME))

    with pytest.raises(CallFailed) as caught:
        _who(clients, MEMBER)

    miss = classify(caught.value)
    assert miss is not None
    assert miss.outcome == Outcome.DENIED
    assert ASSUME in miss.reason
    assert MEMBER in miss.reason
    assert _who(clients, MANAGEMENT) == MANAGEMENT
    amazon.switchboard.heal()
    assert _who(clients, MEMBER) == MEMBER


def test_many_threads_make_clients_at_once(amazon: Amazon, clients: Clients) -> None:
    """No client may get another account's credentials, whoever makes clients at the same time."""
    clients.enter(MEMBER, ROLE_ARN)
    places = [(account, region) for account in (MEMBER, MANAGEMENT) for region in amazon_regions(20)]
    together = threading.Barrier(32)

    def make(number: int) -> dict[tuple[str, str], Any]:
        together.wait(10)
        # Each thread in another order, so that no two ask for the same client at the same time only.
        turned = places[number:] + places[:number]
        return {place: clients.of(place[0], "sts", place[1]) for place in turned}

    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(make, range(32)))

    assert all(each == made[0] for each in made)
    for (account, _), client in made[0].items():
        assert client.get_caller_identity()["Account"] == account
    assert _assumed(amazon) == 1


def amazon_regions(count: int) -> list[str]:
    return [f"eu-test-{number}" for number in range(count)]


def test_clients_are_made_while_another_account_is_entered_and_renewed(amazon: Amazon, clients: Clients) -> None:
    """The lock of the clients is never waited for by whoever holds a renewal's, and the other way round."""
    shorten_sessions(MANAGEMENT, 601)
    clients.enter(MEMBER, ROLE_ARN)
    stop = time.monotonic() + 2.0

    def churn(number: int) -> set[str]:
        found: set[str] = set()
        while time.monotonic() < stop:
            found.add(_who(clients, MEMBER, f"eu-churn-{number}-{len(found)}"))
        return found

    with ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(churn, range(8), timeout=30)) == {MEMBER}


def test_the_external_id_and_a_name_of_ours_go_along(amazon: Amazon) -> None:
    clients = Clients(amazon.entry(external_id="agreed"), amazon.runtime)

    clients.enter(MEMBER, ROLE_ARN)

    role = sts_backends[MEMBER]["aws"].assumed_roles[-1]
    assert role.external_id == "agreed"
    assert role.session_name.startswith("snapbase-")
