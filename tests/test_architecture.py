"""The house's shape: imports only go down, SDKs come late, files stay small."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SDKS = ("boto3", "botocore", "azure", "google.cloud", "google.auth", "moto")


def _loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "from snapbase.collect.collector import *\nfor n in 'aws', 'azure', 'gcp': cloud(n); collectors(n)",
        "import snapbase.operations.diff, snapbase.operations.collect, snapbase.cli.app, snapbase.report.table",
        "from snapbase.report import reporters; reporters()\nfrom snapbase.rules import rules; rules()",
    ],
)
def test_no_cloud_sdk_is_imported_before_a_cloud_is_asked(code: str) -> None:
    loaded = _loaded(code)

    assert not [name for name in loaded if name in SDKS or name.startswith(tuple(f"{sdk}." for sdk in SDKS))]


def test_help_imports_neither_the_store_nor_pydantic() -> None:
    loaded = _loaded("import snapbase.cli.app")

    assert not loaded & {"sqlalchemy", "pydantic", "alembic"}


def test_the_nouns_need_only_the_standard_library() -> None:
    loaded = _loaded("import snapbase.model, snapbase.errors, snapbase.finding")
    outside = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)

    assert {name for name in outside if not name.startswith("_")} <= {"snapbase", "sitecustomize"}


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*ROOT.glob("snapbase/**/*.py"), *ROOT.glob("tests/**/*.py")]
        if (lines := len(path.read_text().splitlines())) > 450
    }

    assert long == {}
