"""Every rule is tried on its own examples, and every rule id of the contract that inventory can show exists."""

from datetime import date

import pytest

from snapbase.finding import Severity
from snapbase.rules import findings, rules
from snapbase.rules.rule import Context, Example, Rule
from snapbase.trust import TrustList

CONTEXT = Context(TrustList(own=frozenset({"111122223333"})), on=date(2026, 11, 25))
EXAMPLES = [(rule, example) for rule in rules() for example in rule.examples]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{r.id}: {e.name}" for r, e in EXAMPLES])
def test_rule_says_what_its_example_expects(rule: Rule, example: Example) -> None:
    verdict = rule.judge(example.change, CONTEXT) if example.change.type in rule.on else None

    assert (verdict.severity if verdict else None) == example.severity


def test_every_rule_has_an_example_that_fires_and_says_where_it_is_blind() -> None:
    for rule in rules():
        assert any(example.severity for example in rule.examples), rule.id
        assert rule.blind, rule.id
        assert rule.attack.techniques, rule.id


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=[f"{r.id}: {e.name}" for r, e in EXAMPLES])
def test_an_example_gives_exactly_one_finding_of_its_rule(rule: Rule, example: Example) -> None:
    found = [finding for finding in findings([example.change], CONTEXT) if finding.rule == rule.id]

    assert len(found) == (1 if example.severity else 0)


def test_findings_are_sorted_by_severity_then_rule_then_uid() -> None:
    changes = [example.change for _, example in EXAMPLES]

    found = findings(changes, CONTEXT)

    assert list(found) == sorted(found, key=lambda f: (f.severity.rank, f.rule, f.subject.uid, f.entry))
    assert found[0].severity == Severity.CRITICAL
    assert len({finding.id for finding in found}) == len(found)


def test_rule_ids_are_those_of_the_contract() -> None:
    assert {rule.id for rule in rules()} == {
        "approval-expired", "backup-stopped", "bearer-access", "coverage-lost", "early-deletion",
        "encryption-weakened", "foreign-key",
        "inherited-share", "network-exposure", "origin-violated", "protection-weakened", "public-share",
        "share-removed", "sharing-unreadable", "snapshot-appeared", "snapshot-disappeared", "snapshot-modified",
        "snapshot-replaced", "standing-share", "trust-lost", "trust-widened", "trusted-share",
        "unknown-account-share",
    }  # fmt: skip
