"""Fixtures that every folder of tests may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import RunningVault

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A running vault that the tests of one module share; each makes projects of its own in it."""
    with RunningVault(tmp_path_factory.mktemp("vault") / "data") as running:
        yield running


@pytest.fixture
def project(vault: RunningVault) -> dict[str, Any]:
    """A new private project."""
    return vault.project()
