"""The house rules that a machine can check."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SDKS = ("boto3", "botocore", "azure", "msrest", "google")


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def _loaded(code: str) -> set[str]:
    """The top-level packages in memory after some code ran."""
    return set(_python(f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})").split())


def test_imports_only_go_down() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 0, done.stdout


def test_no_collector_imports_a_cloud_sdk_until_it_is_used() -> None:
    code = f"""
import importlib, pkgutil, sys
import snapbase.collect
for module in pkgutil.walk_packages(snapbase.collect.__path__, "snapbase.collect."):
    importlib.import_module(module.name)
print(*sorted({{name.split(".")[0] for name in sys.modules}} & set({SDKS})))
"""
    assert _python(code).split() == []


@pytest.mark.parametrize("words", ["--help", "diff --help"])
def test_commands_that_call_no_cloud_import_no_cloud_sdk(words: str) -> None:
    code = f"""
import sys
sys.argv = ["snapbase", *{words.split()!r}]
from snapbase.cli import main
try:
    main()
except SystemExit:
    pass
print("SDKS:", *sorted({{name.split(".")[0] for name in sys.modules}} & set({SDKS})))
"""
    assert _python(code).splitlines()[-1].strip() == "SDKS:"


@pytest.mark.parametrize(
    "code",
    [
        "from snapbase.collect.collector import *\nfor n in 'aws', 'azure', 'gcp': cloud(n); collectors(n)",
        "import snapbase.operations.diff, snapbase.operations.collect, snapbase.cli.app, snapbase.report.table",
        "from snapbase.report import reporters; reporters()\nfrom snapbase.rules import rules; rules()",
    ],
)
def test_no_cloud_sdk_is_imported_before_a_cloud_is_asked(code: str) -> None:
    assert not _loaded(code) & {*SDKS, "moto"}


def test_help_imports_neither_the_store_nor_pydantic() -> None:
    assert not _loaded("import snapbase.cli.app") & {"sqlalchemy", "pydantic", "alembic"}


def test_the_nouns_import_the_standard_library_only() -> None:
    code = """
import sys
before = set(sys.modules)
import snapbase.model, snapbase.errors, snapbase.finding
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""
    assert _python(code).split() == ["snapbase"]


def test_no_file_grows_past_a_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in ROOT.glob("snapbase/**/*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) >= 450
    }

    assert long == {}
