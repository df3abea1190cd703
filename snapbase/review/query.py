"""The filter's little language: words that must all be there, some of them said to be in one field."""

from dataclasses import dataclass, field

from snapbase.finding import CoverageGap, Finding
from snapbase.report.text import holder, hole, named, plain, title, why_unread
from snapbase.review.decisions import Choice, Decision

_FIELDS = {
    "severity": "severity",
    "sev": "severity",
    "cloud": "cloud",
    "account": "account",
    "principal": "principal",
    "holder": "principal",
    "rule": "rule",
    "kind": "kind",
    "is": "is",
}
_LONG = 2000


@dataclass(frozen=True, slots=True)
class Words:
    """What of one finding can be searched: as shown, in lower case."""

    everything: str
    fields: dict[str, str] = field(default_factory=dict)


def words_of(item: Finding | CoverageGap | str) -> Words:
    if isinstance(item, str):
        return Words(plain(item, _LONG).casefold())
    if isinstance(item, CoverageGap):
        scope = item.coverage.scope
        place = {"cloud": scope.cloud, "account": plain(scope.account), "kind": plain(scope.kind)}
        return Words(f"{scope.cloud} {hole(item)} {why_unread(item)}".casefold(), _lower(place))
    fields = {
        "severity": item.severity,
        "cloud": plain(item.cloud),
        "account": plain(item.account),
        "principal": holder(item),
        "rule": plain(item.rule),
        "kind": plain(item.kind),
    }
    texts = (*fields.values(), title(item), plain(item.detail, _LONG), named(item), plain(item.location), item.id)
    full = (plain(item.subject.uid, _LONG), plain(item.subject.name or "", _LONG))
    return Words(" ".join((*texts, *full)).casefold(), _lower(fields))


def _lower(fields: dict[str, str]) -> dict[str, str]:
    return {key: each.casefold() for key, each in fields.items()}


@dataclass(frozen=True, slots=True)
class Query:
    terms: tuple[tuple[str, str], ...]
    """(field, value); the field is empty where the word may be anywhere."""

    def matches(self, words: Words, decision: Decision | None) -> bool:
        """`decision` is None for what nobody can decide: a hole in the coverage."""
        return all(self._holds(field, value, words, decision) for field, value in self.terms)

    def _holds(self, name: str, value: str, words: Words, decision: Decision | None) -> bool:
        if not name:
            return value in words.everything
        if name == "is":
            return decision is not None and any(each.startswith(value) for each in _standing(decision))
        if name == "severity":
            return words.fields.get(name, "").startswith(value)
        return value in words.fields.get(name, "")


def _standing(decision: Decision) -> tuple[str, ...]:
    noted = ("noted",) if decision.note else ()
    named = {Choice.APPROVE: ("approved",), Choice.LEAVE: ("left",), None: ("undecided", "open")}
    return (*named[decision.choice], *noted)


def parse(text: str) -> Query:
    terms = []
    for word in text.casefold().split():
        name, colon, value = word.partition(":")
        known = _FIELDS.get(name) if colon else None
        if known is None:
            terms.append(("", word))
        elif value:
            terms.append((known, value))
    return Query(tuple(terms))
