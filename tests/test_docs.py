"""The README is tested: its tables come from the descriptors, and every command it names exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snapbase.audit.log import audit_logs
from snapbase.collect.collector import collectors
from snapbase.finding import Attack
from snapbase.rules import rules
from snapbase.rules.detected import detections

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def _kinds() -> str:
    rows = ["| kind | what | calls per scope | what it cannot see |", "|---|---|---|---|"]
    for cloud in ("aws", "azure", "gcp"):
        rows += [f"| `{c.kind}` | {c.title} | {c.calls} | {c.blind} |" for c in collectors(cloud)]
    permissions = ["", "<details><summary>Permissions each kind needs</summary>", ""]
    for cloud in ("aws", "azure", "gcp"):
        permissions += [f"- `{c.kind}`: {', '.join(f'`{p}`' for p in c.permissions)}" for c in collectors(cloud)]
    return "\n".join([*rows, *permissions, "", "</details>"])


def _rules() -> str:
    rows = ["| rule | says | severity | ATT&CK | what it cannot see |", "|---|---|---|---|---|"]
    rows += [_row(each.id, each.title, each.severities, each.attack, each.blind) for each in rules()]
    rows += [_row(each.id, each.title, each.severities, each.attack, each.blind) for each in detections()]
    return "\n".join(rows)


def _row(name: str, title: str, severities: str, attack: Attack, blind: str) -> str:
    techniques = " ".join((*attack.techniques, *attack.data_components))
    return f"| `{name}` | {title} | {severities} | {techniques} | {blind} |"


def _logs() -> str:
    rows = ["| behaviour | log | event names | known from |", "|---|---|---|---|"]
    for log in audit_logs():
        for each in log.behaviours:
            known = "real samples" if each.seen else "our own samples only"
            rows.append(f"| {each.action} | {log.title} | {', '.join(f'`{name}`' for name in each.names)} | {known} |")
    blind = [f"- **{log.title}** ({log.latency}): {log.blind}" for log in audit_logs()]
    return "\n".join([*rows, "", "What the logs never show:", "", *blind])


@pytest.mark.parametrize(("name", "table"), [("kinds", _kinds()), ("rules", _rules()), ("logs", _logs())])
def test_generated_tables_are_current(name: str, table: str) -> None:
    pattern = re.compile(rf"<!-- {name} -->.*<!-- /{name} -->", re.DOTALL)
    block = f"<!-- {name} -->\n\n{table}\n\n<!-- /{name} -->"
    text = README.read_text()
    if os.environ.get("SNAPBASE_UPDATE_GOLDEN"):
        text = pattern.sub(lambda _: block, text)
        README.write_text(text)

    assert block in text


def test_every_command_is_in_the_readme_and_has_help() -> None:
    for command in (
        "init",
        "run",
        "watch",
        "collect",
        "diff",
        "approve-baseline",
        "status",
        "review",
        "origins",
        "shares",
        "audit",
        "policy",
        "doctor",
        "demo",
        "sandbox",
        "baselines",
        "snapshots",
        "db",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "snapbase", command, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert len(done.stdout.splitlines()) > 4, command
        assert f"`{command}" in README.read_text(), command
