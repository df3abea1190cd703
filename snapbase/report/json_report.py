"""The contract's `snapbase.diff/1`: additions are free, nothing else changes meaning."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from snapbase.finding import Account, CoverageGap, Finding, Heartbeat, Report, Severity
from snapbase.model import Approval
from snapbase.report import Options, Reporter

_SILENT = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What JSON lets through, and a terminal obeys or hides: written as escapes, which parse to the same text."""
SCHEMA = "snapbase.diff/1"


def render(report: Report, _: Options) -> str:
    """The same report gives the same bytes."""
    text = orjson.dumps(_encodable(as_json(report)), option=orjson.OPT_INDENT_2).decode()
    return _SILENT.sub(lambda found: json.dumps(found[0])[1:-1], text) + "\n"


def _encodable(value: Any) -> Any:
    """Half a surrogate pair, which JSON from a cloud can hold and UTF-8 cannot, becomes U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    return value


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    baseline = report.baseline
    return {
        "schema": SCHEMA,
        "baseline": baseline
        and {
            "id": baseline.id,
            "run_id": baseline.run_id,
            "approved_at": rfc3339(baseline.approval.at),
            "approved_by": baseline.approval.by,
            "reason": baseline.approval.reason,
        },
        "run": {
            "id": report.run.id,
            "started_at": rfc3339(report.run.started_at),
            "finished_at": rfc3339(report.run.finished_at),
            "complete": report.complete,
        },
        "since": report.since or None,
        "evaluated_at": rfc3339(report.evaluated_at),
        "summary": _summary(report),
        "notes": list(report.notes),
        "coverage": [_gap(each) for each in report.coverage],
        "findings": [_finding(each) for each in report.findings],
    }


def _summary(report: Report) -> dict[str, Any]:
    summary = report.summary
    found = {severity.value: 0 for severity in Severity}
    for finding in report.findings:
        found[finding.severity.value] += 1
    return {
        "snapshots": summary.snapshots,
        "findings": found,
        "expected": {"appeared": summary.expected_appeared, "disappeared": summary.expected_disappeared},
        "cohorts": [_heartbeat(each) for each in summary.cohorts],
        "approved_exposures": summary.approved_exposures,
        "initial": summary.initial,
        "by_kind": dict(summary.by_kind),
    }


def _heartbeat(beat: Heartbeat) -> dict[str, Any]:
    return {
        "origin": beat.origin,
        "evidence": beat.evidence,
        "low_trust": beat.low_trust,
        "appeared": beat.appeared,
        "disappeared": beat.disappeared,
        "sources": beat.sources,
        "violations": beat.violations,
        "samples": list(beat.samples),
    }


def _gap(gap: CoverageGap) -> dict[str, Any]:
    scope = gap.coverage.scope
    return {
        "cloud": scope.cloud,
        "account": scope.account,
        "location": scope.location,
        "kind": scope.kind,
        "aspect": gap.coverage.aspect,
        "outcome": gap.coverage.outcome,
        "reason": gap.coverage.reason,
        "since_run": gap.since_run,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    subject, grantee = finding.subject, finding.grantee
    return {
        "id": finding.id,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "title": finding.title,
        "detail": finding.detail,
        "cloud": finding.cloud,
        "account": finding.account,
        "location": finding.location,
        "kind": finding.kind,
        "subject": {
            "type": subject.type,
            "uid": subject.uid,
            "address": subject.address,
            "name": subject.name,
            "created_at": rfc3339(subject.created_at),
            "encrypted": subject.encrypted,
            "source": subject.source,
            "origin": subject.origin,
            "owner": subject.owner,
        },
        "entry": finding.entry,
        "count": finding.count,
        "approval": finding.approval and approval_json(finding.approval),
        "principal": grantee
        and {
            "kind": grantee.principal.kind,
            "id": grantee.principal.id,
            "trust": str(grantee.trust),
            "label": grantee.label,
        },
        "change": {"type": str(finding.change.type), "before": finding.change.before, "after": finding.change.after},
        "attribution": [
            {
                "at": rfc3339(each.at),
                "action": each.action,
                "actor": each.actor,
                "source_ip": each.source_ip,
                "user_agent": each.user_agent,
                "event_id": each.event_id,
                "certainty": each.certainty,
                "country": each.country,
            }
            for each in finding.attribution
        ],
        "attack": {
            "techniques": list(finding.attack.techniques),
            "data_components": list(finding.attack.data_components),
        },
        "undo": finding.undo or None,
        "also": list(finding.also),
        "owned": finding.owned and _account(finding.owned),
    }


def _account(account: Account) -> dict[str, Any]:
    """Whose the account is in which it was found."""
    told = asdict(account)
    return {name: value if name == "sensitive" else value or None for name, value in told.items()}


def approval_json(given: Approval) -> dict[str, Any]:
    """Who let it through, why, and until when."""
    return {
        "by": given.by,
        "at": rfc3339(given.at),
        "until": rfc3339(given.until),
        "reason": given.reason,
        "ticket": given.ticket or None,
    }


def rfc3339(at: datetime | None) -> str | None:
    """A time as every JSON of ours has it: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


REPORTER = Reporter("json", "the contract's snapbase.diff/1", render)
