"""Fixtures of the tests of repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.core import Core, opened
from tests.vault.repositories.support import Site

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared_core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    """A vault that the tests of one module share."""
    with opened(tmp_path_factory.mktemp("vault") / "data") as core:
        yield core


@pytest.fixture
def site(shared_core: Core) -> Site:
    """A new project that has no repository yet."""
    return Site(shared_core)
