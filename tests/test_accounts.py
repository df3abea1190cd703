"""Whose an account is: said, filtered by, and worse where it is called sensitive. And `run` as cron calls it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from snapbase.cli import main
from snapbase.cli.app import app
from snapbase.collect.engine import Selection
from snapbase.diff import ChangeType
from snapbase.errors import NotFound
from snapbase.event import Action
from snapbase.finding import Account, Severity
from snapbase.model import (
    ANYWHERE,
    Aspect,
    Coverage,
    Outcome,
    PrincipalKind,
    Reading,
    Resource,
    ResourceType,
    Scope,
    State,
)
from snapbase.operations import audit, detecting, doctor
from snapbase.operations.accounts import Whose, chosen, known, owned
from snapbase.operations.diff import Filter, narrow
from snapbase.operations.doctor import Check
from snapbase.rules import findings, rules
from snapbase.rules.estate import Tuning
from snapbase.rules.example import cohort_change, shared
from snapbase.sandbox.aws.story import MEMBER
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.trust import TrustClass
from tests.detecting.world import DAY, did, report, run
from tests.peer_world import ELSEWHERE, Estate, started
from tests.receiver import receiving
from tests.report.cases import CLEAN, DENIED_GAP, finding
from tests.rules.test_rules import CONTEXT
from tests.store.world import EUROPE, OUTSIDER

OURS, OTHER = "111122223333", "444455556666"
SUBSCRIPTION = "aaaaaaaa-0000-4000-8000-000000000001"
ORDERS = Account(OURS, "orders", "ann@example.com", "payments", "production")


def of(*accounts: Account) -> dict[str, Account]:
    return {each.id: each for each in accounts}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, write=True) as opened:
        yield opened


def test_what_is_written_of_accounts_is_kept_with_the_run() -> None:
    written = {"id": SUBSCRIPTION.upper(), "owner": "ann@example.com", "sensitive": True}

    told = detecting.settings(Config.model_validate({"accounts": [written]}))

    (account,) = Tuning.from_json(json.loads(json.dumps(told))).accounts.values()
    assert account == Account(SUBSCRIPTION, owner="ann@example.com", sensitive=True)
    assert detecting.settings(Config()) == {}


def test_the_clouds_say_names_and_tags_and_what_is_written_wins() -> None:
    member = Resource(
        uid="arn:member",
        address="arn:member",
        type=ResourceType.CONTAINER,
        name="orders-prod",
        facts={"account_id": OURS, "organization_id": "o-1"},
    )
    subscription = replace(
        member,
        name="Billing",
        facts={},
        attributes={"subscription_id": SUBSCRIPTION},
        tags={"Owner": "bob@example.com", "ENV": "test", "owner2": "x"},
    )
    group = replace(subscription, name="rg", attributes={"level": "resource-group"}, tags={"owner": "eve"})
    told = [State(EUROPE, each, frozenset(), None) for each in (member, subscription, group)]

    found = known([Account(SUBSCRIPTION, team="finance", environment="production"), ORDERS], told)

    assert found == {
        OURS: ORDERS,
        SUBSCRIPTION: Account(SUBSCRIPTION, "Billing", "bob@example.com", "finance", "production"),
    }


@pytest.mark.parametrize(
    ("accounts", "whose", "expected"),
    [
        ((), Whose(), ()),
        ((OTHER,), Whose(), (OTHER,)),
        ((), Whose(owners=("ANN@example.com",)), (OURS,)),
        ((), Whose(owners=("bob", "ann@example.com")), (OURS, OTHER)),
        ((), Whose(owners=("bob", "ann@example.com"), environments=("production",)), (OURS,)),
        ((), Whose(teams=("Payments",)), (OURS, OTHER)),
        ((OURS,), Whose(teams=("payments",)), (OURS,)),
    ],
)
def test_an_owner_s_accounts_are_those_listed(
    store: Store, accounts: tuple[str, ...], whose: Whose, expected: tuple[str, ...]
) -> None:
    run(store, 0, tuning=Tuning(accounts=of(ORDERS, Account(OTHER, "", "bob", "payments", "test"))))

    assert chosen(store, store.run(1), accounts, whose) == expected


@pytest.mark.parametrize(("accounts", "owner"), [((), "nobody"), ((OTHER,), "ann@example.com")])
def test_nobody_s_accounts_are_not_everybody_s(store: Store, accounts: tuple[str, ...], owner: str) -> None:
    run(store, 0, tuning=Tuning(accounts=of(ORDERS)))

    with pytest.raises(NotFound) as raised:
        chosen(store, store.run(1), accounts, Whose(owners=(owner,)))

    assert raised.value.hint == "Owners are ann@example.com."


@pytest.mark.parametrize(
    ("scope", "by_owner", "complete"),
    [
        (Scope("aws", OURS, "eu-west-1", "aws.ec2.snapshot"), True, False),
        (Scope("aws", OTHER, "eu-west-1", "aws.ec2.snapshot"), True, True),
        (Scope("aws", OTHER, "global", "aws.organizations"), True, False),
        (Scope("aws", OTHER, "global", "aws.organizations"), False, True),
        (Scope("azure", SUBSCRIPTION, "global", "azure.rbac"), True, False),
        (Scope("aws", ANYWHERE, "global", "aws.ec2.snapshot"), True, False),
    ],
)
def test_what_may_be_an_owner_s_and_was_not_read_is_no_clean_report(
    scope: Scope, by_owner: bool, complete: bool
) -> None:
    gap = replace(DENIED_GAP, coverage=replace(DENIED_GAP.coverage, scope=scope))
    whole = replace(CLEAN, complete=False, coverage=(gap,))

    assert narrow(whole, Filter(accounts=(OURS,), by_owner=by_owner)).complete is complete


@pytest.mark.parametrize("filtered", [Filter(accounts=(OURS,)), Filter(clouds=("aws",))])
def test_what_is_said_of_several_accounts_at_once_is_said_to_each(filtered: Filter) -> None:
    several = replace(finding("origin-violated", Severity.HIGH, "Under another key"), account="", location="")
    nowhere, other = replace(several, cloud=""), replace(several, cloud="gcp", account="prod-data")
    whole = replace(CLEAN, findings=(several, nowhere, other))

    assert narrow(whole, filtered).findings == (several, nowhere)


def test_a_finding_says_who_answers_for_its_subject_and_whose_the_account_is() -> None:
    ours = finding("public-share", Severity.HIGH, "Public")
    foreign = replace(ours, subject=replace(ours.subject, owner=OTHER))

    found = owned([ours, foreign, replace(ours, account="x")], {OURS: ORDERS})

    assert [each.owned for each in found] == [ORDERS, ORDERS, None]
    assert [each.subject.owner for each in found] == ["ann@example.com", OTHER, None]


def test_an_id_that_no_run_ever_met_is_named_once(store: Store, store_url: str, tmp_path: Path) -> None:
    config = Config.model_validate({"accounts": [{"id": each} for each in (OURS, OTHER, SUBSCRIPTION.upper())]})
    told = tmp_path / "snapbase.toml"
    told.write_text("".join(f"[[accounts]]\nid = '{each.id}'\n" for each in config.accounts))

    def noted() -> list[Check]:
        return [each for each in doctor.examine(config, store_url, Selection()) if each.subject == "[[accounts]]"]

    def status() -> str:
        return CliRunner().invoke(app, ["--config", str(told), "--store", store_url, "status"]).stdout

    assert noted() == []
    assert "[[accounts]]" not in status()
    run(store, 0)
    (note,) = noted()
    assert (note.state, note.detail) == (doctor.State.WARNING, f"no run ever met {OTHER}, {SUBSCRIPTION}")
    assert status().count(f"[[accounts]] names what no run ever met: {OTHER}, {SUBSCRIPTION}.") == 1
    number = store.begin_run("", "", DAY + timedelta(days=1))
    denied = Coverage(Scope("azure", SUBSCRIPTION, ANYWHERE, ANYWHERE), Aspect.LIST, Outcome.DENIED, "no")
    store.record(number, Reading(denied.scope, DAY + timedelta(days=1), (), (denied,)))
    members = {"members": [OTHER], "entries": []}
    store.finish_run(number, trust=json.dumps(members).encode(), at=DAY + timedelta(days=2))
    assert noted() == []


STEPS = {
    TrustClass.UNKNOWN: (Severity.CRITICAL, Severity.CRITICAL),
    TrustClass.ORG: (Severity.MEDIUM, Severity.HIGH),
    TrustClass.TRUSTED: (Severity.INFO, Severity.INFO),
}


@pytest.mark.parametrize(
    "tuning",
    [
        Tuning(accounts=of(replace(ORDERS, sensitive=True))),
        Tuning(sensitive=("orders-*",)),
        Tuning(sensitive=("vol-9",)),
        Tuning(sensitive=("*:snapshot/snap-0a1b2c3d4e5f60718",)),
    ],
)
@pytest.mark.parametrize("trust", STEPS)
def test_a_change_of_what_is_called_sensitive_is_a_step_worse(tuning: Tuning, trust: TrustClass) -> None:
    change = shared(PrincipalKind.ACCOUNT, "777788889999", trust, source="vol-9")

    (before,), (after,) = (findings([change], replace(CONTEXT, tuning=each)) for each in (Tuning(), tuning))

    assert (before.severity, after.severity) == STEPS[trust]
    assert after.id == before.id
    assert ("It is called sensitive." in after.detail) == (trust != TrustClass.TRUSTED)


def test_what_is_not_called_sensitive_stays_as_it_is() -> None:
    tuning = Tuning(accounts=of(replace(ORDERS, sensitive=True, id=OTHER), ORDERS), sensitive=("other",))
    changes = [example.change for rule in rules() for example in rule.examples if example.change.scope.account == OURS]

    assert findings(changes, replace(CONTEXT, tuning=tuning)) == findings(changes, CONTEXT)


def test_what_has_no_resource_is_weighed_by_its_account_alone() -> None:
    tuning = Tuning(sensitive=("*",))

    change = cohort_change(ChangeType.ORIGIN_VIOLATED, "key", "k")

    (found,) = findings([change], replace(CONTEXT, tuning=tuning))

    assert "sensitive" not in found.detail


def test_a_detection_in_a_sensitive_account_is_a_step_worse(store_url: str, tmp_path: Path) -> None:
    def judged(number: int, sensitive: bool) -> Severity:
        with Store.open(f"sqlite:///{tmp_path}/{number}.db", write=True) as opened:
            tuning = Tuning(accounts=of(replace(ORDERS, sensitive=sensitive)))
            opened.add_events([replace(did(Action.CREATE, days=-21), subjects=("old",))])
            run(opened, 0, tuning=tuning)
            opened.add_events([did(Action.RESTORE, days=1, made="vol-9")])
            run(opened, 2, tuning=tuning)
            return next(each.severity for each in report(opened).findings if each.rule == "restore-by-new-principal")

    assert judged(1, True).rank == judged(2, False).rank - 1


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with started() as running:
        yield running


CONFIG = """
[[aws]]
endpoint = "{url}"
organization = true
role = "snapbase-collector"
accounts = ["{member}"]
regions = ["{region}"]
[[accounts]]
id = "{member}"
owner = "ann@example.com"
team = "payments"
environment = "production"
[collect]
kinds = ["aws.ec2.snapshot", "aws.organizations"]
give_up_after = 0.1
[audit]
enabled = false
"""
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def snapbase(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Typed]:
    """The command line; says the exit code, stdout and stderr."""
    file = tmp_path / "snapbase.toml"
    file.write_text(CONFIG.format(url=estate.url, member=MEMBER, region=ELSEWHERE))

    def typed(*words: str) -> tuple[int, str, str]:
        before = ("snapbase", "--quiet", "--config", str(file), "--store", f"sqlite:///{tmp_path}/s.db")
        monkeypatch.setattr("sys.argv", [*before, *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    yield typed
    estate.clear()


def test_run_tells_what_is_new_once_and_its_exit_code_is_the_drift_s(
    snapbase: Typed, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = ("--allow-unknown", "--allow-public", "--allow-incomplete", "--reason", "as it should be")
    taken = [estate.take(), estate.take()]
    assert snapbase("run")[0] == 0
    assert snapbase("approve-baseline", "--by", "ann", *everything)[0] == 0
    with receiving() as receiver:
        monkeypatch.setenv("SNAPBASE_NOTIFY__WEBHOOK", f"{receiver.url}/secret")
        assert snapbase("run")[0] == 0
        assert receiver.got == []

        estate.share(taken[0], {"UserId": OUTSIDER.id})
        assert snapbase("run")[0] == snapbase("run")[0] == 1
        (body,) = receiver.bodies
        (found,) = body["findings"]
        assert found["rule"] == "unknown-account-share"
        assert found["subject"]["owner"] == "ann@example.com"
        assert found["owned"]["name"] == "payments"

        receiver.status = 500
        estate.share(taken[1], {"UserId": OUTSIDER.id})
        code, out, err = snapbase("run", "--format", "json")
        assert (code, len(json.loads(out)["findings"])) == (1, 2)
        assert err == "snapbase: Not told by webhook: it answered 500. The next run tries again.\n"
        receiver.status = 200
        assert snapbase("run")[0] == 1
        assert [each["subject"]["address"].rpartition("/")[2] for each in receiver.bodies[-1]["findings"]] == taken[1:]

        monkeypatch.setenv("SNAPBASE_DETECT__LOCATIONS", "/nonexistent.mmdb")
        before = len(receiver.got)
        for _ in range(2):
            code, _, err = snapbase("run")
            assert code == 2
            assert "/nonexistent.mmdb cannot be read" in err
        (failed,) = receiver.bodies[before:]
        assert failed["schema"] == "snapbase.failed/1"
        assert "/nonexistent.mmdb cannot be read" in failed["error"]


def test_an_owner_sees_what_is_theirs_in_every_listing(snapbase: Typed, estate: Estate) -> None:
    estate.share(estate.take(), {"UserId": OUTSIDER.id})
    assert snapbase("run")[0] == 1

    def listed(*words: str) -> int:
        code, out, _ = snapbase(*words, "--format", "json")
        assert code in (0, 1)
        rows = [json.loads(line) for line in out.splitlines()] if words[0] == "snapshots" else json.loads(out)
        return len(rows["findings"] if isinstance(rows, dict) else rows)

    for words in (("diff",), ("snapshots", "list"), ("shares",)):
        theirs = listed(*words, "--account", MEMBER)
        assert listed(*words, "--owner", "Ann@example.com", "--cloud", "aws") == theirs > 0
        assert listed(*words, "--team", "payments", "--environment", "production") == theirs
        assert snapbase(*words, "--owner", "bob")[0] == 2
    assert listed("snapshots", "list", "--cloud", "gcp") == 0
    assert snapbase("audit", "list", "--owner", "ann@example.com")[0] == 0
    assert snapbase("audit", "list", "--team", "others")[0] == 2
    assert "payments: ann@example.com, payments, production" in snapbase("diff")[1]


def test_events_are_filtered_by_whose_account_they_are_in(store: Store) -> None:
    store.add_events([did(Action.SHARE, days=1), replace(did(Action.SHARE, days=2), account=OTHER, cloud="gcp")])

    def days(**wanted: Any) -> list[int]:
        return [each.at.day for each in audit.listing(store.events(DAY, DAY + timedelta(days=9)), **wanted)]

    assert days() == [2, 3]
    assert days(accounts=(OURS,)) == days(clouds=("aws",)) == [2]
    assert days(accounts=(OURS,), clouds=("gcp",)) == []
