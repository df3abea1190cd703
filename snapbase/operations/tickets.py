"""Change tickets: what new snapshots claim, and asking whoever knows whether it is so."""

import json
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from snapbase.finding import Finding, Report
from snapbase.model import State
from snapbase.settings import TicketSection
from snapbase.store import Store
from snapbase.ticket import Claim, Standing, claimed

_RULE = "snapshot-appeared"
_TRIES = 3
"""In vain one after the other, and the rest is left for the next run: whoever makes many claims must not stop it."""
_FAILED = "asking failed"


def check(store: Store, section: TicketSection, report: Report) -> int:
    """Asks about every claim of a new snapshot that nobody has answered yet; returns how many claims there are.

    Needs the store's lock. What is asked: does the ticket cover this snapshot, of this source, by this actor, now?
    """
    if not section.tags:
        return 0
    new = {each.subject.uid: each for each in report.findings if each.rule == _RULE}
    known = store.claims(new)
    open_ = {uid for uid in new if uid not in known or known[uid].standing == Standing.UNCONFIRMED}
    claims: list[Claim] = []
    states = store.guards(report.run.last_rev, open_)
    # In another order each time: those on which asking fails are not always the first.
    for uid in sorted(states, key=lambda each: sha256(f"{report.run.id} {each}".encode("utf-8", "replace")).digest()):
        state = states[uid]
        ticket = claimed(state.resource.tags, section.tags, section.pattern)
        if ticket and len(claims) >= _TRIES and all(each.words.startswith(_FAILED) for each in claims[-_TRIES:]):
            claims.append(Claim(uid, ticket, words=f"{_FAILED} for others just before"))
        elif ticket:
            claims.append(_asked(section, ticket, state, new[uid]))
    store.keep_claims(claims)
    return len(claims)


def _asked(section: TicketSection, ticket: str, state: State, finding: Finding) -> Claim:
    question = _question(ticket, state, finding)
    uid = state.resource.uid
    if section.command:
        standing, words = _by_command(section, question)
    elif section.url:
        standing, words = _by_url(section, question)
    else:
        standing, words = Standing.UNCONFIRMED, "nobody is configured to be asked"
    return Claim(uid, ticket, standing, words)


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


def _by_command(section: TicketSection, question: Mapping[str, Any]) -> tuple[Standing, str]:
    """Exit code 0 confirms, 1 refuses, anything else is no answer. The question is JSON on its standard input."""
    try:
        done = subprocess.run(  # noqa: S603 - the configuration names it
            list(section.command),
            input=json.dumps(question),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=section.timeout,
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


def _by_url(section: TicketSection, question: Mapping[str, Any]) -> tuple[Standing, str]:
    """`{"confirmed": true | false, "reason": "…"}` answers a POST of the question; anything else is no answer."""
    import requests

    try:
        answer = requests.post(section.url or "", json=question, timeout=section.timeout, allow_redirects=False)
        answer.raise_for_status()
        told = answer.json()
    except (requests.RequestException, ValueError) as error:
        return Standing.UNCONFIRMED, f"{_FAILED}: {type(error).__name__}"
    confirmed = told.get("confirmed") if isinstance(told, dict) else None
    if not isinstance(confirmed, bool):
        return Standing.UNCONFIRMED, "the answer says neither yes nor no"
    words = " ".join(str(told.get("reason", "")).split())[:200]
    return (Standing.CONFIRMED if confirmed else Standing.REFUSED), words
