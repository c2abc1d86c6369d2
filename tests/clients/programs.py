"""Programs that are not part of the checkout: whether they are there, and what they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0


def needs(*programs: str) -> list[pytest.MarkDecorator]:
    """Return the marks of tests that need these programs."""
    missing = [program for program in programs if shutil.which(program) is None]
    skip = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
    return [skip, *(pytest.mark.engine(program) for program in programs)]


def call(*argv: str | Path, cwd: Path, patience: float = PATIENCE, **variables: str) -> str:
    """Run a program to its end and return what it printed; fails when it does not exit with 0."""
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**os.environ, "no_proxy": "*", "LC_ALL": "C.UTF-8", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=patience,
        check=False,
    )
    assert done.returncode == 0, f"{argv[0]} exited with {done.returncode}:\n{done.stdout}"
    return done.stdout


def reported(*argv: str | Path, cwd: Path, **variables: str) -> dict[str, Any]:
    """Run a program that prints lines of a word and a JSON text; return them."""
    lines = (line.partition(" ") for line in call(*argv, cwd=cwd, **variables).splitlines())
    return {what: json.loads(text) for what, _, text in lines}


def works(*argv: str) -> bool:
    """Say whether a program is there and exits with 0."""
    try:
        return subprocess.run(argv, capture_output=True, timeout=PATIENCE, check=False).returncode == 0
    except FileNotFoundError:
        return False
