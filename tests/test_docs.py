"""The README is tested: its tables come from the descriptors, and every command it names exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snapbase.collect.collector import collectors
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
    for rule in (*rules(), *detections()):
        attack = " ".join((*rule.attack.techniques, *rule.attack.data_components))
        rows.append(f"| `{rule.id}` | {rule.title} | {rule.severities} | {attack} | {rule.blind} |")
    return "\n".join(rows)


@pytest.mark.parametrize(("name", "table"), [("kinds", _kinds()), ("rules", _rules())])
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
        "run",
        "collect",
        "diff",
        "approve-baseline",
        "status",
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
