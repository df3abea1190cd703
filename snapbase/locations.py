"""Where an internet address is, from a file that somebody else keeps: MaxMind DB, as GeoLite2 and DB-IP have it."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from snapbase.errors import ConfigurationError

UNKNOWN = "unknown"
"""The country of an address that the file does not know, as of private ones."""
Locate = Callable[[str], str | None]
"""An address -> its country (two letters) or `UNKNOWN`; None: it is no address, or nobody was asked."""
_COUNTRY = re.compile("^[A-Z]{2}$")
_HINT = "[detect] locations names it; download it again."


def nowhere(_: str) -> str | None:
    """Where no file is configured."""
    return None


def locator(path: Path | None) -> Locate:
    """A file as a question, each address looked up once; raises `ConfigurationError` where it is not what it should be.

    The library's own Python reader is asked, not its C one: what the file says is not trusted with our memory.
    """
    if path is None:
        return nowhere
    import maxminddb

    try:
        reader = maxminddb.open_database(path, mode=maxminddb.MODE_MMAP)
        metadata = reader.metadata()
        newest = (metadata.binary_format_major_version, metadata.ip_version) in {(2, 4), (2, 6)}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", hint=_HINT) from None
    except Exception as error:  # a broken file breaks the library's reader in many ways
        raise _broken(path) from error
    if not newest:
        raise _broken(path)
    known: dict[str, str | None] = {}

    def locate(address: str) -> str | None:
        if address not in known:
            known[address] = _ask(reader, path, address)
        return known[address]

    locate("192.0.2.1")
    return locate


def _ask(reader: Any, path: Path, address: str) -> str | None:
    try:
        asked = ip_address(address)
    except ValueError:
        return None
    if asked.version == 6 and reader.metadata().ip_version == 4:
        return UNKNOWN
    try:
        return _country(reader.get(asked))
    except Exception as error:  # as above
        raise _broken(path) from error


def _broken(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path} is not a MaxMind DB file, or it is damaged.", hint=_HINT)


def _country(record: object) -> str:
    """`{"country": {"iso_code": "DE"}}` of GeoLite2 and DB-IP; others: `{"country_code": "DE"}`, `{"country": "DE"}`.

    https://dev.maxmind.com/geoip/docs/databases/city-and-country
    """
    if not isinstance(record, dict):
        return UNKNOWN
    country = record.get("country")
    found = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    return found if isinstance(found, str) and _COUNTRY.match(found) else UNKNOWN
