"""From where it was done: the countries of the addresses in findings, and what that makes of their severity."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from snapbase.audit.attribute import Certainty
from snapbase.finding import Attribution, Finding, Severity
from snapbase.locations import UNKNOWN, Locate, locator
from snapbase.rules.estate import Tuning, step


def locator_of(tuning: Tuning) -> tuple[Locate, tuple[str, ...]]:
    """The question that a run was judged with, and what must be said of it.

    On a machine without the file no address is known. Raises `ConfigurationError` where the file is damaged.
    """
    if not tuning.locations:
        return locator(None), ()
    path = Path(tuning.locations)
    if path.exists():
        return locator(path), ()
    return _unknown, (f"Where addresses are is not known here: there is no {path}.",)


def _unknown(address: str) -> str | None:
    try:
        ip_address(address)
    except ValueError:
        return None
    return UNKNOWN


def placed(found: Iterable[Finding], tuning: Tuning, locate: Locate) -> tuple[Finding, ...]:
    """The findings on changes, a step worse where whoever did it certainly acted from outside of our places."""
    return tuple(_weighed(each, tuning, locate) for each in found)


def named(found: Iterable[Finding], locate: Locate) -> tuple[Finding, ...]:
    """The findings with the country of every address that is known to have had a part in them."""
    return tuple(
        replace(each, attribution=tuple(_named(event, locate) for event in each.attribution))
        if each.attribution
        else each
        for each in found
    )


def _weighed(finding: Finding, tuning: Tuning, locate: Locate) -> Finding:
    """What is only for information stays so."""
    certain = (each.source_ip for each in finding.attribution if each.certainty == Certainty.EXACT)
    outside = any(tuning.is_outside(address, locate) for address in certain if address)
    if not outside or finding.severity == Severity.INFO:
        return finding
    detail = " ".join(filter(None, (finding.detail, "Done from outside of our places.")))
    return replace(finding, severity=step(finding.severity, -1), detail=detail)


def _named(event: Attribution, locate: Locate) -> Attribution:
    country = locate(event.source_ip) if event.source_ip else None
    return event if country is None else replace(event, country=country)
