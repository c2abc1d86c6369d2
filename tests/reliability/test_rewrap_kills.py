"""Every file is moved to a new master key while the server goes on and the command that moves them is killed."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import ROOT, command, environment, run
from tests.reliability.processes import Server
from tests.reliability.shelves import Readers, bodies, filled, unlike

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FILES = int(os.environ.get("REWRAP_FILES", "1000"))
KILLS = int(os.environ.get("REWRAP_KILLS", "3"))
RATE = 200  # so that it is killed on the way, not at its end


def under(data: Path, key: str) -> int:
    """How many files are wrapped under a master key."""
    with closing(sqlite3.connect(data / "catalog.sqlite")) as catalog:
        return int(catalog.execute("SELECT COUNT(*) FROM blobs WHERE kek_id = ?", (key,)).fetchone()[0])


def sealed_under(data: Path, key: str) -> int:
    """How many files were sealed under a master key."""
    with closing(sqlite3.connect(data / "catalog.sqlite")) as catalog:
        return int(catalog.execute("SELECT COUNT(*) FROM blobs WHERE first_kek_id = ?", (key,)).fetchone()[0])


def killed_on_the_way(data: Path, *more: str, rate: int = RATE) -> None:
    """Start `keys rewrap` and kill it once it has moved some files."""
    counted = sealed_under if "--reencrypt" in more else under
    before = counted(data, "k2")
    words = command("keys", "rewrap", *more, "--rate", str(rate), "--data", data)
    process = subprocess.Popen(words, cwd=ROOT, env=environment())
    deadline = time.monotonic() + 60
    while counted(data, "k2") == before:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("more", [(), ("--reencrypt",)], ids=["rewrap", "reencrypt"])
def test_every_file_can_be_read_at_every_time_and_the_old_key_retires(tmp_path: Path, more: tuple[str, ...]) -> None:
    data = tmp_path / "data"
    digests = filled(data, FILES if not more else FILES // 5)
    before = bodies(data)
    with Server(data) as server, Readers(server.url, digests) as readers:
        assert run("keys", "rotate", "--data", data).status == 0
        for _ in range(KILLS):
            killed_on_the_way(data, *more, rate=RATE if not more else RATE // 10)
        assert under(data, "k1") > 0
        begun = time.monotonic()
        assert run("keys", "rewrap", *more, "--data", data).status == 0
        log.info("%s files, killed %s times; the rest took %.1f s", len(digests), KILLS, time.monotonic() - begun)
        assert run("keys", "retire", "k1", "--data", data).status == 0

        assert unlike(server.root, digests) == []
        assert readers.wrong == []
        assert next(readers.read) > 10
    if not more:
        assert bodies(data) == before
    with Server(data) as again:  # whose keyring has only the new key
        assert unlike(again.root, digests) == []
