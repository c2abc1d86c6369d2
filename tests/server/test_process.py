"""Signals of a process that serves are heard whatever else its loop has to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# As threads do that end their work while the loop is busy: each wakes it by a byte in a pipe, which is full by then.
BUSY = """
import asyncio, os, signal
from server.process import Signals

async def main():
    loop = asyncio.get_running_loop()
    reloaded = []
    signals = Signals(lambda: reloaded.append(1))
    for _ in range(5000):
        loop.call_soon_threadsafe(int)
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.{name})
    await asyncio.wait_for(signals.until_told(), 10)
    print(len(reloaded))

asyncio.run(main())
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_are_not_lost_when_threads_have_much_to_tell(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BUSY.format(name=name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (0, "1\n"), ended.stderr


def test_a_second_one_ends_it_at_once() -> None:
    program = BUSY.format(name="SIGTERM").replace("print(len(reloaded))", "os.kill(os.getpid(), signal.SIGTERM)")
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False, env={**os.environ})

    assert ended.returncode == -signal.SIGTERM
