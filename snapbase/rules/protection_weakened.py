"""A guardrail that protects snapshots was taken down: block public access, a lock, immutability, a key."""

from math import inf

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity, several
from snapbase.model import Cloud, Json, ResourceType, Scope
from snapbase.rules.example import SCOPE, disappeared, modified
from snapbase.rules.ladder import Ladder, step, words
from snapbase.rules.rule import Context, Example, Rule, Verdict

LADDERS: dict[str, Ladder] = {
    "snapshot_block_public_access": ("unblocked", "block-new-sharing", "block-all-sharing"),
    "image_block_public_access": ("unblocked", "block-new-sharing"),
    "lock": (None, "expired", "governance", "compliance-cooloff", "compliance"),
    "immutability": (None, "Unlocked", "Locked"),
    "immutability_state": (None, "Unlocked", "Locked"),
    "deletion_protection": (False, True),
    "soft_delete_permanent": (False, True),
    "multi_user_authorization": ("Disabled", "Enabled"),
    "resource_guard": (False, True),
    "cross_subscription_restore": ("Enabled", "Disabled", "PermanentlyDisabled"),
    "access_restriction": (
        "UNRESTRICTED",
        "WITHIN_ORG_BUT_UNRESTRICTED_FOR_BA",
        "WITHIN_ORGANIZATION",
        "WITHIN_PROJECT",
    ),
}
_KEPT = frozenset(
    {"retention_days", "min_retention_days", "minimum_retention", "kept_days", "lock_days", "immutability_days"}
)
"""How long something is kept; less of it is weaker, and none is weakest. A policy with several rules has one for each,
which the rule's name follows: `retention_days daily`."""
_FOREVER = ("always", -1)
"""-1: Redshift API reference, ManualSnapshotRetentionPeriod."""
_KEY_DOWN = frozenset({"Disabled", "PendingDeletion", "PendingReplicaDeletion", "Unavailable"}) | {
    "DISABLED",
    "DESTROY_SCHEDULED",
    "DESTROYED",
    "PENDING_EXTERNAL_DESTRUCTION",
    "EXTERNAL_DESTRUCTION_FAILED",
    "NOT_FOUND",
}
"""KMS API reference, KeyState; cloudkms.v1 discovery, CryptoKeyVersion.state, and a key that is named but not there."""
_BY_NAME = frozenset({"gcp.kms.key"})
"""Kinds that list what others name: gone means that nothing names it any more. Its end shows in its state."""

_NAMED = Scope(Cloud.GCP, "prod-data", "global", "gcp.kms.key")


def _judge(change: Change, context: Context) -> Verdict | None:
    state = change.state
    if change.type == ChangeType.DISAPPEARED:
        if state is None or state.resource.type != ResourceType.GUARDRAIL or state.scope.kind in _BY_NAME:
            return None
        if (ended := str(state.resource.facts.get("expires_at") or "")) and ended[:10] <= context.on.isoformat():
            return Verdict(Severity.INFO, f"Lock ran out on {ended[:10]}")
        return Verdict(Severity.HIGH, "Guardrail gone", _behind(change, context))
    is_down = isinstance(change.now, str) and change.now in _KEY_DOWN  # tags and lists change too
    if state is not None and state.resource.type == ResourceType.GUARDRAIL and is_down:
        return Verdict(Severity.HIGH, f"Key {words(change)}", _behind(change, context))
    if step(change, LADDERS) >= 0 and not _kept_shorter(change):
        return None
    return Verdict(Severity.HIGH, f"Protection weakened: {words(change)}", _behind(change, context))


def _kept_shorter(change: Change) -> bool:
    if change.entry.removeprefix("attr:").partition(" ")[0] not in _KEPT or change.was is None:
        return False
    was, now = _length(change.was), _length(change.now)
    return was is not None and (now is None or now < was)


def _length(value: Json) -> float | None:
    """Days, or seconds as GCP writes them (`86400s`); only ever compared with another of the same setting."""
    if value in _FOREVER:
        return inf
    text = str(value).removesuffix("s")
    return float(text) if text.replace(".", "", 1).isdecimal() else None


def _behind(change: Change, context: Context) -> str:
    count = context.below.get(change.uid, 0)
    return f"{several(count, 'snapshot')} behind it." if count else ""


RULE = Rule(
    id="protection-weakened",
    title="A protection was weakened",
    on=frozenset({ChangeType.MODIFIED, ChangeType.DISAPPEARED}),
    judge=_judge,
    attack=Attack(("T1578.005", "T1490"), ("DC0058",)),
    severities="high; info for a lock that ran out by itself",
    blind="Protections outside what is collected, such as organisation-wide policies.",
    examples=(
        Example(
            "public access unblocked",
            modified("snapshot_block_public_access", "block-all-sharing", "unblocked", SCOPE),
            Severity.HIGH,
        ),
        Example(
            "key about to be deleted",
            modified("state", "Enabled", "PendingDeletion", SCOPE, type=ResourceType.GUARDRAIL),
            Severity.HIGH,
        ),
        Example("another label", modified("tags", {}, {"a": "b"}, SCOPE, type=ResourceType.GUARDRAIL), None),
        Example("kept for a day instead of a month", modified("retention_days", 30, 1), Severity.HIGH),
        Example("kept no longer than anybody likes", modified("retention_days", 30, None), Severity.HIGH),
        Example("by one rule of a plan", modified("retention_days daily", 30, 1), Severity.HIGH),
        Example("a month instead of always", modified("retention_days daily", "always", 30), Severity.HIGH),
        Example("always instead of a month", modified("retention_days daily", 30, "always"), None),
        Example("a week instead of for ever", modified("retention_days", -1, 7), Severity.HIGH),
        Example("for ever instead of a week", modified("retention_days", 7, -1), None),
        Example("in seconds", modified("minimum_retention", "864000s", "86400s"), Severity.HIGH),
        Example("kept for longer", modified("retention_days", 1, 30), None),
        Example(
            "backups may leave the organisation",
            modified("access_restriction", "WITHIN_ORGANIZATION", "UNRESTRICTED"),
            Severity.HIGH,
        ),
        Example(
            "a version about to be destroyed",
            modified("state", "ENABLED", "DESTROY_SCHEDULED", _NAMED, type=ResourceType.GUARDRAIL),
            Severity.HIGH,
        ),
        Example("key gone", disappeared(type=ResourceType.GUARDRAIL), Severity.HIGH),
        Example("a key that nothing names any more", disappeared(_NAMED, type=ResourceType.GUARDRAIL), None),
        Example(
            "a lock that ran out",
            disappeared(type=ResourceType.GUARDRAIL, facts={"expires_at": "2026-11-20T00:00:00+00:00"}),
            Severity.INFO,
        ),
        Example(
            "a lock taken off before its end",
            disappeared(type=ResourceType.GUARDRAIL, facts={"expires_at": "2030-01-01T00:00:00+00:00"}),
            Severity.HIGH,
        ),
        Example("blocked", modified("snapshot_block_public_access", "unblocked", "block-all-sharing", SCOPE), None),
        Example("a snapshot gone is another rule", disappeared(), None),
    ),
)
