"""How a CloudTrail event is read into an `Event`: the words that the table of event names is written in."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from snapbase.audit.cloudtrail_record import (
    MOST,
    Find,
    Names,
    Record,
    Tell,
    Whom,
    admitted,
    at,
    get,
    holder,
    ids,
    is_account,
    many,
    mapping,
    text,
)
from snapbase.event import Action
from snapbase.model import Principal, PrincipalKind

Judge = Callable[[Record], str]
"""An event whose class depends on its parameters; empty: it does not concern us."""


def _nothing(_: Record) -> Names:
    return ()


def _nobody(_: Record) -> tuple[Principal, ...]:
    return ()


def _silence(_: Record) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Row:
    """One event name: what it does, and where its record says to what."""

    action: str | Judge
    on: Find = _nothing
    """What it was done to."""
    made: Find = _nothing
    source: Find = _nothing
    whom: Whom = _nobody
    tell: Tell = _silence
    started: bool = False
    """Whether it only begins what another record says the end of."""
    listing: bool = False
    """Whether it lists: the ids asked for are counted."""


def asked(*names: str) -> Find:
    """Names in the request as they are."""
    low = tuple(each.lower() for each in names)
    return lambda record: ids(record.request, *low)


def answered(*names: str) -> Find:
    """Every name of that sort in the response."""
    low = tuple(each.lower() for each in names)
    return lambda record: ids(record.response, *low)


def succeeded(name: str) -> Find:
    """Every name of that sort in the response whose own return code says so: DeregisterImage lists as well what stays,
    for another image's or a permission's sake (EC2 API reference, DeleteSnapshotReturnCode)."""
    return lambda record: tuple(dict.fromkeys(_succeeded(record.response, name.lower(), 0)))


def _succeeded(given: Any, name: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        return
    if isinstance(given, dict) and (code := text(get(given, "returnCode"))):
        yield from ids(given, name) if code.lower() == "success" else ()
    elif isinstance(given, dict | list):
        for each in given.values() if isinstance(given, dict) else given[:MOST]:
            yield from _succeeded(each, name, depth + 1)


_DEPTH = 8


def told(*paths: str) -> Find:
    """Names in the response, the first path that has one."""
    return lambda record: tuple(filter(None, [next(filter(None, (text(at(record.response, p)) for p in paths)), "")]))


def detail(*paths: str) -> Find:
    """Names in what a service says about its own doing."""
    return lambda record: tuple(filter(None, [next(filter(None, (text(at(record.service, p)) for p in paths)), "")]))


def both(*finds: Find) -> Find:
    return lambda record: tuple(dict.fromkeys(each for find in finds for each in find(record)))


def either(*finds: Find) -> Find:
    """The first that finds anything."""
    return lambda record: next(filter(None, (find(record) for find in finds)), ())


def ec2(kind: str, find: Find, *, abroad: str = "", suffix: str = "") -> Find:
    """Addresses of EBS snapshots and images, which name no account; `abroad` is the parameter with their region."""

    def found(record: Record) -> Names:
        region = text(at(record.request, abroad)) if abroad else ""
        return tuple(record.arn("ec2", f"{kind}/{each}{suffix}", account=False, region=region) for each in find(record))

    return found


def own(service: str, rest: str, find: Find, *, lower: bool = False) -> Find:
    """Addresses of what an account names itself; a value that is an ARN already stays as it is."""

    def found(record: Record) -> Names:
        return tuple(
            each if each.startswith("arn:") else record.arn(service, f"{rest}{each.lower() if lower else each}")
            for each in find(record)
        )

    return found


def first(find: Find) -> Find:
    return lambda record: find(record)[:1]


def region_setting(name: str = "") -> Find:
    """One of a region's settings, as its collector names it; without a name the block on public snapshots."""
    return lambda record: (record.arn("ec2", f"region-settings/{name}" if name else "region-settings"),)


def words(*paths: str) -> Tell:
    """`name=value` for every path of the request that has a plain value."""

    def tell(record: Record) -> str:
        found = ((path.rpartition(".")[2], at(record.request, path)) for path in paths)
        said = (f"{name}={_plain(value)}" for name, value in found if isinstance(value, (str, int, bool)))
        return " ".join(said)[:500]

    return tell


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:200]


def permission(name: str) -> tuple[Judge, Whom]:
    """ModifySnapshotAttribute and ModifyImageAttribute: `add` and `remove` of one permission (EC2 API reference)."""

    def sides(record: Record) -> tuple[tuple[Principal, ...], tuple[Principal, ...]]:
        given = mapping(at(record.request, name))
        add, remove = _permitted(get(given, "add")), _permitted(get(given, "remove"))
        # The older way to say the same: an operation and the names beside it.
        operation = at(record.request, "operationType")
        if operation is None:
            return add, remove
        named = tuple(each for path in _OLDER for each in _permitted(at(record.request, path)))
        if operation == "remove":
            return add, (*remove, *named)
        return (*add, *named), remove

    def judge(record: Record) -> str:
        add, remove = sides(record)
        return Action.SHARE if add else Action.UNSHARE if remove else Action.MODIFY

    def whom(record: Record) -> tuple[Principal, ...]:
        add, remove = sides(record)
        return tuple(dict.fromkeys(add or remove))[:MOST]

    return judge, whom


_OLDER = (
    "userIds",
    "userIdSet",
    "groupNames",
    "groupSet",
    "userGroups",
    "organizationArns",
    "organizationArnSet",
    "organizationalUnitArns",
    "organizationalUnitArnSet",
)


def _user(value: str) -> Principal:
    return Principal(PrincipalKind.PUBLIC if value == "all" else PrincipalKind.ACCOUNT, value)


_HOLDERS = {
    "userId": PrincipalKind.ACCOUNT,
    "organizationArn": PrincipalKind.ORGANIZATION,
    "organizationalUnitArn": PrincipalKind.ORGANIZATIONAL_UNIT,
}


def _permitted(items: Any) -> tuple[Principal, ...]:
    return tuple(filter(None, (_one(each) for each in many(items))))


def _one(item: Any) -> Principal | None:
    if isinstance(item, str):
        return (holder if item.startswith("arn:") else _user)(item) if text(item) else None
    given = mapping(item)
    if text(get(given, "group")) == "all":
        return Principal(PrincipalKind.PUBLIC, "all")
    for name, kind in _HOLDERS.items():
        if value := text(get(given, name)):
            return Principal(kind, value)
    group = text(get(given, "group"))
    return Principal(PrincipalKind.OTHER, group) if group else None


def restorers() -> tuple[Judge, Whom]:
    """ModifyDB(Cluster)SnapshotAttribute: values of the attribute `restore` (RDS API reference)."""

    def side(record: Record, name: str) -> tuple[Principal, ...]:
        if at(record.request, "attributeName") != "restore":
            return ()
        return tuple(_user(each) for each in map(text, many(at(record.request, name))) if each)

    def judge(record: Record) -> str:
        if side(record, "valuesToAdd"):
            return Action.SHARE
        return Action.UNSHARE if side(record, "valuesToRemove") else Action.MODIFY

    def whom(record: Record) -> tuple[Principal, ...]:
        return side(record, "valuesToAdd") or side(record, "valuesToRemove")

    return judge, whom


def parties(*names: str) -> Whom:
    """Principals that the request names, but its own account."""
    find = asked(*names)
    return lambda record: _others(record, find(record))


def _others(record: Record, names: Iterable[str]) -> tuple[Principal, ...]:
    found = filter(None, map(holder, names))
    return tuple(dict.fromkeys(each for each in found if each.id != record.account))


def policy(name: str) -> Whom:
    """Whom a resource policy in the request lets in."""
    return lambda record: admitted(at(record.request, name), record.account)


def bucket(*paths: str) -> Whom:
    """An export's bucket, as the collectors write whoever may read it."""

    def whom(record: Record) -> tuple[Principal, ...]:
        found = next(filter(None, (text(at(record.request, each)) for each in paths)), "")
        return (Principal(PrincipalKind.OTHER, f"s3://{found}"),) if found else ()

    return whom


def other_account(path: str) -> Whom:
    """The account in an ARN, where it is not the log's own."""

    def whom(record: Record) -> tuple[Principal, ...]:
        parts = text(at(record.request, path)).split(":")
        account = parts[4] if len(parts) > 4 else ""
        return (Principal(PrincipalKind.ACCOUNT, account),) if is_account(account) and account != record.account else ()

    return whom


def grants_abroad(record: Record) -> str:
    """CreateGrant comes with every encrypted disk; it shares only where the grantee is another account's."""
    return Action.SHARE if parties("granteePrincipal")(record) else ""


def only_if(path: str, action: str) -> Judge:
    """The action where the request has this parameter, nothing else."""
    return lambda record: action if at(record.request, path) not in (None, "", [], {}) else ""


def retention(*paths: str, switches: tuple[str, ...] = ()) -> Judge:
    """Recovery inhibited by a retention of 0 or a protection switched off; another retention is a change of policy."""

    def judge(record: Record) -> str:
        values = [at(record.request, each) for each in paths]
        if any(each is not None and str(each)[:4] == "0" for each in values):
            return Action.INHIBIT
        if any(at(record.request, each) is False for each in switches):
            return Action.INHIBIT
        changed = [*values, *(at(record.request, each) for each in switches)]
        return Action.POLICY if any(each is not None for each in changed) else ""

    return judge


def ends_backups(*paths: str) -> Judge:
    """Deleting a database takes its automated backups along unless it is told not to (RDS API reference)."""

    def judge(record: Record) -> str:
        return Action.INHIBIT if any(at(record.request, each) is not False for each in paths) else Action.MODIFY

    return judge


def switched(path: str, off: Any, action: str, otherwise: str) -> Judge:
    """`action` where a parameter has the value that switches something off."""
    return lambda record: action if at(record.request, path) == off else otherwise
