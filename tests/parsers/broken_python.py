"""A machine on which no further interpreter starts, as after an upgrade that is half done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every child process that is started from here on end at once."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
