"""SARIF 2.1.0 (OASIS), for code-scanning dashboards: what was not read is a notification of the invocation."""

import re
from typing import Any
from urllib.parse import quote

import orjson

from snapbase.finding import CoverageGap, Finding, Report, Severity
from snapbase.report import Options, Reporter
from snapbase.report.text import (
    command,
    compared,
    holder,
    hole,
    named,
    plain,
    title,
    verdict,
    where,
    whose,
    why_unread,
)

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_SCORE = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}
"""GitHub's `security-severity`, on the scale of CVSS."""


def render(report: Report, _: Options) -> str:
    """The same report gives the same bytes."""
    rules = sorted({finding.rule for finding in report.findings})
    run = {
        "tool": {"driver": {"name": "snapbase", "rules": [_rule(rule, report) for rule in rules]}},
        "invocations": [_invocation(report)],
        "results": [_result(each, rules.index(each.rule)) for each in report.findings],
        "properties": {"verdict": verdict(report), "compared": compared(report), "complete": report.complete},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return orjson.dumps(log, option=orjson.OPT_INDENT_2).decode() + "\n"


def _rule(rule: str, report: Report) -> dict[str, Any]:
    found = [finding for finding in report.findings if finding.rule == rule]
    worst = min((finding.severity for finding in found), key=lambda severity: severity.rank)
    tags = sorted({tag for each in found for tag in (*each.attack.techniques, *each.attack.data_components)})
    words = rule.replace("-", " ").capitalize()
    properties = {"tags": ["security", *tags], "security-severity": _SCORE[worst]}
    return {"id": rule, "shortDescription": {"text": words}, "properties": properties}


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    sentences = (f"{title(finding)}: {named(finding)} in {where(finding)}.", plain(finding.detail, 400))
    uri = quote(f"{where(finding)}/{named(finding)}".replace(" ", "/"))
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(" ".join(filter(None, sentences)))},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri}},
                "logicalLocations": [{"fullyQualifiedName": plain(finding.subject.uid, 400), "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"snapbase/v1": finding.id},
        "properties": {
            "severity": finding.severity.value,
            "principal": holder(finding) or None,
            "whose": whose(finding) or None,
            "undo": command(finding.undo) or None,
        },
    }


def _invocation(report: Report) -> dict[str, Any]:
    notices = [_notice(gap) for gap in report.coverage]
    notices += [{"level": "note", "message": {"text": _message(plain(note, 400))}} for note in report.notes]
    return {"executionSuccessful": report.complete, "toolExecutionNotifications": notices}


def _notice(gap: CoverageGap) -> dict[str, Any]:
    return {"level": "warning", "message": {"text": _message(f"Not read: {hole(gap)}: {why_unread(gap)}")}}


def _message(text: str) -> str:
    """Plain text: SARIF takes brackets for links and braces for placeholders (sections 3.11.5 and 3.11.6)."""
    return re.sub(r"([\\\[\]])", r"\\\1", text).replace("{", "{{").replace("}", "}}")


REPORTER = Reporter("sarif", "SARIF 2.1.0, for code-scanning dashboards", render)
