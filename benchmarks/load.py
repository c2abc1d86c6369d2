"""The client of the benchmarks: one process per connection, blocking sockets, every answer checked."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import socket
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

# A caller that cannot connect must not keep the others waiting for ever.
GATE_SECONDS = 60
BOUNDARY = "benchmark7MA4YWxkTrZu0gW"


@dataclass(frozen=True)
class Target:
    """A server that speaks the secure files API: where, with which token, which processes, which empty projects."""

    name: str
    port: int
    token: str
    pid: int
    projects: Sequence[int]


@dataclass(frozen=True)
class Work:
    """What one measurement does: `upload`, `download` or `list`, bodies of `size` bytes, `connections` at once.

    Uploads are counted from `first` on: a project takes 100 files, so the count decides which project is next.
    """

    operation: str
    size: int
    connections: int
    count: int = 1_000_000
    seconds: float = 2.0
    first: int = 0


@dataclass
class Result:
    """What came of it. Times in seconds; `made` are the paths of uploaded files."""

    elapsed: float = 0.0
    latencies: list[float] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    errors: int = 0
    cpu: float = 0.0
    alien: float = 0.0
    peak_mb: float = 0.0

    def row(self) -> dict[str, float]:
        """Return the figures of one table row."""
        ordered = sorted(self.latencies) or [0.0]
        return {
            "per_s": len(self.latencies) / self.elapsed if self.elapsed else 0.0,
            "p50_ms": statistics.median(ordered) * 1000,
            "p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000,
            "cpu_ms": self.cpu * 1000 / max(1, len(self.latencies)),
            "peak_mb": self.peak_mb,
            "alien": self.alien,
            "errors": float(self.errors),
        }


def content(size: int) -> bytes:
    """Return the bytes that every upload of one size carries."""
    return random.Random(size).randbytes(size)


class Link:
    """One kept-open HTTP/1.1 connection."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nPRIVATE-TOKEN: {token}\r\n"
        self._buffer = b""
        self._scratch = memoryview(bytearray(1 << 20))

    def request(self, line: str, headers: str = "", *parts: bytes, keep: bool = False) -> tuple[int, int, bytes]:
        """Send a request; return status, length of the body, and the body when it is to be kept."""
        length = sum(map(len, parts))
        extra = f"Content-Length: {length}\r\n" if parts else ""
        self._send([f"{line} {self._head}{headers}{extra}\r\n".encode(), *parts])
        head = self._until(b"\r\n\r\n").decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        _, _, rest = head.partition("content-length:")
        size = int(rest.split("\r\n", 1)[0]) if rest else 0
        return status, size, self._body(size, keep=keep)

    def _send(self, parts: list[bytes]) -> None:
        views = [memoryview(part) for part in parts]
        while views:
            sent = self._socket.sendmsg(views)
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            got = self._socket.recv(65536)
            if not got:
                raise ConnectionError("closed by the server")
            self._buffer += got
        head, self._buffer = self._buffer.split(mark, 1)
        return head

    def _body(self, size: int, *, keep: bool) -> bytes:
        kept = [self._buffer[:size]]
        left = size - len(kept[0])
        self._buffer = self._buffer[size:]
        while left:
            got = self._socket.recv_into(self._scratch, min(left, len(self._scratch)))
            if not got:
                raise ConnectionError("closed by the server")
            if keep:
                kept.append(bytes(self._scratch[:got]))
            left -= got
        return b"".join(kept) if keep else b""


class Caller:
    """Does one operation again and again on a connection of its own."""

    def __init__(self, target: Target, work: Work, files: Sequence[str]) -> None:
        self._link = Link(target.port, target.token)
        self._target = target
        self._work = work
        self._files = files
        self._data = content(work.size)
        self.made: list[str] = []

    def once(self, number: int) -> bool:
        """Do it; say whether the answer was right."""
        return bool(getattr(self, f"_{self._work.operation}")(number))

    def _upload(self, number: int) -> bool:
        projects = self._target.projects
        path = f"/api/v4/projects/{projects[number // 90 % len(projects)]}/secure_files"
        name = f"{os.getpid()}-{time.monotonic_ns()}.bin"
        opening = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        )
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        closing = f"\r\n--{BOUNDARY}--\r\n"
        status, _, body = self._link.request(
            f"POST {path}", kind, opening.encode(), self._data, closing.encode(), keep=True
        )
        if status == 201:
            self.made.append(f"{path}/{json.loads(body)['id']}")
        return status == 201

    def _download(self, number: int) -> bool:
        status, size, _ = self._link.request(f"GET {self._files[number % len(self._files)]}/download")
        return status == 200 and size == len(self._data)

    def _list(self, _number: int) -> bool:
        status, size, _ = self._link.request(
            f"GET /api/v4/projects/{self._target.projects[0]}/secure_files?per_page=100"
        )
        return status == 200 and size > 2

    def _delete(self, number: int) -> bool:
        return self._link.request(f"DELETE {self._files[number]}")[0] == 204


def _call(target: Target, work: Work, files: Sequence[str], counter: Any, gate: Any, pipe: Connection) -> None:
    result, caller = Result(), Caller(target, work, files)
    gate.wait(GATE_SECONDS)
    stop = time.monotonic() + work.seconds
    while time.monotonic() < stop:
        with counter.get_lock():
            number = counter.value
            counter.value += 1
        if number >= work.first + work.count:
            break
        begin = time.perf_counter()
        try:
            right = caller.once(number)
        except (OSError, ValueError, KeyError):
            right, caller = False, Caller(target, work, files)
        if right:
            result.latencies.append(time.perf_counter() - begin)
        else:
            result.errors += 1
    result.made = caller.made
    pipe.send(result)


def measure(target: Target, work: Work, files: Sequence[str] = ()) -> Result:
    """Run `work` against `target` and return what came of it."""
    context = multiprocessing.get_context("fork")
    counter, gate = context.Value("q", work.first), context.Barrier(work.connections + 1)
    pipes, callers = [], []
    for _ in range(work.connections):
        ours, theirs = context.Pipe(duplex=False)
        callers.append(context.Process(target=_call, args=(target, work, files, counter, gate, theirs)))
        callers[-1].start()
        pipes.append(ours)
    gate.wait(GATE_SECONDS)
    reset_peak(target.pid)
    begin, cpu, busy, own = time.monotonic(), cpu_seconds(target.pid), machine_seconds(), _own_seconds()
    parts = [pipe.recv() for pipe in pipes]
    total = Result(elapsed=time.monotonic() - begin, cpu=cpu_seconds(target.pid) - cpu, peak_mb=peak_mb(target.pid))
    for caller in callers:
        caller.join()
    clients = _own_seconds() - own
    total.alien = max(0.0, (machine_seconds() - busy - total.cpu - clients) / total.elapsed)
    for part in parts:
        total.latencies += part.latencies
        total.made += part.made
        total.errors += part.errors
    return total


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU that a process tree has used."""
    ticks = 0
    for each in tree(pid):
        try:
            values = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(values[11]) + int(values[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def machine_seconds() -> float:
    """Return the CPU that everything on the machine has used."""
    values = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(values) - values[3] - values[4]) / os.sysconf("SC_CLK_TCK")


def reset_peak(pid: int) -> None:
    """Begin to measure the peak memory of a process tree anew."""
    for each in tree(pid):
        try:
            Path(f"/proc/{each}/clear_refs").write_text("5")
        except OSError:
            continue


def peak_mb(pid: int) -> float:
    """Return the peak memory of a process tree in MiB."""
    total = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return total / 1024
