"""Fixtures of the audit log's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.audit.support import Logged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vault.core import Core


@pytest.fixture
def logged(core: Core) -> Iterator[Logged]:
    found = Logged(core)
    yield found
    found.close()
