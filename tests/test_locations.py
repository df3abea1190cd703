"""GeoLocation: where an actor's address is, by a file that nobody has to trust, and what that makes of a finding."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from snapbase.errors import ConfigurationError
from snapbase.event import Action
from snapbase.finding import Attribution, Finding, Report, Severity
from snapbase.locations import UNKNOWN, locator
from snapbase.operations import detecting, placing
from snapbase.report.text import done_by
from snapbase.rules.estate import Tuning
from snapbase.settings import Config
from snapbase.store import Store
from tests.detecting.world import did, run
from tests.detecting.world import report as judged
from tests.report.cases import AT, finding
from tests.store.world import grant

HOME, ABROAD, NOWHERE, PRIVATE = "81.2.69.142", "198.51.100.7", "192.0.2.7", "10.0.0.1"
PLACES: dict[str, object] = {
    "81.2.69.0/24": {"country": {"iso_code": "DE", "names": {"en": "Germany"}}},
    "198.51.100.0/24": {"country": {"iso_code": "RU"}},
    "203.0.113.0/24": {"registered_country": {"iso_code": "US"}},
    "203.0.114.0/24": {"country": "FR"},
    "203.0.115.0/24": {"country_code": "FR"},
    "203.0.116.0/24": {"country": {"iso_code": "\x1b[31m"}},
    "203.0.117.0/24": {"country": ["DE"]},
    "2001:db8::/32": {"country": {"iso_code": "DE"}},
}


def written(path: Path, places: dict[str, object] = PLACES, version: int = 6) -> Path:
    writer = MMDBWriter(version, "Country", ipv4_compatible=version == 6)
    for network, record in places.items():
        writer.insert_network(IPSet([network]), record)  # type: ignore[arg-type]
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="module", name="file")
def _file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("places") / "places.mmdb")


@pytest.mark.parametrize(
    ("address", "country"),
    [
        (HOME, "DE"),
        (ABROAD, "RU"),
        ("2001:db8::1", "DE"),
        ("203.0.114.1", "FR"),
        ("203.0.115.1", "FR"),
        ("203.0.113.1", UNKNOWN),  # where it is registered is not where it is
        ("203.0.116.1", UNKNOWN),
        ("203.0.117.1", UNKNOWN),
        (NOWHERE, UNKNOWN),
        (PRIVATE, UNKNOWN),
        ("backup.amazonaws.com", None),
        ("", None),
        ("81.2.69.142 or so", None),
    ],
)
def test_a_country_is_what_the_file_says_or_unknown(file: Path, address: str, country: str | None) -> None:
    assert locator(file)(address) == country


def test_a_file_of_the_old_internet_knows_no_new_address(tmp_path: Path) -> None:
    locate = locator(written(tmp_path / "old.mmdb", {"81.2.69.0/24": {"country": {"iso_code": "DE"}}}, version=4))

    assert (locate(HOME), locate("2001:db8::1")) == ("DE", UNKNOWN)


def test_a_file_that_is_none_is_refused_with_words(tmp_path: Path) -> None:
    path = tmp_path / "x.mmdb"
    with pytest.raises(ConfigurationError, match=r"x.mmdb cannot be read: No such file"):
        locator(path)
    for junk in (b"", b"PK\x03\x04", b"\xab\xcd\xefMaxMind.com", b"\xab\xcd\xefMaxMind.com" + b"\xe0" * 400):
        path.write_bytes(junk)
        with pytest.raises(ConfigurationError, match=r"x.mmdb is not a MaxMind DB file, or it is damaged"):
            locator(path)


def test_a_damaged_file_is_refused_or_answers_but_never_breaks(file: Path, tmp_path: Path) -> None:
    whole, chance, refused = file.read_bytes(), random.Random(4), 0
    path = tmp_path / "damaged.mmdb"
    for _ in range(400):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        path.write_bytes(body[: chance.choice((len(body), len(body), chance.randrange(len(body))))])
        try:
            locate = locator(path)
            found = {locate(each) for each in (HOME, ABROAD, PRIVATE, "2001:db8::1", "::1")}
        except ConfigurationError:
            refused += 1
            continue
        assert all(each == UNKNOWN or (each and len(each) == 2 and each.isupper()) for each in found)
    assert 50 < refused < 400


@pytest.mark.parametrize(
    ("tuning", "outside"),
    [
        (Tuning(), ()),
        (Tuning(home_countries=("DE",)), (ABROAD, NOWHERE, PRIVATE)),
        (Tuning(home_countries=("DE", "RU")), (NOWHERE, PRIVATE)),
        (Tuning(home_countries=("DE",), networks=("10.0.0.0/8",)), (ABROAD, NOWHERE)),
        (Tuning(networks=("10.0.0.0/8",)), (HOME, ABROAD, NOWHERE)),
    ],
)
def test_outside_is_what_neither_a_network_nor_a_country_of_ours_has(
    file: Path, tuning: Tuning, outside: tuple[str, ...]
) -> None:
    locate = locator(file)

    found = [
        each for each in (HOME, ABROAD, NOWHERE, PRIVATE, "dlm.amazonaws.com", "") if tuning.is_outside(each, locate)
    ]

    assert tuple(found) == outside


def by(address: str, certainty: str = "exact", severity: Severity = Severity.MEDIUM) -> Finding:
    event = Attribution(
        at=AT, action="Share", actor="eve", source_ip=address, user_agent=None, event_id="e", certainty=certainty
    )
    return finding("trusted-share", severity, "Shared", attribution=(event,))


@pytest.mark.parametrize(
    ("told", "severity"),
    [
        (by(HOME), Severity.MEDIUM),
        (by(ABROAD), Severity.HIGH),
        (by(NOWHERE), Severity.HIGH),
        (by(ABROAD, "window"), Severity.MEDIUM),
        (by(ABROAD, severity=Severity.CRITICAL), Severity.CRITICAL),
        (by(ABROAD, severity=Severity.INFO), Severity.INFO),
        (by("dlm.amazonaws.com"), Severity.MEDIUM),
    ],
)
def test_a_change_that_was_certainly_done_from_outside_is_a_step_worse(
    file: Path, told: Finding, severity: Severity
) -> None:
    (found,) = placing.placed([told], Tuning(home_countries=("DE",)), locator(file))

    assert found.severity == severity
    assert ("Done from outside of our places." in found.detail) == (severity != told.severity or severity == "critical")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, write=True) as opened:
        yield opened


def _tuning(file: Path) -> Tuning:
    return Tuning(locations=str(file), home_countries=("DE",))


def _shared(store: Store, address: str, tuning: Tuning) -> Report:
    """A share by eve from an address, of a snapshot that was there before."""
    run(store, 0, tuning=tuning)
    event = replace(did(Action.SHARE, days=1), source_ip=address)
    store.add_events([event])
    run(store, 2, grants=[grant()], tuning=tuning)
    return judged(store)


def test_the_country_is_said_with_who_did_it(store: Store, file: Path) -> None:
    report = _shared(store, ABROAD, _tuning(file))

    share = next(each for each in report.findings if each.rule == "unknown-account-share")
    assert [each.country for each in share.attribution] == ["RU"]
    assert "from 198.51.100.7, RU (exact)" in done_by(share.attribution[0])


def test_an_address_that_the_file_does_not_know_is_said_to_be_unknown(store: Store, file: Path) -> None:
    report = _shared(store, NOWHERE, _tuning(file))

    share = next(each for each in report.findings if each.rule == "unknown-account-share")
    assert "from 192.0.2.7, country unknown (exact)" in done_by(share.attribution[0])


def _restored(store: Store, address: str, tuning: Tuning) -> Severity:
    """What a restore by somebody who never did it before is worth, from an address."""
    store.add_events([replace(did(Action.CREATE, days=-21), id="long ago", subjects=("old",))])
    run(store, 0, tuning=tuning)
    store.add_events([replace(did(Action.RESTORE, days=1, made="vol-9"), source_ip=address)])
    run(store, 2, tuning=tuning)
    return next(each.severity for each in judged(store).findings if each.rule == "restore-by-new-principal")


def test_a_detection_from_another_country_is_a_step_worse(tmp_path: Path, file: Path) -> None:
    def of(address: str) -> Severity:
        with Store.open(f"sqlite:///{tmp_path}/{address}.db", write=True) as opened:
            return _restored(opened, address, _tuning(file))

    home, abroad, unknown = (of(each) for each in (HOME, ABROAD, NOWHERE))

    assert abroad == unknown
    assert abroad.rank == home.rank - 1


def test_where_the_file_is_not_the_report_says_so_and_nobody_is_at_home(store: Store, tmp_path: Path) -> None:
    report = _shared(store, HOME, _tuning(tmp_path / "elsewhere.mmdb"))

    assert f"Where addresses are is not known here: there is no {tmp_path}/elsewhere.mmdb." in report.notes
    share = next(each for each in report.findings if each.rule == "unknown-account-share")
    assert [each.country for each in share.attribution] == [UNKNOWN]


def test_a_damaged_file_stops_the_report(store: Store, tmp_path: Path) -> None:
    (tmp_path / "bad.mmdb").write_bytes(b"nothing")

    with pytest.raises(ConfigurationError, match="damaged"):
        _shared(store, HOME, _tuning(tmp_path / "bad.mmdb"))


def test_what_a_run_is_judged_by_is_refused_before_anything_is_read(tmp_path: Path, file: Path) -> None:
    def config(path: Path) -> Config:
        return Config.model_validate({"detect": {"locations": str(path), "home_countries": ["DE"]}})

    told = detecting.settings(config(file))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        detecting.settings(config(tmp_path / "missing.mmdb"))

    assert Tuning.from_json(told) == Tuning(locations=str(file), home_countries=("DE",))
