"""Cloud Logging: the entries that the sandbox's own calls wrote, as `entries.list` finds them."""

import base64
import re
from collections.abc import Callable
from datetime import datetime
from operator import ge, gt, le, lt
from typing import Any

from snapbase.sandbox.gcp.call import Call, Handler, Refusal
from snapbase.sandbox.gcp.estate import Body, Estate

Matches = Callable[[Body], bool]

_MOST = 100
_LOG_ID = re.compile(r'\(?log_id\("([^"]+)"\)(.*)')
_ONE_OF = re.compile(r'([\w.]+)=\(("[^"]*"(?: OR "[^"]*")*)\)')
_LIKE = re.compile(r'([\w.]+)=~"([^"]*)"')
_TIME = re.compile(r'(timestamp|receiveTimestamp)(>=|<=|>|<)"([^"]*)"')
_ORDERS = {">=": ge, "<=": le, ">": gt, "<": lt}
_CONTAINER = re.compile(r"(projects|folders|organizations|billingAccounts)/[^/]+")


def _list(estate: Estate, call: Call) -> Body:
    """A pageful is searched at a time, so a page may hold less than was asked for, or nothing, and another follow."""
    names = call.body.get("resourceNames", [])
    if not 1 <= len(names) <= _MOST:
        raise _invalid(f"resource_names must hold 1 to {_MOST} names")
    wanted = matching(call.body.get("filter", ""))
    order = call.body.get("orderBy", "timestamp asc")
    if order not in ("timestamp asc", "timestamp desc"):
        raise _invalid(f"Unsupported order_by: {order}")
    prefixes = tuple(f"{_container(estate, name)}/logs/" for name in names)
    found = [each for each in estate.entries() if each["logName"].startswith(prefixes)]
    begin, known = _token(call.body.get("pageToken", ""), len(found))
    found = found[:known][:: -1 if order.endswith("desc") else 1]
    end = begin + max(1, min(int(call.body.get("pageSize") or 50), call.page_size))
    page = [each for each in found[begin:end] if wanted(each)]
    token = base64.urlsafe_b64encode(f"{end}/{known}".encode()).decode()
    return ({"entries": page} if page else {}) | ({"nextPageToken": token} if end < len(found) else {})


def _container(estate: Estate, name: str) -> str:
    if not _CONTAINER.fullmatch(name):
        raise _invalid(f"Invalid resource name: {name}")
    collection, _, number = name.partition("/")
    project = estate.project(number) if collection == "projects" else None
    if collection == "projects" and project is None:
        raise Refusal(403, "forbidden", "PERMISSION_DENIED", "The caller does not have permission")
    return f"projects/{project['projectId']}" if project else name


def _token(token: str, known: int) -> tuple[int, int]:
    """Where the page begins, and how many entries there were when the first one was asked for."""
    if not token:
        return 0, known
    try:
        begin, _, known_then = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition("/")
        return int(begin), int(known_then)
    except ValueError:
        raise _invalid("page_token is invalid") from None


def matching(text: str) -> Matches:
    """The part of the query language that is needed: clauses joined by AND; whatever else is refused."""
    clauses = [_clause(each) for each in text.split(" AND ") if each]
    return lambda entry: all(matches(entry) for matches in clauses)


def _clause(text: str) -> Matches:
    if match := _LOG_ID.match(text):
        ids = [each.replace("/", "%2F") for each in re.findall(r'log_id\("([^"]+)"\)', text)]
        return lambda entry: entry["logName"].endswith(tuple(f"/logs/{each}" for each in ids))
    if match := _ONE_OF.fullmatch(text):
        path, values = match[1], re.findall(r'"([^"]*)"', match[2])
        return lambda entry: _field(entry, path) in values
    if match := _LIKE.fullmatch(text):
        path, pattern = match[1], re.compile(match[2])
        return lambda entry: pattern.search(str(_field(entry, path) or "")) is not None
    if match := _TIME.fullmatch(text):
        name, order, at = match[1], _ORDERS[match[2]], datetime.fromisoformat(match[3])
        return lambda entry: bool(order(datetime.fromisoformat(entry[name]), at))
    raise _invalid(f"Unparseable filter: {text}")


def _field(entry: Body, path: str) -> Any:
    found: Any = entry
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _invalid(message: str) -> Refusal:
    return Refusal(400, "invalid", "INVALID_ARGUMENT", message)


ANSWERS: dict[str, Handler] = {"logging.entries.list": _list}
