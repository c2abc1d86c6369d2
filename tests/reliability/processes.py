"""`secure-files serve` as users run it: processes of their own, which may be killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from tests.harness import ROOT_TOKEN, Client, unique

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 15.0
ESTABLISHED = "01"  # as /proc/net/tcp says it


class Server:
    """A server over a data folder. `start` returns once it is ready; leaving the block ends every process of it."""

    def __init__(
        self, data: Path, *, workers: int = 2, environment: Mapping[str, str] | None = None, **settings: Any
    ) -> None:
        self.data = data
        self._options = ["--data", str(data), "--workers", str(workers)]
        self._environment = {**(environment or {})}
        self._settings = {f"SECURE_FILES_{name.upper()}": str(value) for name, value in settings.items()}
        self._log = data.with_name(data.name + ".log")
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.ready_seconds = 0.0
        self.starts: list[float] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill_all()

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own and return at once; its stderr is appended to the log."""
        command = [sys.executable, "-m", "cli.main", "serve", "--port", str(self._port), *self._options]
        environment = {
            "PATH": os.environ["PATH"],
            "SECURE_FILES_ROOT_TOKEN": ROOT_TOKEN,
            **self._settings,
            **self._environment,
        }
        with self._log.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, start_new_session=True)

    def start(self) -> Self:
        """Start it and wait until it is ready: at the port of the first start, as clients know no other."""
        begun = time.monotonic()
        before = self._log.stat().st_size if self._log.exists() else 0
        self._process = self.launch()
        self.url = self._address(before)
        self._port = int(self.url.rpartition(":")[2])
        self._wait_until_ready(begun + READY_SECONDS)
        self.ready_seconds = time.monotonic() - begun
        self.starts.append(self.ready_seconds)
        return self

    def _address(self, before: int) -> str:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(rb"listening on (https?://\S+)\n", self._log.read_bytes()[before:]):
                return found[1].decode()
            time.sleep(0.01)
        raise AssertionError(f"the server did not listen; it said:\n{self.log[-2000:]}")

    def _wait_until_ready(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if self.serves():
                return
            time.sleep(0.01)
        raise AssertionError(f"the server was not ready in {READY_SECONDS} s; it said:\n{self.log[-2000:]}")

    @property
    def port(self) -> int:
        """Where it listens, on this machine."""
        return self._port

    def wait_for_log(self, text: str) -> None:
        """Wait until it has said something."""
        deadline = time.monotonic() + READY_SECONDS
        while text not in self.log:
            assert time.monotonic() < deadline, f"it did not say {text!r} in:\n{self.log[-2000:]}"
            time.sleep(0.01)

    def is_ready(self) -> bool:
        return self._readiness()[0] == 200

    def serves(self) -> bool:
        """Whether it is ready, but for a disk that is full."""
        status, said = self._readiness()
        wrong = {name for name, check in said.items() if name.endswith("_check") and check[0]["status"] != "ok"}
        return status == 200 or wrong == {"master_check", "disk_check"}

    def _readiness(self) -> tuple[int, dict[str, Any]]:
        try:
            answer = Client(self.url, None, verify=False).get("/-/readiness")
            return answer.status, answer.json
        except requests.ConnectionError:
            return 0, {}

    @property
    def log(self) -> str:
        """What all starts said on stderr."""
        return self._log.read_text("utf-8", "replace")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def root(self) -> Client:
        """A client of the administrator."""
        return Client(self.url, ROOT_TOKEN)

    def client_with_new_token(self) -> Client:
        """Return a client of the administrator with a token of its own."""
        body = {"name": unique("token"), "scopes": ["api"]}
        made = self.root.post("/users/1/personal_access_tokens", json=body)
        assert made.status == 201, made
        return Client(self.url, made.json["token"])

    def project(self) -> int:
        """Make a project of the administrator's and return its id."""
        made = self.root.post("/projects", json={"name": unique("app")})
        assert made.status == 201, made
        return int(made.json["id"])

    # Its processes

    def everyone(self) -> list[int]:
        """All processes of the session, the parsers' too, that are not dead: the parent first.

        One whose first thread has ended keeps its connections until its last one has, which may be syncing a file.
        """
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            state, session, threads = words[0], int(words[3]), int(words[17])
            if session == self.process.pid and (state not in "ZX" or threads > 1):
                found.append(int(stat.parent.name))
        return sorted(found)

    def workers(self) -> list[int]:
        """The processes that serve, when those are not the parent itself."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
        return [int(pid) for pid in children.split()]

    def kill_one_worker(self) -> None:
        """Kill a worker, and wait until another has taken its place."""
        victim = self.workers()[0]
        os.kill(victim, signal.SIGKILL)
        self.wait_for_log(f"worker {victim} died")
        deadline = time.monotonic() + READY_SECONDS
        while victim in self.workers() or not self.is_ready():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def metrics_folder(self) -> Path | None:
        """The folder where its workers keep their numbers."""
        for pid in self.workers():
            for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines():
                if "secure-files-metrics" in line:
                    return Path(line.split(None, 5)[5]).parent
        return None

    def connections(self, pid: int) -> int:
        """How many clients a process is connected to."""
        sockets = {_socket(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        lines = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
        return sum(words[3] == ESTABLISHED and words[9] in sockets for words in lines)

    def signal(self, number: int) -> None:
        """Signal the parent alone."""
        self.process.send_signal(number)

    def signal_everyone(self, number: int) -> None:
        """Signal every process there is at one time, as a service manager does: the parsers too."""
        for pid in self.everyone():
            _signal(pid, number)

    def signal_group(self, number: int) -> None:
        """Signal parent and workers at one time, as a terminal does."""
        os.killpg(self.process.pid, number)

    def kill_all(self) -> None:
        """Kill every process there is, and wait until they are gone."""
        self.signal_everyone(signal.SIGKILL)
        self.process.wait(10)
        self.wait_until_gone()

    def wait_until_gone(self, seconds: float = 10.0) -> float:
        """Wait until no process of the session is left and return how long that took."""
        begun = time.monotonic()
        while self.everyone():
            assert time.monotonic() - begun < seconds, f"still there: {self.everyone()}"
            time.sleep(0.01)
        return time.monotonic() - begun


def _socket(link: Path) -> str:
    """The inode of a socket among the files of a process; empty for anything else."""
    try:
        target = str(link.readlink())
    except FileNotFoundError:
        return ""
    return target[len("socket:[") : -1] if target.startswith("socket:[") else ""


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
