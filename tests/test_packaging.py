"""The wheel as a user gets it: built from the sdist, without the checkout and without developer's tools."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEVELOPMENT = (
    "pytest",
    "_pytest",
    "mypy",
    "hypothesis",
    "importlinter",
    "coverage",
    "build",
    "hatchling",
    "moto",
    "click",
)


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module", name="wheel")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`python -m build` makes the sdist first and the wheel from it."""
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module", name="bin_folder")
def _bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and this one's dependencies, linked one by one, and without developer's tools."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(DEVELOPMENT) and "snapbase" not in path.name and path.suffix != ".pth":
            (site / path.name).symlink_to(path)
    pip = (sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"))
    _run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=home)
    return home / "bin"


def test_the_wheel_holds_the_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "snapbase/migrations/env.py" in names
    assert any(name.startswith("snapbase/migrations/versions/0001") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_the_installed_package_is_the_wheel_s(bin_folder: Path, tmp_path: Path) -> None:
    code = "import snapbase, importlib.util as u; print(snapbase.__file__, *map(u.find_spec, ('pytest', 'mypy')))"

    origin, *tools = _run(bin_folder / "python", "-c", code, cwd=tmp_path).split()

    assert Path(origin).is_relative_to(bin_folder.parent)
    assert tools == ["None", "None"]


def test_the_wheel_creates_a_store_and_helps(bin_folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "snapbase.db"

    _run(bin_folder / "snapbase", "--store", f"sqlite:///{store}", "db", "upgrade", cwd=tmp_path)
    _run(bin_folder / "snapbase", "--store", f"sqlite:///{store}", "db", "check", cwd=tmp_path)
    helped = _run(bin_folder / "snapbase", "--help", cwd=tmp_path)

    assert store.stat().st_size > 0
    assert "approve-baseline" in helped


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nope", "No such command 'nope'"),
        ("diff --nope", "No such option"),
        ("demo", "pip install 'snapbase[sandbox]'"),
    ],
)
def test_the_wheel_alone_says_plainly_what_it_cannot_do(bin_folder: Path, words: str, said: str) -> None:
    done = subprocess.run([bin_folder / "snapbase", *words.split()], text=True, capture_output=True, check=False)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
