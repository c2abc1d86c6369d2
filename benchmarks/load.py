"""The client of the benchmarks: one process per connection, blocking sockets, every answer checked."""

from __future__ import annotations

import multiprocessing
import random
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.dialect import Link, SecureFiles
from benchmarks.processes import cpu_seconds, machine_seconds, own_seconds, peak_mb, reset_peak

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    from benchmarks.dialect import Dialect

# A caller that cannot connect must not keep the others waiting for ever.
GATE_SECONDS = 60


@dataclass(frozen=True)
class Target:
    """A server: where, which processes (their children included), which empty projects, which headers each request
    bears, and in which dialect it is asked.
    """

    name: str
    port: int
    pids: Sequence[int]
    projects: Sequence[int]
    headers: str = ""
    dialect: Callable[[Sequence[int]], Dialect] = SecureFiles

    def link(self) -> Link:
        """Return a new connection to it."""
        return Link(self.port, self.headers)


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


class Caller:
    """Does one operation again and again on a connection of its own."""

    def __init__(self, target: Target, work: Work, files: Sequence[str]) -> None:
        self._link = target.link()
        self._dialect = target.dialect(target.projects)
        self._work = work
        self._files = files
        self._data = content(work.size)
        self.made: list[str] = []

    def once(self, number: int) -> bool:
        """Do it; say whether the answer was right."""
        return bool(getattr(self, f"_{self._work.operation}")(number))

    def reopen(self) -> None:
        """Begin a new connection after one that failed."""
        self._link.reopen()

    def _upload(self, number: int) -> bool:
        path = self._dialect.upload(self._link, number, self._data)
        self.made += [path] if path else []
        return path is not None

    def _download(self, number: int) -> bool:
        return self._dialect.download(self._link, self._files[number % len(self._files)], len(self._data))

    def _list(self, _number: int) -> bool:
        return self._dialect.list(self._link)

    def _delete(self, number: int) -> bool:
        return self._dialect.delete(self._link, self._files[number])


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
            right = False
            caller.reopen()
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
    reset_peak(*target.pids)
    begin, cpu, busy, own = time.monotonic(), cpu_seconds(*target.pids), machine_seconds(), own_seconds()
    parts = [pipe.recv() for pipe in pipes]
    total = Result(elapsed=time.monotonic() - begin, cpu=cpu_seconds(*target.pids) - cpu, peak_mb=peak_mb(*target.pids))
    for caller in callers:
        caller.join()
    clients = own_seconds() - own
    total.alien = max(0.0, (machine_seconds() - busy - total.cpu - clients) / total.elapsed)
    for part in parts:
        total.latencies += part.latencies
        total.made += part.made
        total.errors += part.errors
    return total
