"""The command line as people run it: in this process where that tells the same, else in one of its own."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from unittest import mock

import requests

from cli.main import main
from tests.engines import ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str


def run(*argv: str | Path) -> Outcome:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    told = mock.patch.dict(os.environ, ENGINES.environment(argv))
    with told, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(word) for word in argv])
        except SystemExit as end:
            status = int(end.code or 0)
    return Outcome(status, out.getvalue(), err.getvalue())


def command(*argv: str | Path) -> list[str]:
    """Return what starts a command in a process of its own."""
    return [sys.executable, "-m", "cli.main", *(str(word) for word in argv)]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that finds the project and knows of no settings."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **more}


def start(
    *argv: str | Path, cwd: Path, env: Mapping[str, str] | None = None, before: Callable[[], None] | None = None
) -> Outcome:
    """Run a command in a process of its own to its end; `before` is called in it first."""
    done = subprocess.run(
        command(*argv),
        check=False,
        cwd=cwd,
        env=environment(**{**ENGINES.environment(argv, cwd), **(env or {})}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        preexec_fn=before,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class Serving:
    """`secure-files serve` in a process of its own while the block runs, begun once it is ready."""

    def __init__(self, *argv: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self._said: list[str] = []
        self._silent = False
        self._told = threading.Condition()
        self.process = subprocess.Popen(
            command("serve", "--port", "0", *argv),
            cwd=cwd,
            env=environment(**{**ENGINES.environment(argv, cwd), **(env or {})}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def __enter__(self) -> Self:
        assert self.get("/-/readiness").status_code == 200
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._told:
                    self._said.append(line)
                    self._told.notify_all()
        with self._told:
            self._silent = True
            self._told.notify_all()

    @property
    def said(self) -> str:
        """What it has written to stderr."""
        with self._told:
            return "".join(self._said)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until what it said matches."""

        def matched() -> re.Match[str] | None:
            return re.search(pattern, "".join(self._said))

        with self._told:
            self._told.wait_for(lambda: matched() or self._silent, PATIENCE)
            found = matched()
        assert found, f"no {pattern!r} in:\n{self.said}"
        return found

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.wait_for(r"listening on (http://\S+)")[1]

    def get(self, path: str, token: str = "") -> requests.Response:
        """Ask it for something."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(self.url + path, headers={"PRIVATE-TOKEN": token} if token else {}, timeout=PATIENCE)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self._reader.join()
        return status


def obey_modes() -> None:
    """Give up root's privilege to read and write what a file's modes forbid; for `before`."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to those who never had it
