"""Fixtures of the tests of the vault's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.core import Core, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    """A new vault whose catalog and blobs are files."""
    with opened(tmp_path / "data") as core:
        yield core
