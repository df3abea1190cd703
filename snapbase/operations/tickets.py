"""Change tickets: what new snapshots claim, and asking whoever knows whether it is so."""

import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

from snapbase.finding import Finding, Report
from snapbase.model import State
from snapbase.settings import TicketSection
from snapbase.store import Store
from snapbase.ticket import Claim, Standing, claimed

_RULE = "snapshot-appeared"
_TRIES = 3
"""In vain one after the other, and the rest is left for the next run: whoever makes many claims must not stop it."""
_LONGEST = 30.0
"""Seconds for all questions of a run (or for one, where more is configured): as `watch` has from round to round."""
_AT_ONCE = 8
_FAILED = "asking failed"

_Answer = tuple[Standing, str]
"""And why, in words."""


def check(store: Store, section: TicketSection, report: Report) -> int:
    """Asks about every claim of a new snapshot that nobody has answered yet; returns how many claims there are.

    Needs the store's lock. What is asked: does the ticket cover this snapshot, of this source, by this actor, now?
    """
    if not section.tags:
        return 0
    new = {each.subject.uid: each for each in report.findings if each.rule == _RULE}
    known = store.claims(new)
    open_ = {uid for uid in new if uid not in known or known[uid].standing == Standing.UNCONFIRMED}
    states = store.guards(report.run.last_rev, open_)
    tickets = {uid: claimed(states[uid].resource.tags, section.tags, section.pattern) for uid in states}
    # In another order each time: those on which asking fails are not always the first.
    order = sorted((uid for uid in states if tickets[uid]), key=lambda uid: _shuffled(report.run.id, uid))
    answers = _answers(section, {uid: _question(tickets[uid], states[uid], new[uid]) for uid in order})
    store.keep_claims(Claim(uid, tickets[uid], *answers[uid]) for uid in order)
    return len(order)


def _shuffled(run: int, uid: str) -> bytes:
    return sha256(f"{run} {uid}".encode("utf-8", "replace")).digest()


def _answers(section: TicketSection, questions: Mapping[str, Mapping[str, Any]]) -> dict[str, _Answer]:
    """Asks about all of them, a few at once, and not for longer than `_LONGEST`: what is new must be told.

    In daemon threads, which are left behind then: an answer may come byte by byte, and for ever.
    """
    found: dict[str, _Answer] = {}
    left, bugs, vain = deque(questions), list[Exception](), 0
    end = time.monotonic() + max(_LONGEST, section.timeout)

    def work() -> None:
        nonlocal vain
        while vain < _TRIES and (seconds := end - time.monotonic()) > 0:
            try:
                uid = left.popleft()
                found[uid] = _asked(section, questions[uid], min(seconds, section.timeout))
            except IndexError:  # nothing is left
                return
            except Exception as error:
                bugs.append(error)
                return
            vain = vain + 1 if found[uid][1].startswith(_FAILED) else 0

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(questions)))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(max(0.0, end - time.monotonic()))
    if bugs:
        raise bugs[0]
    why = f"not asked: {f'{_FAILED} for others just before' if vain >= _TRIES else 'others took all the time'}"
    silent = dict.fromkeys(questions, f"{_FAILED}: no answer in time") | dict.fromkeys(tuple(left), why)
    return {uid: (Standing.UNCONFIRMED, words) for uid, words in silent.items()} | dict(found)


def _asked(section: TicketSection, question: Mapping[str, Any], seconds: float) -> _Answer:
    if section.command:
        return _by_command(section.command, question, seconds)
    if section.url:
        return _by_url(section.url, question, seconds)
    return Standing.UNCONFIRMED, "nobody is configured to be asked"


def _question(ticket: str, state: State, finding: Finding) -> dict[str, Any]:
    resource = state.resource
    return {
        "ticket": ticket,
        "cloud": state.scope.cloud,
        "account": state.scope.account,
        "location": state.scope.location,
        "kind": state.scope.kind,
        "uid": resource.uid,
        "source": resource.source,
        "created_at": resource.created_at.isoformat() if resource.created_at else None,
        "actors": sorted({each.actor for each in finding.attribution}),
    }


def _by_command(command: Sequence[str], question: Mapping[str, Any], seconds: float) -> _Answer:
    """Exit code 0 confirms, 1 refuses, anything else is no answer. The question is JSON on its standard input."""
    try:
        done = subprocess.run(  # noqa: S603 - the configuration names it
            list(command),
            input=json.dumps(question),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Standing.UNCONFIRMED, f"{_FAILED}: {type(error).__name__}"
    words = " ".join(done.stdout.split())[:200]
    if done.returncode == 0:
        return Standing.CONFIRMED, words
    if done.returncode == 1:
        return Standing.REFUSED, words
    return Standing.UNCONFIRMED, f"asking ended with {done.returncode}"


def _by_url(url: SecretStr, question: Mapping[str, Any], seconds: float) -> _Answer:
    """`{"confirmed": true | false, "reason": "…"}` answers a POST of the question; anything else is no answer."""
    import requests

    try:
        answer = requests.post(url.get_secret_value(), json=question, timeout=seconds, allow_redirects=False)
        answer.raise_for_status()
        told = answer.json()
    except (requests.RequestException, ValueError) as error:
        return Standing.UNCONFIRMED, f"{_FAILED}: {type(error).__name__}"
    confirmed = told.get("confirmed") if isinstance(told, dict) else None
    if not isinstance(confirmed, bool):
        return Standing.UNCONFIRMED, "the answer says neither yes nor no"
    words = " ".join(str(told.get("reason", "")).split())[:200]
    return (Standing.CONFIRMED if confirmed else Standing.REFUSED), words
