"""Verifying the approval log: every line recomputed, and everything that every approval covered."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection, select

from snapbase.model import Approval, BaselineScope, Pin
from snapbase.store import codec, cohorts, proofs, tables
from snapbase.store.baselines import APPROVALS, line_hash
from snapbase.store.history import alive
from snapbase.store.proofs import Proof

Check: TypeAlias = Callable[[str, str], bool]
"""(hash, signature) -> whether the key made it."""
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not what it was; `line` is None where it is about the log as a whole."""

    line: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Verified:
    lines: int
    head: str
    """The hash of the last line: keep it elsewhere."""
    problems: tuple[Problem, ...] = ()
    unproven: tuple[str, ...] = field(default=())
    """What this verification could not find out, in words."""


def verify(connection: Connection, *, head: str = "", check: Check | None = None) -> Verified:
    """Recomputes every line and all it covered.

    An altered, removed, reordered or inserted line breaks the chain; a rewritten chain fits neither a head that was
    kept elsewhere nor the key's signatures, and a truncated one does not reach the head.
    """
    log, pin = tables.baseline, tables.pin
    lines = [dict(row) for row in connection.execute(select(log).order_by(log.c.id)).mappings()]
    pins: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(select(pin).order_by(pin.c.id)).mappings():
        pins.setdefault(row["baseline_id"], []).append(dict(row))
    problems = list(chain_problems(lines, pins))
    problems += unowned_problems(lines, pins)
    leaning: list[int] = []
    for line in lines:
        problems += _covered_problems(connection, line, pins.get(line["id"], []), leaning)
    every_pin = (pin for of_line in pins.values() for pin in of_line)
    bodies = [dict(row) for row in connection.execute(select(tables.cohort)).mappings()]
    problems += cohort_problems(every_pin, bodies)
    problems += head_problems(lines, head)
    if check is not None:
        problems += signature_problems(lines, check)
    last = lines[-1]["hash"] if lines else ""
    return Verified(len(lines), last, tuple(problems), tuple(_unproven(lines, head, check, leaning)))


def chain_problems(
    lines: Sequence[Mapping[str, Any]], pins: Mapping[int, Sequence[Mapping[str, Any]]]
) -> Iterator[Problem]:
    """Lines that are altered, removed, reordered or inserted, as far as the chain itself tells."""
    expected, before = 1, ""
    for line in lines:
        number = line["id"]
        if number != expected:
            gone = str(expected) if number == expected + 1 else f"{expected} to {number - 1}"
            yield Problem(number, f"The log jumps here: {gone} removed.")
        elif line["prev_hash"] != before:
            yield Problem(
                number, "It does not follow the line before it: one of them was altered, removed or reordered."
            )
        if line_hash(line, pins.get(number, ())) != line["hash"]:
            yield Problem(number, "The line or one of its pins was altered, added or removed.")
        if not line["covered"] and (line["pending"] or line["about"] is not None):
            yield Problem(number, "It claims to be older than what it holds.")
        expected, before = number + 1, line["hash"]


def head_problems(lines: Sequence[Mapping[str, Any]], head: str) -> Iterator[Problem]:
    if head and head not in {line["hash"] for line in lines}:
        yield Problem(None, "The given head is the hash of no line: the log was truncated or rewritten since.")


def signature_problems(lines: Sequence[Mapping[str, Any]], check: Check) -> Iterator[Problem]:
    """A signed line vouches for all before it, so only what comes after the last signed one stands unsigned."""
    signed = [line["id"] for line in lines if line["signature"]]
    for line in lines:
        if line["signature"] and not check(line["hash"], line["signature"]):
            yield Problem(line["id"], "Its signature was not made by the key over this line.")
        if not line["signature"] and signed and line["id"] > signed[0]:
            yield Problem(line["id"], "It is not signed, though lines before it are.")
    if lines and not signed:
        yield Problem(None, "No line is signed.")


def cohort_problems(pins: Iterable[Mapping[str, Any]], bodies: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    """A pin on a cohort holds the digest of its content, which lies beside the log."""
    known = {(row["baseline_id"], cohorts.subject(row["origin"])): row["body"] for row in bodies}
    for pin in (each for each in pins if each["entry"].startswith(cohorts.ENTRY)):
        body = known.pop((pin["baseline_id"], pin["subject"]), "")
        if cohorts.entry(body.encode()) != pin["entry"]:
            yield Problem(pin["baseline_id"], f"What it covered is not what it was: the cohort of {pin['subject']}.")
    for line, subject in known:
        yield Problem(line, f"The cohort of {subject} lies beside it, and it approved none.")


def unowned_problems(lines: Sequence[Mapping[str, Any]], pins: Mapping[int, Sequence[Any]]) -> Iterator[Problem]:
    known = {line["id"] for line in lines}
    for baseline_id in sorted(pins.keys() - known):
        yield Problem(baseline_id, f"{len(pins[baseline_id])} pins belong to no line: it was removed.")


def after(lines: Sequence[Mapping[str, Any]], head: str) -> int:
    """How many lines came after the given head."""
    return next((len(lines) - place for place, line in enumerate(lines, 1) if line["hash"] == head), 0)


def _unproven(
    lines: Sequence[Mapping[str, Any]], head: str, check: Check | None, leaning: Sequence[int]
) -> Iterator[str]:
    later = after(lines, head)
    if head and later:
        yield f"{later} line{'' if later == 1 else 's'} came after the given head; keep the new one."
    if not head:
        yield "Without --head a log whose last lines were cut off looks whole."
    if not head and check is None:
        yield "Without --head or --public-key a log that was rewritten from some line on looks whole."
    older = [str(line["id"]) for line in lines if not line["covered"]]
    if older:
        yield f"Written before approvals kept what they covered, so only themselves checked: {', '.join(older)}."
    if leaning:
        yield (
            "Written before single approvals covered what stood in front of them, which was not checked: "
            f"{', '.join(map(str, leaning))}."
        )


def _covered_problems(
    connection: Connection, line: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], leaning: list[int]
) -> Iterator[Problem]:
    """`leaning` gets the line's number where it is older than what single approvals cover beside their subjects."""
    if not line["covered"]:
        return
    number, proof = line["id"], tables.proof.c
    query = select(proof.subject, proof.rev, proof.digest).where(proof.baseline_id == number)
    kept = [Proof(*row) for row in connection.execute(query)]
    if proofs.root(kept) != line["covered"]:
        yield Problem(number, "The digests of what it covered are not those it was hashed with.")
    if line["scope"] not in APPROVALS:
        return
    whole = line["rev"] if line["scope"] == BaselineScope.WHOLE else None
    if whole is not None:
        yield from _run_problems(connection, line)
    stated = {(each.subject, each.rev): each.digest for each in kept}
    pins = [_pin(each) for each in rows]
    found = {
        (each.subject, each.rev): each.digest for each in proofs.of_line(connection, whole, line["trust_id"], pins)
    }
    beside = {key for key in found if key[0] == proofs.BESIDE}
    if beside and not any(subject == proofs.BESIDE for subject, _ in stated):  # the root holds that there was none
        leaning.append(number)
        found = {key: digest for key, digest in found.items() if key not in beside}
    for subject, rev in sorted(stated.keys() | found.keys()):
        if stated.get((subject, rev)) != found.get((subject, rev)):
            as_of = f" as of revision {rev}" if rev else ""
            culprits = ", ".join(_culprits(connection, subject, rev))
            named = f": {culprits}" if culprits else ""
            yield Problem(number, f"What it covered is not what it was: {subject}{as_of}{named}.")


def _run_problems(connection: Connection, line: Mapping[str, Any]) -> Iterator[Problem]:
    run = tables.run.c
    found = connection.execute(select(run.last_rev, run.trust_id).where(run.id == line["run_id"])).first()
    if found is None or tuple(found) != (line["rev"], line["trust_id"]):
        yield Problem(
            line["id"], f"Run {line['run_id']} is not the one that was approved: its end or trust list differs."
        )


def _pin(row: Mapping[str, Any]) -> Pin:
    """For its place only: what an altered row says of time must not stop the verification."""
    nobody = Approval(row["who"], codec.moment("1970-01-01T00:00:00Z"), row["why"])
    return Pin(row["subject"], row["entry"], row["rev"], row["trust_id"], nobody, bool(row["held"]))


def _culprits(connection: Connection, subject: str, rev: int) -> list[str]:
    """Versions whose content does not fit the digest stored beside it: who altered one rarely alters the other."""
    resource, version, profile, scope = tables.resource, tables.version, tables.profile, tables.scope.c
    place = (scope.cloud, scope.account, scope.location, scope.kind)
    query = (
        select(resource.c.uid, resource.c.address, resource.c.subject, version.c.digest, version.c.document,
               profile.c.body, *place)
        .join_from(resource, version, version.c.resource_id == resource.c.id)
        .join(profile, profile.c.id == version.c.profile_id)
        .join(tables.scope, scope.id == resource.c.scope_id)
        .where(alive(version, rev))
    )  # fmt: skip
    found: list[str] = []
    for uid, address, about, digest, document, body, *where in connection.execute(query):
        of_it = subject in (uid, proofs.everything_in(proofs.scope_name(*where)))
        if of_it and digest != codec.content_digest(address, about, body, document):
            found.append(uid)
        if len(found) == _EXAMPLES:
            break
    return found
