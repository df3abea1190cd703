"""What keeps backups was taken away: a lock, a retention, a plan, a recycle bin, a key."""

import re
from collections.abc import Iterator

from snapbase.event import Action, Event, Result
from snapbase.finding import Attack, Severity, several
from snapbase.rules.detection import Detection, Sighting, calls, few, sentences, things, where, who
from snapbase.rules.estate import Estate, step
from snapbase.rules.example_events import BACKUP, OPS, case, did, estate, failed, line, used_to
from snapbase.rules.timeline import CHANGES, HOUR, Timeline, by_actor, sessions

_GRAVE = re.compile(
    r"VaultLockConfiguration|BackupVault$|ScheduleKeyDeletion|ImportedKeyMaterial|rbin:|purge|UnlockSnapshot|"
    r"MpaApprovalTeam|vaults/delete|unlockDelete|locks/delete|stopProtection|managedHSMs/delete|DestroyCryptoKeyVersion|"
    r"cloudsql\.instances\.(?:update|patch)|ModifyDBInstance|ModifyDBCluster|resourcePolicies\.delete",
)
"""What cannot be undone, or opens the way to a deletion; the rest is work that is sometimes done."""


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    asked = [each for each in timeline.fresh(Action.INHIBIT) if not estate.is_apart(each)]
    for done in (True, False):
        for events in by_actor(each for each in asked if (each.result in CHANGES) == done).values():
            for session in sessions(events, HOUR):
                yield _sighting(session, timeline, estate, done=done)


def _sighting(session: list[Event], timeline: Timeline, estate: Estate, *, done: bool) -> Sighting:
    first, names = session[0], list(dict.fromkeys(each.name for each in session))
    is_usual = bool(timeline.busy_hour(first, Action.INHIBIT)) and not estate.is_outside(first)
    base = Severity.HIGH if any(_GRAVE.search(each) for each in names) else Severity.MEDIUM
    base = step(base, (not done) + is_usual)
    deleted = timeline.done_by(first, Action.DELETE, estate.tuning.window)
    touched = things(session)
    return Sighting(
        severity=estate.severity(step(base, -1) if deleted and done else base, session),
        title=f"{who(first)} {'made' if done else 'tried to make'} recovery harder: {calls(session, 2)}",
        detail=sentences(
            f"{first.at:%Y-%m-%d %H:%M} UTC" + (f": {few(touched)}." if touched else "."),
            f"{first.detail}." if first.detail and len(session) == 1 else "",
            f"The same actor deleted {several(len(deleted), 'thing')} around it." if deleted else "",
            "This actor does so usually." if is_usual else "",
            where(session),
        ),
        events=tuple(session),
        subject=touched[0] if len(touched) == 1 else "",
    )


def _named(name: str, detail: str = "") -> Event:
    return did(Action.INHIBIT, name=name, detail=detail)


DETECTION = Detection(
    id="recovery-inhibited",
    title="A lock, a retention, a backup plan, a recycle bin or a key taken away",
    detect=_detect,
    attack=Attack(("T1490", "T1485"), ("DC0049", "DC0058")),
    severities="high for locks, vaults, recycle bins, keys and backups switched off, medium for the rest; a step "
    "worse beside deletions; a step milder by one who does so usually, and where it was refused",
    tunables=("UserContext", "TimeWindow", "GeoLocation"),
    blind="Protection that is weakened by what a policy no longer selects (`protection-weakened`, `backup-stopped`); "
    "objects deleted in a bucket that holds exports.",
    examples=(
        case("a vault's lock removed", line(_named("backup:DeleteBackupVaultLockConfiguration")), Severity.HIGH),
        case("a vault deleted", line(_named("backup:DeleteBackupVault")), Severity.HIGH),
        case("a recycle bin's rule", line(_named("rbin:DeleteRule")), Severity.HIGH),
        case("a key", line(_named("kms:ScheduleKeyDeletion")), Severity.HIGH),
        case("retention 0", line(_named("rds:ModifyDBInstance", detail="backupRetentionPeriod=0")), Severity.HIGH),
        case("automated backups go along", line(_named("rds:DeleteDBInstance")), Severity.MEDIUM),
        case("Azure's soft delete", line(_named("Microsoft.RecoveryServices/vaults/write")), Severity.MEDIUM),
        case("a plan", line(_named("backup:DeleteBackupPlan")), Severity.MEDIUM),
        case("with a deletion", line(_named("rbin:DeleteRule"), did(Action.DELETE, 9)), Severity.CRITICAL),
        case("refused", line(failed(_named("rbin:DeleteRule"))), Severity.MEDIUM),
        case("a dry run", line(failed(_named("rbin:DeleteRule"), Result.DRY_RUN)), None),
        case("one who does so usually", line(_named("backup:DeleteBackupPlan"), **used_to(Action.INHIBIT)),
             Severity.LOW),
        case("AWS Backup", line(did(Action.INHIBIT, 1, BACKUP)), None),
        case("trusted", line(did(Action.INHIBIT, 1, OPS)), None, estate(trusted_actors=("*role/ops*",))),
        case("a change of policy", line(did(Action.POLICY, name="dlm:UpdateLifecyclePolicy")), None),
    ),
)  # fmt: skip
