"""One report for every situation a reader can meet."""

from dataclasses import replace
from datetime import UTC, datetime

from snapbase.finding import (
    Account,
    Attack,
    Attribution,
    CoverageGap,
    Delta,
    Finding,
    Grantee,
    Heartbeat,
    Report,
    Severity,
    Subject,
    SubjectType,
    Summary,
)
from snapbase.model import Approval, Baseline, BaselineScope, Coverage, Principal, PrincipalKind, Run, RunState, Scope

AT = datetime(2026, 11, 25, 6, 17, tzinfo=UTC)
RUN = Run(2, RunState.FINISHED, AT, AT, 9, 1, "", "c0ffee")
APPROVAL = Approval("ada", datetime(2026, 11, 24, 9, tzinfo=UTC), "reviewed with the platform team", "CHG-7", None, 1)
BASELINE = Baseline(1, BaselineScope.WHOLE, 1, 5, 1, APPROVAL, 12)
SCOPE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
UID = "arn:aws:ec2:eu-west-1::snapshot/snap-0a1b2c3d4e5f60718"
HOSTILE = "\x1b[31m=cmd|'/C calc'!A0[/bold]<script>alert(1)</script>\u202e\u200b\n| `x` *y*" + "z" * 3000


def finding(rule: str, severity: Severity, title: str, name: str = "orders-db", **more: object) -> Finding:
    return Finding(
        **{  # type: ignore[arg-type]
            "id": f"{abs(hash_of(rule + title + name)):012x}"[:12],
            "rule": rule,
            "severity": severity,
            "title": title,
            "cloud": "aws",
            "account": "111122223333",
            "location": "eu-west-1",
            "kind": "aws.ec2.snapshot",
            "subject": Subject(type=SubjectType.SNAPSHOT, uid=UID, address=UID, name=name, created_at=AT),
            "entry": "presence",
            "change": Delta("grant-added", None, "x"),
            "attack": Attack(("T1537",), ("DC0058",)),
            "covers": ((UID, "presence"),),
            **more,
        }
    )


def hash_of(text: str) -> int:
    return sum((position + 1) * ord(character) for position, character in enumerate(text)) * 2654435761


def gap(outcome: str, reason: str, scope: Scope = SCOPE) -> CoverageGap:
    return CoverageGap(Coverage(scope, "list", outcome, reason), 2)


CLEAN = Report(
    baseline=BASELINE,
    run=RUN,
    complete=True,
    evaluated_at=AT,
    summary=Summary(
        snapshots=1412, approved_exposures=3, by_kind=(("aws.ec2.snapshot", 1400), ("aws.rds.snapshot", 12))
    ),
    coverage=(),
    findings=(),
)
_STRANGER = Grantee(Principal(PrincipalKind.ACCOUNT, "999988887777"), "unknown")
_UNDO = (
    "aws ec2 modify-snapshot-attribute --snapshot-id snap-0a1b2c3d4e5f60718 --operation-type remove --group-names all"
)
DRIFT = replace(
    CLEAN,
    findings=(
        finding("public-share", Severity.CRITICAL, "Public: anyone can read it", undo=_UNDO),
        finding(
            "unknown-account-share",
            Severity.CRITICAL,
            "Shared with unknown account 999988887777",
            grantee=_STRANGER,
            detail="Whether it works is unknown: the policy of key k was not read.",
        ),
        finding("snapshot-replaced", Severity.HIGH, "Replaced under the same name", detail="Created 2026-10-01."),
        *(finding("snapshot-appeared", Severity.LOW, "New", f"nightly-{number:02}") for number in range(12)),
    ),
)
DENIED_GAP = gap("denied", "ec2:DescribeSnapshots denied in 111122223333/eu-west-1: grant it to the collector role")
_OTHER = Scope("aws", "111122223333", "eu-west-1", "aws.rds.snapshot")
DENIED = replace(
    DRIFT,
    complete=False,
    coverage=(DENIED_GAP, gap("throttled", "rds:DescribeDBSnapshots throttled", _OTHER)),
    notes=("The accounts of the organisation could not be listed; the last known list was used.",),
)
INCOMPLETE = replace(CLEAN, complete=False, coverage=(DENIED_GAP,))
INITIAL = replace(
    DRIFT,
    baseline=None,
    findings=DRIFT.findings[:2],
    summary=replace(CLEAN.summary, initial=1412, approved_exposures=0),
)
EXPECTED = replace(
    CLEAN,
    summary=replace(
        CLEAN.summary,
        expected_appeared=70_012,
        expected_disappeared=69_998,
        cohorts=(
            Heartbeat(
                origin="dlm:policy-0a1b2c3d",
                evidence="reserved tag",
                appeared=42_000,
                disappeared=41_990,
                sources=42_000,
            ),
            *(
                Heartbeat(
                    origin=f"backup-plan:{number}",
                    evidence="server-set field",
                    appeared=4_000,
                    disappeared=4_000,
                    sources=4_000,
                )
                for number in range(7)
            ),
            Heartbeat(
                origin="tag:aws.ec2.image:pipeline=base-image",
                evidence="user tag",
                low_trust=True,
                appeared=12,
                disappeared=8,
                sources=3,
                violations=1,
                samples=("arn:aws:ec2:eu-west-1::image/ami-1", "arn:aws:ec2:eu-west-1::image/ami-2"),
            ),
        ),
    ),
    findings=(
        finding(
            "origin-violated",
            Severity.HIGH,
            "Under another key: 2 snapshots",
            detail="Such as snap-1, snap-2.",
            subject=Subject(type=SubjectType.POLICY, uid="origin:dlm:policy-0a1b2c3d"),
            count=2,
        ),
    ),
)
ENDED = replace(
    CLEAN,
    findings=(
        finding(
            "unknown-account-share",
            Severity.CRITICAL,
            "Shared with unknown account 999988887777",
            grantee=_STRANGER,
            approval=replace(APPROVAL, until=AT, reason="migration weekend"),
            attribution=(
                Attribution(
                    at=AT,
                    action="ModifySnapshotAttribute",
                    actor="arn:aws:sts::111122223333:assumed-role/admin/mallory",
                    source_ip="203.0.113.7",
                    user_agent="aws-cli/2.31",
                    event_id="e-1",
                    certainty="certain",
                ),
            ),
        ),
    ),
)
HOSTILE_REPORT = replace(
    DENIED,
    baseline=replace(BASELINE, approval=replace(APPROVAL, by=HOSTILE, reason=HOSTILE)),
    findings=(
        finding(
            "public-share",
            Severity.CRITICAL,
            HOSTILE,
            HOSTILE,
            detail=HOSTILE,
            undo=HOSTILE,
            grantee=_STRANGER,
            owned=Account("111122223333", HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        ),
    ),
    coverage=(gap("denied", HOSTILE),),
    notes=(HOSTILE,),
)
_ABROAD = replace(ENDED.findings[0].attribution[0], country="RU")
OWNED = replace(
    ENDED,
    findings=(
        replace(
            ENDED.findings[0],
            approval=None,
            attribution=(_ABROAD, replace(_ABROAD, source_ip="10.0.0.1", country="unknown")),
            owned=Account("111122223333", "orders", "ann@example.com", "payments", "production", sensitive=True),
        ),
    ),
)
CASES = {
    "clean": CLEAN,
    "drift": DRIFT,
    "denied": DENIED,
    "incomplete": INCOMPLETE,
    "initial": INITIAL,
    "ended": ENDED,
    "expected": EXPECTED,
    "hostile": HOSTILE_REPORT,
    "owned": OWNED,
}
