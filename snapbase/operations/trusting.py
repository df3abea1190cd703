"""Who counts as whom as of a run: what people wrote, and what the clouds said of themselves."""

import json
from collections.abc import Iterable, Mapping

from snapbase.audit.log import audit_logs
from snapbase.model import ANYWHERE, Aspect, Cloud, Coverage, Json, Outcome, Run, State
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.trust import TrustList, from_config
from snapbase.vendors import names

_ORGANIZATIONS = "aws.organizations"
_CONTAINERS = ("azure.rbac", "gcp.iam")
TUNING = "detect"
"""Beside the list: what a run's events are judged by."""


TELLING = (_ORGANIZATIONS, *_CONTAINERS)
"""The kinds that say who is one of us, and whose an account is."""


def trust_now(store: Store, config: Config, rev: int, previous: TrustList, told: Iterable[State]) -> TrustList:
    """The trust list as of a revision: accounts that were members once and are not now become `former`.

    `told`: every resource of the kinds that say who is one of us.
    """
    written = from_config(config.trust)
    own = {scope.account for scope in store.known_scopes()}
    members: set[str] = set()
    organizations = set(written.organizations)
    tenants = set(written.tenants)
    left, last = _unlisted(store, config, rev), store.last_run()
    left &= _unlisted(store, config, last.last_rev) if left and last else set()  # a list may lack one for a moment
    for state in told:
        facts = {**state.resource.attributes, **state.resource.facts}
        if state.scope.kind == _ORGANIZATIONS:
            members |= _texts(facts, "account_id")
            organizations |= _texts(facts, "organization_id")
        elif state.scope.account in left:
            left |= _texts(facts, "project_number")
        else:
            own |= _texts(facts, "project_id", "project_number", "subscription_id")
            tenants |= _texts(facts, "tenant_id")
    own -= left
    former = (previous.members | previous.former | left) - members
    if own & former:
        # What left is no account of ours because it was read once: only whoever lets us in still is.
        own -= former - _entered(store, rev)
    vendors = names(config.trust.vendors)
    holders = {principal.id for principal, _ in store.principals(rev)} if vendors else set()
    return TrustList(
        labels={each: vendors[each] for each in sorted(holders & vendors.keys())},
        own=frozenset(own),
        members=frozenset(members),
        former=frozenset(former),
        organizations=frozenset(organizations),
        tenants=frozenset(tenants),
        domains=written.domains,
        entries=written.entries,
    )


def _entered(store: Store, rev: int) -> set[str]:
    """The accounts of which anything could be listed when it was asked for last; logs are not asked for again."""
    listed, logs = (Outcome.COMPLETE, Outcome.PARTIAL), {log.name for log in audit_logs()}
    return {
        scope.account
        for (scope, aspect), each in store.coverage_at(rev).items()
        if aspect == Aspect.LIST and each.outcome in listed and scope.kind not in (ANYWHERE, *logs)
    }


def _unlisted(store: Store, config: Config, rev: int) -> set[str]:
    """Subscriptions and projects that were there once and that their cloud did not list any more, as far as it was
    asked for all: whoever took them over took them out of our sight, and nobody knows any more whose they are."""
    # Where people write the list, one that is missing was taken from it.
    listing = [Cloud.AZURE] if not any(entry.subscriptions for entry in config.azure) else []
    listing += [Cloud.GCP] if not any(entry.projects for entry in config.gcp) else []
    outcomes: dict[tuple[str, str], set[str]] = {}
    shut, logs = set[tuple[str, str]](), {log.name for log in audit_logs()}
    for (scope, aspect), each in store.coverage_at(rev).items():
        if scope.cloud not in listing or aspect != Aspect.LIST or scope.kind in logs:
            continue
        if scope.kind != ANYWHERE:
            outcomes.setdefault((scope.cloud, scope.account), set()).add(each.outcome)
        elif not each.complete:
            # Of a folder, or a whole cloud, nobody knows what it holds.
            shut.add((scope.cloud, scope.account if "/" not in scope.account else ANYWHERE))
    gone = {place for place, found in outcomes.items() if found == {Outcome.DISABLED}} - shut
    return {account for cloud, account in gone if (cloud, ANYWHERE) not in shut}


def _texts(facts: Mapping[str, Json], *names: str) -> set[str]:
    return {value for name in names if isinstance(value := facts.get(name), str)}


def to_bytes(trust: TrustList, tuning: Mapping[str, Json] | None = None) -> bytes:
    """Canonical: the same list gives the same bytes. With what was set for the rules on events, where anything was."""
    told = trust.to_json() | ({TUNING: tuning} if tuning else {})
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def tuning_of(store: Store, run: Run) -> Mapping[str, Json]:
    """What was set for the rules on events when a run was made; nothing where that was the default."""
    told = json.loads(store.trust(run.trust_id)) if run.trust_id is not None else {}
    found = told.get(TUNING, {})
    return found if isinstance(found, dict) else {}


def of_id(store: Store, trust_id: int | None) -> TrustList:
    """The list stored under an id; an empty one where there is none."""
    if trust_id is None:
        return TrustList()
    told = json.loads(store.trust(trust_id))
    return TrustList.from_json({name: each for name, each in told.items() if name != TUNING})


def of_run(store: Store, run: Run | None) -> TrustList:
    return of_id(store, run.trust_id if run else None)


def caveats(gaps: Iterable[Coverage]) -> tuple[str, ...]:
    """What must be said of the trust list itself when its sources could not be read."""
    return tuple(
        f"The accounts of the organisation could not be listed ({each.reason or each.outcome}); "
        "the last known list was used to tell our own accounts from others."
        for each in gaps
        if each.scope.kind == _ORGANIZATIONS and each.scope.location != ANYWHERE and each.aspect == "list"
    )
