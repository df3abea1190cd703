"""Shared and gone between two runs: the inventory never saw it, only the log did."""

from collections.abc import Iterator
from dataclasses import replace

from snapbase.event import Action
from snapbase.finding import Attack, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.rules.detection import Detection, Sighting
from snapbase.rules.estate import Estate
from snapbase.rules.event_shares import ends_of, foreign_shares, was_seen
from snapbase.rules.example_events import (
    EVERYONE,
    GUARDDUTY,
    STRANGER,
    case,
    did,
    estate,
    failed,
    known,
    line,
)
from snapbase.rules.share_then_unshare import taken_back
from snapbase.rules.timeline import Timeline


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    for each in foreign_shares(timeline, estate):
        for share, end in ends_of(each, timeline):
            fresh = timeline.is_fresh(share.event) or timeline.is_fresh(end)
            if fresh and not was_seen(share, end, estate):
                yield taken_back(share, end, estate, unseen=True)


_SHARED, _BACK = did(Action.SHARE, 1), did(Action.UNSHARE, 2)
_TO_TWO = did(Action.SHARE, 1, targets=(STRANGER, Principal(PrincipalKind.ACCOUNT, "999999999999")))
_POLICY = did(Action.POLICY, 1, name="backup:PutBackupVaultAccessPolicy", targets=(STRANGER,))
_OVERWRITTEN = did(Action.POLICY, 9, name="backup:PutBackupVaultAccessPolicy")
_PERSON = (Principal(PrincipalKind.USER, "0b5fe924-0000-4000-8000-0000000000ee"),)
_ROLE, _ROLE_BACK = did(Action.SHARE, 1, targets=_PERSON), did(Action.UNSHARE, 60, targets=_PERSON)
_BEFORE = estate(known(ever=frozenset({STRANGER}), until=-60))
_HOUSE = replace(estate(), directory=frozenset(each.id for each in _PERSON))

DETECTION = Detection(
    id="unbaselined-share",
    title="Shared with somebody unknown and gone again between two runs",
    detect=_detect,
    attack=Attack(("T1537", "T1578"), ("DC0058",)),
    severities="as of `share-then-unshare`",
    tunables=("CrossAccountIDList", "GeoLocation", "VolumeSensitivity"),
    blind="Shares that leave no event: automated ones of services, and what happened before the log was read.",
    examples=(
        case("29 seconds", line(_SHARED, did(Action.UNSHARE, 1.5)), Severity.CRITICAL),
        case("of what no run ever saw", line(_SHARED, _BACK), Severity.CRITICAL, estate()),
        case("shared and deleted", line(_SHARED, did(Action.DELETE, 9)), Severity.CRITICAL),
        case("a day and more", line(_SHARED, did(Action.UNSHARE, 3000)), Severity.CRITICAL),
        case("public", line(did(Action.SHARE, 1, targets=(EVERYONE,)), did(Action.UNSHARE, 2, targets=(EVERYONE,))),
             Severity.CRITICAL),
        case("a vault's policy, put and overwritten", line(_POLICY, _OVERWRITTEN), Severity.CRITICAL, estate()),
        case("a vault's policy, put twice", line(_POLICY, replace(_POLICY, id="again", at=_BACK.at)), None, estate()),
        case("a person of the house takes a role for an hour", line(_ROLE, _ROLE_BACK), None, _HOUSE),
        case("a person whom nobody knows does", line(_ROLE, _ROLE_BACK), Severity.MEDIUM, estate()),
        case("taken back from one of two", line(_TO_TWO, _BACK), Severity.CRITICAL),
        case("still open: the inventory's", line(_SHARED), None),
        case("the un-share failed", line(_SHARED, failed(_BACK)), None),
        case("a run saw it: another rule", line(_SHARED, _BACK), None, estate(known(ever=frozenset({STRANGER})))),
        case("a run saw an earlier one", line(_SHARED, did(Action.UNSHARE, 3000)), Severity.CRITICAL, _BEFORE),
        case("approved", line(_SHARED, _BACK), None, estate(known(approved=frozenset({STRANGER})))),
        case("GuardDuty", line(did(Action.SHARE, 1, GUARDDUTY), did(Action.DELETE, 2, GUARDDUTY)), None),
        case("accepted", line(_SHARED, _BACK, accepted=frozenset({("aws", _SHARED.id), ("aws", _BACK.id)})), None),
    ),
)  # fmt: skip
