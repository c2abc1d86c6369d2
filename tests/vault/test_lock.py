"""One data folder, one server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from vault.errors import Busy
from vault.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

HOLD = """
    with FolderLock(folder):
        print("held", flush=True)
        sys.stdin.read()
"""


@contextmanager
def running(script: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a process of its own until it says something, and to the end of its input after the block."""
    header = "import os, sys, time\nfrom pathlib import Path\nfrom vault.lock import FolderLock\n"
    command = [sys.executable, "-c", f"{header}folder = Path(sys.argv[1])\n{dedent(script)}", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


class TestFolderLock:
    def test_a_second_process_is_told_who_has_it(self, tmp_path: Path) -> None:
        with running(HOLD, tmp_path) as first, pytest.raises(Busy, match=rf"process {first.pid}\)") as raised:
            FolderLock(tmp_path, patience=0).__enter__()
        assert str(tmp_path) in str(raised.value)

    def test_a_second_one_of_the_same_process_is_refused_too(self, tmp_path: Path) -> None:
        with FolderLock(tmp_path), pytest.raises(Busy, match=f"process {os.getpid()}"):
            FolderLock(tmp_path, patience=0).__enter__()

    def test_a_refusal_leaves_the_lock_with_its_holder(self, tmp_path: Path) -> None:
        with running(HOLD, tmp_path) as first:
            for _ in range(2):
                with pytest.raises(Busy, match=f"process {first.pid}"):
                    FolderLock(tmp_path, patience=0).__enter__()

    def test_is_free_after_the_block(self, tmp_path: Path) -> None:
        for _ in range(2):
            with FolderLock(tmp_path, patience=0):
                assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600

    def test_is_free_after_a_kill(self, tmp_path: Path) -> None:
        with running(HOLD, tmp_path) as first:
            first.send_signal(signal.SIGKILL)
            first.wait()
            with FolderLock(tmp_path, patience=0), pytest.raises(Busy, match=f"process {os.getpid()}"):
                FolderLock(tmp_path, patience=0).__enter__()

    def test_waits_for_one_that_is_ending(self, tmp_path: Path) -> None:
        ends_soon = """
            with FolderLock(folder):
                print("held", flush=True)
                time.sleep(0.2)
        """
        with running(ends_soon, tmp_path), FolderLock(tmp_path, patience=60):
            pass

    def test_a_forked_child_keeps_it_when_its_parent_was_killed(self, tmp_path: Path) -> None:
        """The workers of a server that was killed may still be writing."""
        forks = """
            with FolderLock(folder):
                if os.fork() == 0:
                    sys.stdin.read()
                    os._exit(0)
                print("held", flush=True)
                time.sleep(600)
        """
        with running(forks, tmp_path) as parent:
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            with pytest.raises(Busy, match=f"process {parent.pid}"):
                FolderLock(tmp_path, patience=0).__enter__()
            assert parent.stdin is not None
            parent.stdin.close()
            with FolderLock(tmp_path, patience=60):
                pass

    def test_a_program_that_was_started_meanwhile_does_not_keep_it(self, tmp_path: Path) -> None:
        with FolderLock(tmp_path):
            child = subprocess.Popen(["sleep", "600"])
        try:
            with FolderLock(tmp_path, patience=0):
                pass
        finally:
            child.kill()
            child.wait()

    def test_a_shorter_number_over_a_longer_one_is_told_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "lock").write_text("98765432109\n")
        with FolderLock(tmp_path), pytest.raises(Busy, match=rf"process {os.getpid()}\)"):
            FolderLock(tmp_path, patience=0).__enter__()

    def test_a_disk_that_takes_no_number_is_no_reason_to_fail(self, tmp_path: Path) -> None:
        no_room = """
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            with FolderLock(folder):
                print("held", flush=True)
                sys.stdin.read()
        """
        with running(no_room, tmp_path), pytest.raises(Busy, match="process unknown"):
            FolderLock(tmp_path, patience=0).__enter__()

    def test_a_folder_that_is_not_there_is_an_error_of_the_system(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            FolderLock(tmp_path / "absent", patience=0).__enter__()
