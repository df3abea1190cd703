"""Who is who: every principal kind, and what moves a class."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from snapbase.collect.engine import Selection
from snapbase.errors import ConfigurationError
from snapbase.model import Principal, PrincipalKind
from snapbase.operations.collect import check
from snapbase.settings import Config, TrustedAccount, TrustSection
from snapbase.trust import TrustClass, TrustedEntry, TrustList, from_config, worse
from snapbase.vendors import names

DAY = date(2026, 11, 25)
TRUST = TrustList(
    own=frozenset({"111122223333", "prod-data", "424242424242", "folders/777"}),
    members=frozenset({"444455556666"}),
    former=frozenset({"555566667777"}),
    organizations=frozenset({"o-abcdefghij", "888"}),
    domains=frozenset({"corp.example"}),
    entries=(
        TrustedEntry("777788889999", "Acme", "backups", "2026-12-31"),
        TrustedEntry("666677778888", "Old", "was fine", "2026-01-31"),
        TrustedEntry("888899990000", "Half", "only images", "", ("aws.ec2.image",)),
        TrustedEntry("ext@partner.example", "Ext", "contractor"),
    ),
)


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        (PrincipalKind.PUBLIC, "all", TrustClass.ANYONE),
        (PrincipalKind.AUTHENTICATED, "allAuthenticatedUsers", TrustClass.ANYONE),
        (PrincipalKind.BEARER, "sas", TrustClass.UNKNOWN),
        (PrincipalKind.ACCOUNT, "111122223333", TrustClass.OWN),
        (PrincipalKind.ACCOUNT, "444455556666", TrustClass.ORG),
        (PrincipalKind.ACCOUNT, "555566667777", TrustClass.FORMER_ORG),
        (PrincipalKind.ACCOUNT, "777788889999", TrustClass.TRUSTED),
        (PrincipalKind.ACCOUNT, "666677778888", TrustClass.UNKNOWN),
        (PrincipalKind.ACCOUNT, "888899990000", TrustClass.UNKNOWN),
        (PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN),
        (PrincipalKind.SERVICE, "amazon-redshift-support", TrustClass.PROVIDER),
        (PrincipalKind.ORGANIZATION, "arn:aws:organizations::111122223333:organization/o-abcdefghij", TrustClass.ORG),
        (PrincipalKind.ORGANIZATIONAL_UNIT, "arn:aws:organizations::111122223333:ou/o-abcdefghij/ou-x", TrustClass.ORG),
        (PrincipalKind.ORGANIZATION, "arn:aws:organizations::999988887777:organization/o-evil1234", TrustClass.UNKNOWN),
        (PrincipalKind.USER, "ada@corp.example", TrustClass.ORG),
        (PrincipalKind.USER, "ADA@Corp.Example", TrustClass.ORG),
        (PrincipalKind.USER, "mallory@evil.example", TrustClass.UNKNOWN),
        (PrincipalKind.USER, "mallory@corp.example.evil.example", TrustClass.UNKNOWN),
        (PrincipalKind.USER, "ext@partner.example", TrustClass.TRUSTED),
        (PrincipalKind.USER, "0b5fe924-9a61-425c-96af-cfe6e287ca2d", TrustClass.UNKNOWN),
        (PrincipalKind.DOMAIN, "corp.example", TrustClass.ORG),
        (PrincipalKind.SERVICE_ACCOUNT, "backup@prod-data.iam.gserviceaccount.com", TrustClass.ORG),
        (PrincipalKind.SERVICE_ACCOUNT, "backup@evil-data.iam.gserviceaccount.com", TrustClass.UNKNOWN),
        (PrincipalKind.SERVICE_ACCOUNT, "424242424242-compute@developer.gserviceaccount.com", TrustClass.ORG),
        (PrincipalKind.SERVICE_ACCOUNT, "service-424242424242@compute-system.iam.gserviceaccount.com", TrustClass.ORG),
        (PrincipalKind.SERVICE_ACCOUNT, "service-424242424242@evil-data.iam.gserviceaccount.com", TrustClass.UNKNOWN),
        (PrincipalKind.SERVICE_ACCOUNT, "424242424242-compute@evil.example", TrustClass.UNKNOWN),
        (PrincipalKind.SERVICE_ACCOUNT, "424242424242@cloudservices.gserviceaccount.com", TrustClass.ORG),
        (PrincipalKind.SERVICE_ACCOUNT, "prod-data@appspot.gserviceaccount.com", TrustClass.ORG),
        (PrincipalKind.PROJECT_TEAM, "projectOwner:prod-data", TrustClass.ORG),
        (
            PrincipalKind.FEDERATED,
            "//iam.googleapis.com/projects/424242424242/locations/global/workloadIdentityPools/p/subject/ci",
            TrustClass.ORG,
        ),
        (
            PrincipalKind.FEDERATED,
            "//iam.googleapis.com/projects/424242424242/locations/global/workloadIdentityPools/p/*",
            TrustClass.UNKNOWN,
        ),
        *(
            (PrincipalKind.FEDERATED, f"principalSet://cloudresourcemanager.googleapis.com/{place}", expected)
            for place, expected in (
                ("projects/424242424242/type/ServiceAccount", TrustClass.ORG),
                ("projects/424242424243/type/ServiceAccount", TrustClass.UNKNOWN),
                ("folders/777/type/ServiceAccount", TrustClass.ORG),
                ("folders/424242424242/type/ServiceAccount", TrustClass.UNKNOWN),
                ("projects/777/type/ServiceAccount", TrustClass.UNKNOWN),
                ("organizations/888/type/ServiceAccount", TrustClass.ORG),
            )
        ),
        (
            PrincipalKind.FEDERATED,
            "principal://parametermanager.googleapis.com/projects/424242424242/uid/locations/global/parameters/p",
            TrustClass.ORG,
        ),
        (
            PrincipalKind.FEDERATED,
            "principal://iam.googleapis.com/locations/global/workforcePools/evil/subject/"
            "//iam.googleapis.com/projects/424242424242/x",
            TrustClass.UNKNOWN,
        ),
        (PrincipalKind.SERVICE_ACCOUNT, "prod-data.svc.id.goog[jobs/backup]", TrustClass.ORG),
        (PrincipalKind.SERVICE_ACCOUNT, "evil-data.svc.id.goog[jobs/backup]", TrustClass.UNKNOWN),
    ],
)  # fmt: skip
def test_classes(kind: PrincipalKind, key: str, expected: TrustClass) -> None:
    judged = TRUST.judge(Principal(kind, key), account="111122223333", kind="aws.ec2.snapshot", on=DAY)

    assert judged.trust == expected


def test_an_entry_limited_by_kind_holds_for_that_kind_only() -> None:
    half = Principal(PrincipalKind.ACCOUNT, "888899990000")

    assert TRUST.judge(half, account="1", kind="aws.ec2.image", on=DAY).trust == TrustClass.TRUSTED
    assert TRUST.judge(half, account="1", kind="aws.rds.snapshot", on=DAY).trust == TrustClass.UNKNOWN


def test_the_last_day_of_an_entry_still_counts() -> None:
    acme = Principal(PrincipalKind.ACCOUNT, "777788889999")

    assert TRUST.judge(acme, account="1", kind="", on=date(2026, 12, 31)).trust == TrustClass.TRUSTED
    assert TRUST.judge(acme, account="1", kind="", on=date(2027, 1, 1)).trust == TrustClass.UNKNOWN


def test_the_same_list_survives_its_json() -> None:
    assert TrustList.from_json(TRUST.to_json()) == TRUST


def test_widening_is_named_and_narrowing_is_not() -> None:
    wider = TrustList(
        domains=frozenset({"corp.example", "new.example"}),
        organizations=TRUST.organizations,
        entries=(
            *(entry for entry in TRUST.entries if entry.id != "777788889999"),
            TrustedEntry("777788889999", "Acme", "backups"),
            TrustedEntry("123412341234", "New", "why not"),
        ),
    )

    subjects = [subject for subject, _ in wider.widened_since(TRUST)]

    assert subjects == ["trust:domains:new.example", "trust:account:777788889999", "trust:account:123412341234"]
    assert TrustList().widened_since(TRUST) == ()


def test_members_that_left_and_entries_that_ended_are_worse() -> None:
    left = Principal(PrincipalKind.ACCOUNT, "444455556666")
    ended = Principal(PrincipalKind.ACCOUNT, "777788889999")
    same = Principal(PrincipalKind.ACCOUNT, "999988887777")
    after = TrustList(own=TRUST.own, former=frozenset({"444455556666"}), entries=TRUST.entries)

    assert worse((left, ended, same), TRUST, after, on=(DAY, date(2027, 1, 1))) == {left, ended}


def test_what_people_write_becomes_entries() -> None:
    section = TrustSection(accounts=(TrustedAccount(id="777788889999", name="Acme", reason="backups"),))

    assert from_config(section).entries == (TrustedEntry("777788889999", "Acme", "backups"),)


def test_an_entry_limited_by_source_holds_for_those_disks_only() -> None:
    trust = TrustList(entries=(TrustedEntry("777788889999", "Lab", "clones", sources=("vol-lab*",)),))
    lab = Principal(PrincipalKind.ACCOUNT, "777788889999")

    def judged(source: str) -> TrustClass:
        return trust.judge(lab, account="1", kind="aws.ec2.snapshot", on=DAY, source=source).trust

    assert judged("vol-lab-7") == TrustClass.TRUSTED
    assert judged("vol-orders") == TrustClass.UNKNOWN
    assert judged("") == TrustClass.UNKNOWN
    wider = replace(trust, entries=(TrustedEntry("777788889999", "Lab", "clones"),))
    assert wider.widened_since(trust)
    assert worse([lab], wider, trust, on=(DAY, DAY)) == {lab}
    assert TrustList.from_json(trust.to_json()) == trust


def test_two_entries_for_one_account_both_hold_and_widen_nothing() -> None:
    images = TrustedEntry("777788889999", "Lab", "images", kinds=("aws.ec2.image",))
    databases = replace(images, reason="databases", kinds=("aws.rds.snapshot",))
    trust = TrustList(entries=(images, databases))
    lab = Principal(PrincipalKind.ACCOUNT, "777788889999")

    judged = {
        kind: trust.judge(lab, account="1", kind=kind, on=DAY).trust for kind in (*images.kinds, *databases.kinds)
    }

    assert set(judged.values()) == {TrustClass.TRUSTED}
    assert trust.widened_since(trust) == ()
    assert trust.widened_since(TrustList(entries=(images,)))


def test_whoever_is_trusted_for_a_choice_of_kinds_may_be_worse_off() -> None:
    trust = TrustList(entries=(TrustedEntry("777788889999", "Lab", "clones", kinds=("aws.ec2.[s]napshot",)),))
    lab = Principal(PrincipalKind.ACCOUNT, "777788889999")

    assert worse([lab], trust, TrustList(), on=(DAY, DAY)) == {lab}


def test_a_vendors_name_is_a_label_and_no_trust(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(
        '- name: "Vendor <b>"\n  accounts: [012345678901, "999988887777", 012345670123]\n- name: broken\n- 7\n'
    )

    known = names(path)

    assert set(known) == {"012345678901", "999988887777", "012345670123"}
    assert known["999988887777"] == "Vendor <b>"
    judged = replace(TRUST, labels=known).judge(
        Principal(PrincipalKind.ACCOUNT, "999988887777"), account="1", kind="k", on=DAY
    )
    assert (judged.trust, judged.label) == (TrustClass.UNKNOWN, "Vendor <b>")


@pytest.mark.parametrize(
    "text",
    ["{", "a: b", "\x00", "- &a [*a, *a]\n: :", "[" * 20_000],
    ids=["open", "a mapping", "NUL", "itself", "deep"],
)
def test_a_vendors_file_that_is_none_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(text)

    with pytest.raises(ConfigurationError):
        names(path)
    with pytest.raises(ConfigurationError):
        names(tmp_path / "none.yaml")


def test_a_vendors_file_that_is_none_stops_a_run_before_anything_is_read(tmp_path: Path) -> None:
    config = Config.model_validate({"trust": {"vendors": tmp_path / "none.yaml"}})

    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read"):
        check(config, Selection(), {})
