"""Starts the servers that are measured, and ends them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

READY_SECONDS = 60
STOP_SECONDS = 40


class NotRunning(Exception):
    """A server did not start; the words say why."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port() -> int:
    """Return a port that nobody listens on."""
    return free_ports(1)[0]


@contextlib.contextmanager
def started(
    command: Sequence[str], port: int, log: Path, *, grace: float = STOP_SECONDS, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that listens on `port`; what it says goes to `log`. Raises `NotRunning`.

    At the end it is asked to stop, and killed when it has not after `grace` seconds.
    """
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, **options)
    try:
        _wait(process, port, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NotRunning(f"does not listen: {log.read_text('utf-8', 'replace')[-600:].strip()}")
