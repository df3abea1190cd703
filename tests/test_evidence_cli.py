"""The approval log from the command line: four eyes, taking back, verifying, and carrying it elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from snapbase.store.database import connect
from tests.desk import STRANGER, Desk, drift, shared
from tests.store.world import OUTSIDER, PUBLIC, grant, seen, snapshot


def test_what_was_taken_back_is_a_finding_again(desk: Desk) -> None:
    drift(desk)
    assert desk.rules() == ["public-share", "unknown-account-share"]
    desk.say("approve-baseline", "--principal", OUTSIDER.id, "--allow-unknown", "--reason", "vendor", "--by", "ada")
    assert desk.rules() == ["public-share"]

    said = desk.say("baselines", "revoke", "2", "--by", "bob", "--reason", "not our vendor")

    assert "Baseline 2 is revoked." in said
    assert desk.rules() == ["public-share", "unknown-account-share"]
    listed = desk.say("baselines", "list")
    assert "revoked by bob" in listed
    assert "not our vendor" in listed
    shown = json.loads(desk.say("baselines", "show", "2", "--format", "json"))
    assert (shown["standing"], shown["revoked_by"]) == ("revoked", "bob")
    assert "was revoked later, by bob: not our vendor" in desk.say("diff", "--baseline", "2", code=1)
    assert "NOT" not in desk.say("baselines", "verify")


def test_a_whole_approval_that_is_taken_back_uncovers_the_one_below(desk: Desk) -> None:
    drift(desk)
    desk.say("approve-baseline", "--allow-public", "--allow-unknown", "--reason", "hurry")
    assert desk.rules(0) == []

    assert "the approved state is that of baseline 1" in desk.say("baselines", "revoke", "2", "--reason", "no")
    assert desk.rules() == ["public-share", "unknown-account-share"]
    assert "Nothing is approved now" in desk.say("baselines", "revoke", "1", "--reason", "no")
    assert desk.report()["baseline"] is None


@pytest.mark.parametrize("partial", [False, True])
def test_a_run_older_than_what_was_approved_is_not_called_quiet(desk: Desk, partial: bool) -> None:
    drift(desk)
    desk.collect(shared())
    desk.say("approve-baseline", "--reason", "taken back by then", "--by", "ada")
    if partial:
        desk.say("approve-baseline", "--snapshot", "a", "--reason", "as it is")

    for words in (["diff"], ["diff", "--baseline", str(2 + partial)], ["approve-baseline", "--reason", "why"]):
        desk.say(*words, "--run", "2", code=2)

        assert "Run 2 is older than run 3, which baseline 2 approved as a whole." in desk.error
        assert "revoke baseline 2 first" in desk.error
    then = json.loads(desk.say("diff", "--run", "2", "--baseline", "1", "--format", "json", code=1))
    assert {each["rule"] for each in then["findings"]} == {"public-share", "unknown-account-share"}
    desk.say("diff", "--from", "1", "--to", "2", code=1)
    held = {
        each["principal"]["id"]: each["unapproved"]
        for each in json.loads(desk.say("shares", "--run", "2", "-f", "json"))
    }
    assert held == {"all": 1, OUTSIDER.id: 1}
    assert desk.rules(0) == []


def test_who_held_what_before_anything_was_approved_is_still_told(desk: Desk) -> None:
    desk.collect(shared(grant(PUBLIC)))
    desk.collect(shared())
    desk.say("approve-baseline", "--reason", "day one")

    (found,) = json.loads(desk.say("shares", "--run", "1", "-f", "json"))

    assert (found["principal"]["id"], found["unapproved"]) == ("all", 1)


def test_taking_back_below_a_whole_approval_says_what_else_to_do(desk: Desk) -> None:
    drift(desk)
    desk.say("approve-baseline", "--principal", OUTSIDER.id, "--allow-unknown", "--reason", "vendor")
    desk.say("approve-baseline", "--allow-public", "--reason", "all of it")

    said = desk.say("baselines", "revoke", "2", "--reason", "not our vendor")

    assert "states what it approved anew: revoke that too (in force: 3)" in said


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["revoke", "1"], "needs a reason"),
        (["revoke", "9", "--reason", "x"], "no baseline 9"),
        (["revoke", "2", "--reason", "x"], "Line 2 approves nothing"),
        (["revoke", "1", "--reason", "again"], "revoked already"),
        (["confirm", "1", "--by", "bob"], "was revoked"),
        (["import", "/nowhere"], "cannot be read"),
        (["verify", "--public-key", "/nowhere"], "cannot be read"),
        (["export"], "Nothing is approved"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(desk: Desk, words: list[str], refused: str) -> None:
    desk.collect(shared())
    desk.say("approve-baseline", "--reason", "day one")
    if words != ["revoke", "1"]:
        desk.say("baselines", "revoke", "1", "--reason", "no")

    desk.say("baselines", *words, code=2)

    assert refused in desk.error


def test_an_unknown_baseline_is_no_empty_one(desk: Desk) -> None:
    desk.collect(shared())

    desk.say("diff", "--baseline", "7", code=2)

    assert "There is no baseline 7." in desk.error


def test_with_four_eyes_nothing_counts_until_somebody_else_looked(desk: Desk) -> None:
    desk.configure("[approval]\nfour_eyes = true\n")
    desk.collect(shared(grant(PUBLIC)))
    said = desk.say("approve-baseline", "--allow-public", "--reason", "a public image", "--by", "ada")
    assert "counts once somebody else confirms it: snapbase baselines confirm 1 --by OTHER" in said

    report = desk.report()
    assert report["baseline"] is None
    assert "1 approval waits for a confirmation by somebody else, without effect until then: 1." in report["notes"]
    assert "Waiting for somebody else: 1." in desk.say("baselines", "list")
    desk.say("baselines", "confirm", "1", "--by", " Ada", code=2)
    assert "it is for somebody else to confirm" in desk.error

    assert "approved by ada, is confirmed by bob and counts" in desk.say("baselines", "confirm", "1", "--by", "bob")

    assert "same OS account" in desk.error
    assert not any("confirmation" in note for note in desk.report(0)["notes"])
    shown = json.loads(desk.say("baselines", "list", "--format", "json"))
    assert [(each["scope"], each["about"], each["confirmed_by"]) for each in shown] == [
        ("whole", None, "bob"),
        ("confirmed", 1, None),
    ]
    assert shown[1]["claimed"]["user"]
    desk.say("baselines", "confirm", "1", "--by", "eve", code=2)
    assert "waits for nobody" in desk.error


def test_what_waits_can_be_refused(desk: Desk) -> None:
    desk.configure("[approval]\nfour_eyes = true\n")
    desk.collect(shared(grant(PUBLIC)))
    desk.say("approve-baseline", "--allow-public", "--reason", "a public image", "--by", "ada")

    desk.say("baselines", "revoke", "1", "--by", "bob", "--reason", "it is not")

    assert not any("confirmation" in note for note in desk.report()["notes"])
    assert desk.rules() == ["public-share"]


def test_confirming_below_a_newer_whole_approval_is_refused(desk: Desk) -> None:
    desk.configure("[approval]\nfour_eyes = true\n")
    desk.collect(shared())
    for _ in range(2):
        desk.say("approve-baseline", "--reason", "day one", "--by", "ada")
    desk.say("baselines", "confirm", "2", "--by", "bob")

    desk.say("baselines", "confirm", "1", "--by", "bob", code=2)

    assert "lies above it" in desk.error


def test_what_ends_soon_is_listed_as_such(desk: Desk) -> None:
    drift(desk)
    flags = ["--principal", OUTSIDER.id, "--allow-unknown", "--reason", "vendor"]
    desk.say("approve-baseline", *flags, "--until", "3d")

    listed = desk.say("baselines", "list")

    assert "ends soon" in listed
    assert "Ending within 14 days: 1." in listed


def test_what_an_ended_approval_let_through_returns_and_says_who_let_it(desk: Desk) -> None:
    drift(desk)
    flags = ["--allow-unknown", "--by", "ada"]
    desk.say("approve-baseline", "--principal", OUTSIDER.id, "--until", "1d", "--reason", "move", *flags)
    assert desk.rules() == ["public-share"]
    desk.minutes = 2 * 24 * 3600
    desk.collect(shared(grant(PUBLIC), grant(OUTSIDER)))

    found = desk.report()["findings"]

    assert [each["rule"] for each in found] == ["public-share", "unknown-account-share", "approval-expired"]
    assert found[0]["approval"] is None
    assert [(each["approval"]["by"], each["approval"]["reason"]) for each in found[1:]] == [("ada", "move")] * 2
    assert found[2]["title"] == "An approval ended: what it let through is a finding again"
    assert desk.say("diff", code=1).count("Let through by ada until") == 2
    desk.say("approve-baseline", "--finding", found[2]["id"], "--reason", "longer", code=2)
    assert "1 share with unknown holders" in desk.error
    desk.say("approve-baseline", "--finding", found[2]["id"], "--until", "90d", "--reason", "longer", *flags)
    assert desk.rules() == ["public-share"]
    desk.say("approve-baseline", "--allow-public", "--reason", "all", "--by", "ada")
    desk.minutes = 100 * 24 * 3600
    desk.collect(shared(grant(PUBLIC), grant(OUTSIDER)))
    ended = desk.report()["findings"]
    assert [each["rule"] for each in ended] == ["unknown-account-share", "approval-expired"]
    desk.say("approve-baseline", "--except", ended[1]["id"], "--reason", "not that one")
    assert desk.rules() == ["unknown-account-share"]


def _keys(folder: Path, private: Any, public: Any) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    kept, given = folder / "approval.key", folder / "approval.pub"
    kept.write_bytes(key.private_bytes(private[0], private[1], serialization.NoEncryption()))
    given.write_bytes(key.public_key().public_bytes(*public))
    return kept, given


_PEM = ((serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8),
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))  # fmt: skip
_SSH = ((serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH),
        (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH))  # fmt: skip


@pytest.mark.parametrize("form", [_PEM, _SSH])
def test_a_signed_log_verifies_with_its_key_and_with_no_other(desk: Desk, tmp_path: Path, form: Any) -> None:
    private, public = _keys(tmp_path, *form)
    desk.configure(f"[approval]\nsigning_key = '{private}'\n")
    drift(desk)
    desk.say("baselines", "revoke", "1", "--reason", "no")

    assert "2 lines, all as written." in desk.say("baselines", "verify", "--public-key", str(public))

    (tmp_path / "other").mkdir()
    _, other = _keys(tmp_path / "other", *form)
    assert "line 1: Its signature" in desk.say("baselines", "verify", "--public-key", str(other), code=1)
    desk.configure("")
    desk.collect(shared())
    desk.say("approve-baseline", "--reason", "unsigned")
    found = desk.say("baselines", "verify", "--public-key", str(public), code=1)
    assert "line 3: It is not signed, though lines before it are." in found


@pytest.mark.parametrize(
    "body", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "ssh-ed25519 A"]
)
def test_a_key_that_is_none_is_refused_before_anything_is_approved(desk: Desk, tmp_path: Path, body: str) -> None:
    (tmp_path / "key").write_text(body)
    desk.configure(f"[approval]\nsigning_key = '{tmp_path}/key'\n")
    desk.collect(shared())

    desk.say("approve-baseline", "--reason", "day one", code=2)

    assert "holds no key" in desk.error
    desk.configure("")
    assert "Nothing was approved yet" in desk.say("baselines", "list")


def test_verification_names_what_was_altered_and_exits_1(desk: Desk) -> None:
    drift(desk)
    head = desk.head()
    assert "all as written" in desk.say("baselines", "verify", "--head", head.upper())
    engine = connect(desk.url, write=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE baseline SET why = 'somebody else wrote this'"))
    engine.dispose()

    found = json.loads(desk.say("baselines", "verify", "--format", "json", code=1))

    assert [each["line"] for each in found["problems"]] == [1]
    assert "truncated or rewritten" in desk.say("baselines", "verify", "--head", "0" * 64, code=1)


def _elsewhere(desk: Desk, tmp_path: Path) -> Desk:
    return Desk(f"sqlite:///{tmp_path}/elsewhere.db", desk.config, desk.capture, desk.patch, desk.minutes)


def test_an_exported_state_is_what_the_next_run_elsewhere_is_compared_with(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "approved.jsonl"
    drift(desk)
    desk.say("approve-baseline", "--principal", OUTSIDER.id, "--allow-unknown", "--reason", "vendor", "--by", "eve")
    desk.say("baselines", "export", str(file))
    assert desk.say("baselines", "export", "-") == file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    desk.collect(shared(grant(PUBLIC), grant(OUTSIDER)))
    assert desk.say("baselines", "export") == file.read_text(), "nothing that was approved has changed"
    there = _elsewhere(desk, tmp_path)

    said = there.say("baselines", "import", str(file), "--head", desk.head())

    assert "line 1 of the file, approved by ada" in said
    assert "line 2 of the file, approved by eve" in said
    there.say("diff", code=2)
    assert "no finished run yet" in there.error
    there.minutes = 70
    there.collect(shared(grant(PUBLIC), grant(OUTSIDER)), elsewhere=[seen(snapshot("new"))])
    assert there.rules() == ["public-share", "snapshot-appeared"]
    assert there.report()["baseline"]["approved_by"] == "eve"
    assert "all as written" in there.say("baselines", "verify")
    claimed = json.loads(there.say("baselines", "show", "2", "--format", "json"))["claimed"]
    assert claimed["imported_line"] == "2"
    assert claimed["imported_by_user"]
    there.say("baselines", "revoke", "2", "--reason", "not here")
    assert "unknown-account-share" in there.rules()


def test_a_file_that_was_edited_is_not_imported(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "approved.jsonl"
    desk.collect(shared(grant(OUTSIDER)))
    desk.say("approve-baseline", "--allow-unknown", "--reason", "vendor")
    desk.say("baselines", "export", str(file))
    file.write_text(file.read_text().replace(OUTSIDER.id, STRANGER))
    there = _elsewhere(desk, tmp_path)

    assert "line 1: What it covered is not what the file says." in there.say("baselines", "import", str(file), code=2)

    assert "nothing was imported" in there.error
    assert not Path(there.url.removeprefix("sqlite:///")).exists()


def test_with_four_eyes_an_import_waits_too(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "approved.jsonl"
    desk.collect(shared())
    desk.say("approve-baseline", "--reason", "day one", "--by", "ada")
    desk.say("baselines", "export", str(file))
    desk.configure("[approval]\nfour_eyes = true\n")
    there = _elsewhere(desk, tmp_path)

    assert "once somebody confirms them" in there.say("baselines", "import", str(file))

    there.minutes = 70
    there.collect(shared())
    assert there.report(0)["baseline"] is None


def test_thousands_of_shares_are_shown_by_who_holds_them(desk: Desk) -> None:
    many = [seen(snapshot(f"s{number:04}"), {grant(OUTSIDER)}) for number in range(60)]
    desk.collect(*many, seen(snapshot("public"), {grant(PUBLIC)}))

    desk.say("approve-baseline", "--allow-unknown", "--allow-public", "--reason", "day one")

    assert "critical        1  public-share" in desk.error
    assert f"60  unknown-account-share  account {OUTSIDER.id} (unknown)  (--principal {OUTSIDER.id})" in desk.error
    assert "… and 57 more" in desk.error
    assert len(desk.error.splitlines()) < 12


@pytest.mark.parametrize(("kinds", "left"), [("aws.ec2.*", 0), ("aws.rds.*", None)])
def test_a_principal_is_approved_for_kinds_and_until_a_date(desk: Desk, kinds: str, left: int | None) -> None:
    desk.collect(shared(grant(OUTSIDER)))
    words = ["approve-baseline", "--principal", OUTSIDER.id, "--kinds", kinds, "--until", "30d", "--allow-unknown"]

    desk.say(*words, "--reason", "vendor", code=0 if left == 0 else 2)

    if left == 0:
        assert desk.rules(0) == []
