"""Encryption was taken away, or moved from a key of ours to the provider's."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.rules.example import SCOPE, modified
from snapbase.rules.ladder import Ladder, step, words
from snapbase.rules.rule import Context, Example, Rule, Verdict

LADDERS: dict[str, Ladder] = {
    "encrypted": (False, True),
    "encryption_by_default": (False, True),
    "encryption_type": (
        "EncryptionAtRestWithPlatformKey",
        "EncryptionAtRestWithCustomerKey",
        "EncryptionAtRestWithPlatformAndCustomerKeys",
    ),
    "encryption": ("google", "cmek"),
}


def _judge(change: Change, _: Context) -> Verdict | None:
    if change.entry == "attr:key" and change.was and not change.now:
        return Verdict(Severity.HIGH, f"No longer under our key {change.was}")
    if step(change, LADDERS) >= 0:
        return None
    return Verdict(Severity.HIGH, f"Encryption weakened: {words(change)}")


RULE = Rule(
    id="encryption-weakened",
    title="Encryption was weakened",
    on=frozenset({ChangeType.MODIFIED}),
    judge=_judge,
    attack=Attack(("T1578",), ("DC0058",)),
    severities="high",
    blind="An unencrypted copy is a new snapshot and reported as one.",
    examples=(
        Example("default off", modified("encryption_by_default", True, False, SCOPE), Severity.HIGH),
        Example("key removed", modified("key", "arn:aws:kms:eu-west-1:111122223333:key/1", None), Severity.HIGH),
        Example("default on", modified("encryption_by_default", False, True, SCOPE), None),
    ),
)
