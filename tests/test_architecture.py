"""The house rules that a machine can check."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SDKS = ("boto3", "botocore", "azure", "msrest", "google")


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


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


def test_the_nouns_import_the_standard_library_only() -> None:
    code = """
import sys
before = set(sys.modules)
import snapbase.model
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""
    assert _python(code).split() == ["snapbase"]


def test_no_file_grows_past_a_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "snapbase").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) >= 450
    }

    assert long == {}
