"""A guardrail that protects snapshots was taken down: block public access, a lock, immutability, a key."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import ResourceType
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
}
_KEY_DOWN = frozenset({"Disabled", "PendingDeletion", "PendingReplicaDeletion", "Unavailable"})


def _judge(change: Change, context: Context) -> Verdict | None:
    state = change.state
    if change.type == ChangeType.DISAPPEARED:
        if state is None or state.resource.type != ResourceType.GUARDRAIL:
            return None
        return Verdict(Severity.HIGH, "Guardrail gone", _behind(change, context))
    if state is not None and state.resource.type == ResourceType.GUARDRAIL and change.now in _KEY_DOWN:
        return Verdict(Severity.HIGH, f"Key {words(change)}", _behind(change, context))
    if step(change, LADDERS) >= 0:
        return None
    return Verdict(Severity.HIGH, f"Protection weakened: {words(change)}", _behind(change, context))


def _behind(change: Change, context: Context) -> str:
    count = context.below.get(change.uid, 0)
    return f"{count:,} snapshot{'' if count == 1 else 's'} behind it." if count else ""


RULE = Rule(
    id="protection-weakened",
    title="A protection was weakened",
    on=frozenset({ChangeType.MODIFIED, ChangeType.DISAPPEARED}),
    judge=_judge,
    attack=Attack(("T1578.005", "T1490"), ("DC0058",)),
    severities="high",
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
        Example("key gone", disappeared(type=ResourceType.GUARDRAIL), Severity.HIGH),
        Example("blocked", modified("snapshot_block_public_access", "unblocked", "block-all-sharing", SCOPE), None),
        Example("a snapshot gone is another rule", disappeared(), None),
    ),
)
