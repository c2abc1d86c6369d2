"""The child process that reads files: it gives up what it does not need, then answers until its pipe closes.

Started by `parsers.isolated`. The password of a file lives in its frame and in the one call that uses it.
"""

from __future__ import annotations

import os
import resource
import signal
from importlib import import_module

from parsers import frames, registry
from parsers.reading import read_here

_MEMORY = 512 * 1024 * 1024
_OPEN_FILES = 16
_CPU_SECONDS = 4  # a file; the parent's clock is the real deadline and is shorter


def main() -> None:
    """Serve frames from standard input to standard output."""
    # A service manager signals the whole group. The parent drains first and then closes the pipes.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, replies = os.dup(0), os.dup(1)
    _silence(0, 1)
    for path in registry.BUILT_IN:
        import_module(path.partition(":")[0])
    _limit()
    plugins = len(registry.registered()) > len(registry.BUILT_IN)  # they run under the limits from their first line
    _silence(2)  # whatever a library prints from here on could quote a file
    try:
        frames.send(replies, {"ready": True, "plugins": plugins})
        while True:
            header, body = frames.receive(requests)
            frames.send(replies, _answer(header, body))
    except frames.Closed:
        return


def _answer(header: dict[str, object], body: bytes) -> dict[str, object]:
    if header.get("op") == "list":
        return {
            "parsers": [[known.name, known.origin, known.problem] for known in registry.registered()],
        }
    _allow_cpu()
    if header.get("op") == "sniff":
        return {"known": bool(registry.likely(body, str(header["name"])))}
    notes: list[str] = []
    password = header.get("password")
    found = read_here(str(header["name"]), body, password if isinstance(password, str) else None, notes.append)
    return {**vars(found), "notes": notes}


def _silence(*descriptors: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _limit() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError):  # a system that lacks this limit, or has a lower one already
            continue


def _allow_cpu() -> None:
    """RLIMIT_CPU counts a process's whole life, so each file raises it by what one file may cost."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + _CPU_SECONDS, hard))
