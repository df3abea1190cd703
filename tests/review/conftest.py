"""An estate to review, built once and copied for every test."""

import shutil
from pathlib import Path

import pytest

from tests.review.desk import estate, url_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estate")
    estate(url_of(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path, built: Path) -> Path:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path
