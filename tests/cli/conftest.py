"""Fixtures of the tests of the command line."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them, and a pipeline's variables."""
    for name in list(os.environ):
        if name.startswith(("SECURE_FILES_", "CI_")):
            monkeypatch.delenv(name)
