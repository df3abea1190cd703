"""Whose our accounts, subscriptions and projects are: as people wrote it, and as far as the clouds say."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace

from snapbase.errors import NotFound, UsageError
from snapbase.finding import Account, Finding
from snapbase.model import Run, State
from snapbase.operations import trusting
from snapbase.rules.estate import Tuning
from snapbase.store import Store

_TAGS = (("owner",), ("team",), ("environment", "env"))
"""Tags of a subscription that say its owner, team and environment, in any case."""
TELLING = frozenset({"aws.organizations", "azure.rbac"})
"""Kinds whose resources say which accounts there are, and whose: unread, an account of anybody's may be missing."""


def known(written: Iterable[Account], states: Iterable[State]) -> dict[str, Account]:
    """By id: what people wrote wins, piece by piece, over what the clouds say of themselves."""
    found = {account.id: account for state in states if (account := _read(state))}
    for each in written:
        told = {piece.name: value for piece in fields(Account) if (value := getattr(each, piece.name))}
        found[each.id] = replace(found.get(each.id, Account(each.id)), **told)
    return found


def _read(state: State) -> Account | None:
    """An AWS organisation names its members, Azure its subscriptions; a project of Google Cloud is its own name, and
    its labels are not read."""
    resource = state.resource
    told = {**resource.attributes, **resource.facts}
    name = told.get("account_id") or told.get("subscription_id")
    if not isinstance(name, str):
        return None
    tags = {key.lower(): value for key, value in resource.tags.items()}
    owner, team, environment = (next((tags[key] for key in keys if tags.get(key)), "") for keys in _TAGS)
    return Account(name, resource.name or "", owner, team, environment)


def owned(found: Iterable[Finding], accounts: Mapping[str, Account]) -> tuple[Finding, ...]:
    """The findings with whose account each is in, and who answers for its subject."""
    return tuple(_owned(each, accounts) for each in found)


def _owned(finding: Finding, accounts: Mapping[str, Account]) -> Finding:
    subject = finding.subject
    holder = accounts.get(subject.owner or finding.account)
    if holder is not None and holder.owner:
        subject = replace(subject, owner=holder.owner)
    here = accounts.get(finding.account)
    if here is None and subject is finding.subject:
        return finding
    return replace(finding, owned=here, subject=subject)


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose accounts somebody wants to see, in any case; empty means everybody's."""

    owners: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


def whose(*wanted: Collection[str] | None) -> Whose:
    """Of options that may not have been given. Raises `UsageError` where one is empty: it would mean nobody's."""
    if not all(word.strip() for each in wanted for word in each or ()):
        raise UsageError("An option that narrows is empty.", hint="Say whose accounts are meant, or leave it out.")
    return Whose(*(tuple(each or ()) for each in wanted))


def accounts_of(store: Store, run: Run) -> Mapping[str, Account]:
    """As of a run, by id."""
    return Tuning.from_json(trusting.tuning_of(store, run)).accounts


def unseen(store: Store, written: Iterable[str]) -> tuple[str, ...]:
    """Ids that no finished run knows: neither read, nor tried in vain, nor a member of the organisation.

    An id may be wrong, or its account new. None before the first run.
    """
    run = store.last_run()
    if run is None:
        return ()
    tried = {scope.account for scope, _ in store.coverage_at(run.last_rev)}
    read = {scope.account for scope in store.known_scopes()}
    seen = {each.casefold() for each in tried | read | trusting.of_run(store, run).members}
    return tuple(sorted(each for each in written if each.casefold() not in seen))


def chosen(store: Store, run: Run, accounts: Collection[str], whose: Whose) -> tuple[str, ...]:
    """The ids of accounts to list; empty means all. Raises `NotFound` where nobody's are meant."""
    if whose == Whose():
        return tuple(accounts)
    every = accounts_of(store, run).values()
    found = [each.id for each in every if _is(each, whose) and (not accounts or each.id in accounts)]
    if not found:
        names = sorted({each.owner for each in every if each.owner})
        hint = f"Owners are {', '.join(names[:20])}." if names else "[[accounts]] in the configuration names owners."
        raise NotFound("No account is known as theirs.", hint=hint)
    return tuple(sorted(found))


def _is(account: Account, whose: Whose) -> bool:
    asked = (
        (whose.owners, account.owner),
        (whose.teams, account.team),
        (whose.environments, account.environment),
    )
    return all(not wanted or value.casefold() in {each.casefold() for each in wanted} for wanted, value in asked)
