"""A vault with something of everything in it."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server.settings import Settings
from server.wiring import Services, open_services
from tests.filled import fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault that no test changes."""
    data = tmp_path_factory.mktemp("filled") / "data"
    fill(data)
    return data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(original, tmp_path / "data")


@pytest.fixture
def services(data: Path) -> Iterator[Services]:
    """The copy, opened."""
    with closing(open_services(Settings(data=data))) as services:
        yield services
