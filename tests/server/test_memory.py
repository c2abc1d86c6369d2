"""What becomes of memory that the process has let go of."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from server import app, memory
from tests.harness import RunningVault

if TYPE_CHECKING:
    from pathlib import Path

# In a process of its own, whose heap is as a server's.
BETWEEN = """
buffers = [bytearray(b"x") * 100_000 for _ in range(1_000)]
kept = buffers[::100]
del buffers
"""
IN_CIRCLES = """
for _ in range(100):
    ring = [bytearray(b"x") * 1_000_000]
    ring.append(ring)
del ring
"""
SCRIPT = """
from server import memory

def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) // 1024

memory.keep_freed()
at_first = resident()
{use}
before = resident() - at_first
memory.give_back()
print(before, resident() - at_first)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own")
class TestMemoryLetGoOf:
    @pytest.mark.parametrize("use", [BETWEEN, IN_CIRCLES], ids=["between what is used", "in circles"])
    def test_goes_back_to_the_system(self, use: str) -> None:
        script = SCRIPT.replace("{use}", use)
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

        before, after = map(int, ran.stdout.split())
        assert before > 80
        assert after < 10


class TestAServer:
    def test_gives_back_what_it_does_not_use_once_in_a_while(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = threading.Event()
        monkeypatch.setattr(memory, "give_back", given.set)
        monkeypatch.setattr(app, "HOUSEKEEPING_SECONDS", 0.01)
        monkeypatch.setattr(app, "GIVE_BACK_SECONDS", 0.0)

        with RunningVault(tmp_path / "data"):
            assert given.wait(20)
