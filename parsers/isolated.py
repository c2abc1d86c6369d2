"""Reading files in kept child processes, with a deadline by the parent's clock.

A thread would not do: a PKCS#12 of 981 bytes can hold the interpreter's lock for minutes. A hostile file may cost a
child its life; the next one is already starting.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from parsers import frames, registry
from parsers.interface import HEAD, MAX_SIZE, Inspection
from parsers.plain import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parsers.frames import Bytes

log = logging.getLogger(__name__)

Found = TypeVar("Found", Inspection, Inspection | None)

_BOOT = "import sys; sys.path[:0] = sys.argv[1:]; from parsers.child import main; main()"
_FOLDER = str(Path(__file__).resolve().parent.parent)
_SOON = 0.04  # a child is waited for so long before there is another: most looks are shorter, and a child is 22 MiB
_STARTING = 0.5  # and so long while the first one is starting
_START_SECONDS = 2.5  # that a caller waits for a new child; one that takes longer goes on starting
_HOPELESS_SECONDS = 30.0
_QUEUED = Inspection(error="queued")
_UNRECOGNIZED = Inspection(error="unrecognized")
_LARGE = 64 * 1024
"""A file above this is handed over only when its first bytes say that somebody may know it."""


class Listing(NamedTuple):
    """One parser: its name, where it comes from, and why it could not be loaded (or None)."""

    name: str
    origin: str
    problem: str | None


class Pool:
    """A few child processes that read files. Made at once, started on first need; any thread may use it.

    `workers` children; `deadline` seconds a file may take; a caller waits for a free child `patience` seconds at
    most, and not at all behind `queue_limit` others; after `files_per_child` a child is replaced, as soon as the next
    one is ready. Plugins are looked for where Python's packages are installed and in `plugin_folders`.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        deadline: float = 2.0,
        patience: float = 2.5,
        queue_limit: int = 20,
        files_per_child: int = 500,
        plugin_folders: Iterable[Path] = (),
    ) -> None:
        self._patience = patience
        self._queue_limit = queue_limit
        self._waiting = 0
        self._closed = False
        self._lock = threading.Lock()
        folders = [str(folder.resolve()) for folder in plugin_folders]
        self._all = [_Seat(deadline, files_per_child, folders) for _ in range(workers)]
        self._unused = list(self._all)
        self._seats: queue.LifoQueue[_Seat] = queue.LifoQueue()  # those that were used, and are free

    @property
    def processes(self) -> list[int]:
        """The process ids of the children there are just now."""
        return [process for seat in self._all if (process := seat.process) is not None]

    @property
    def broken(self) -> bool:
        """Whether a child that was needed did not come to be ready, and there is no other."""
        return any(seat.broken for seat in self._all) and not any(seat.serving for seat in self._all)

    @property
    def waiting(self) -> int:
        """How many callers wait for a free child."""
        return self._waiting

    def inspect(self, name: str, data: Bytes, password: str | None = None) -> Inspection:
        """Say what a file holds; blocks. Never raises on account of the file.

        The error "queued" means that no child was free in time, or that the pool is closed: read the file later.
        """
        if len(data) > MAX_SIZE:
            return Inspection(error="too_large")
        if (told := self.glance(name, data)) is not None:
            return told
        seat = self._take()
        if seat is None:
            return _QUEUED
        try:
            return seat.inspect(name, data, password)
        finally:
            self._seats.put(seat)

    def sift(self, name: str, head: bytes) -> Inspection | None:
        """Return what is told of a file that no parser knows by its first bytes; None when it is to be read."""
        if (told := self.glance(name, head)) is not None:
            return told
        seat = self._take()
        if seat is None:
            return None
        try:
            return seat.sift(name, head)
        finally:
            self._seats.put(seat)

    def glance(self, name: str, head: Bytes) -> Inspection | None:
        """Do as `sift` does without asking a child, for a tenth of what that costs; None also when only one can tell.

        Plugins are asked in a child alone: once one is ready and says that it has none, the built-in ones are all.
        """
        alone = any(seat.has_no_plugins for seat in self._all)
        return _UNRECOGNIZED if alone and registry.unfamiliar(bytes(head[:HEAD]), name) else None

    def parsers(self) -> list[Listing]:
        """List all parsers, plugins included, as a child sees them. Empty when no child can be asked."""
        seat = self._take()
        if seat is None:
            return []
        try:
            return seat.parsers()
        finally:
            self._seats.put(seat)

    def close(self) -> None:
        """End the children; waits for the files being read. From then on every file is "queued"."""
        with self._lock:
            already, self._closed = self._closed, True
            used = len(self._all) - len(self._unused)
        for _ in range(0 if already else used):
            self._seats.get().close()

    def _take(self) -> _Seat | None:
        with self._lock:
            if self._closed or (self._waiting >= self._queue_limit and self._seats.empty() and not self._unused):
                return None
            if len(self._unused) == len(self._all):
                return self._unused.pop()  # before the first there is nothing to wait for
            self._waiting += 1
        try:
            soon = _SOON if any(seat.serving for seat in self._all) else _STARTING
            return self._used(soon) or self._another() or self._used(self._patience)
        finally:
            with self._lock:
                self._waiting -= 1

    def _used(self, seconds: float) -> _Seat | None:
        """Return a seat that was used before, when one is free in time."""
        try:
            return self._seats.get(timeout=seconds)
        except queue.Empty:
            return None

    def _another(self) -> _Seat | None:
        with self._lock:
            return self._unused.pop() if self._unused and not self._closed else None


class _Seat:
    """The place of one child; used by one thread at a time."""

    def __init__(self, deadline: float, files_per_child: int, folders: list[str]) -> None:
        self._deadline = deadline
        self._files_per_child = files_per_child
        self._folders = folders
        self._child: _Child | None = None
        self._next: _Child | None = None
        self.broken = False
        self.has_no_plugins = False

    @property
    def process(self) -> int | None:
        child = self._child  # another thread may be replacing it
        return child.pid if child else None

    @property
    def serving(self) -> bool:
        child = self._child
        return child is not None and child.ready and not child.ended

    def inspect(self, name: str, data: Bytes, password: str | None) -> Inspection:
        child = self._ready()
        if child is None:
            return _QUEUED
        request = {"op": "inspect", "name": name, "password": password}
        try:
            if len(data) > _LARGE and not child.knows(name, data, self._deadline):
                return self._served(child, _UNRECOGNIZED)
            reply = child.ask(request, data, self._deadline)
        except frames.Late:
            return self._lost(child, "timeout")
        except frames.Closed:
            return self._lost(child, "malformed")
        return self._served(child, _inspection(reply))

    def _served(self, child: _Child, found: Found) -> Found:
        """Have a child that has had its share of files replaced, once the next one is ready: no file waits for it."""
        if child.served >= self._files_per_child:
            if self._next is not None and self._next.answers:
                threading.Thread(target=child.close, name="parser-leaving", daemon=True).start()
                self._child = self._successor()
            elif self._next is None or self._next.hopeless:
                if self._next is not None:
                    self._next.kill()
                self._next = _Child(self._folders)
        return found

    def _successor(self) -> _Child:
        child, self._next = self._next or _Child(self._folders), None
        return child

    def sift(self, name: str, head: bytes) -> Inspection | None:
        child = self._ready()
        if child is None:
            return None
        try:
            known = child.knows(name, head, self._deadline)
        except (frames.Late, frames.Closed):
            self._lost(child, "malformed")
            return None
        return self._served(child, None if known else _UNRECOGNIZED)

    def parsers(self) -> list[Listing]:
        child = self._ready()
        if child is None:
            return []
        try:
            rows = child.ask({"op": "list"}, b"", self._deadline)["parsers"]
        except (frames.Late, frames.Closed):
            self._lost(child, "malformed")
            return []
        return [Listing(*row) for row in rows]

    def close(self) -> None:
        for child in (self._child, self._next):
            if child is not None:
                child.close()
        self._child = self._next = None

    def _ready(self) -> _Child | None:
        if self._child is None or self._child.ended:
            self._child = self._successor()
        if self._child.wait_until_ready():
            self.broken = False
            self.has_no_plugins = not self._child.has_plugins
            return self._child
        if self._child.hopeless:
            self.broken = True
            log.error("a parser process did not start (exit status %s)", self._child.kill())
            self._child = None
        return None

    def _lost(self, child: _Child, code: str) -> Inspection:
        status = child.kill()
        self._child = self._successor()  # ahead of need: the next file should not wait for it
        if status == -signal.SIGXCPU:
            code = "timeout"
        log.warning("a file ended its parser process: %s (exit status %s)", code, status)
        return Inspection(error=code)


class _Child:
    """One process and the two pipes to it."""

    def __init__(self, folders: list[str]) -> None:
        self.served = 0
        self.ready = False
        self.has_plugins = True
        self._silent = False
        self._started = time.monotonic()
        # An empty environment and no inherited descriptors: nothing of the server's is there to be found.
        # A process group of its own keeps a terminal's Ctrl-C away.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and constants
            [sys.executable, "-I", "-c", _BOOT, _FOLDER, *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={},
            cwd="/",
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        os.set_blocking(self._to.fileno(), False)
        os.set_blocking(self._from.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        # The end of its pipe may be seen a moment before its exit is.
        return self._silent or self._process.poll() is not None

    @property
    def hopeless(self) -> bool:
        """Whether it will not come to be ready any more."""
        return self.ended or time.monotonic() - self._started > _HOPELESS_SECONDS

    @property
    def answers(self) -> bool:
        """Whether it has said that it is ready, though nobody has listened yet."""
        poll = select.poll()
        poll.register(self._from, select.POLLIN)
        return bool(poll.poll(0)) and not self.ended

    def wait_until_ready(self) -> bool:
        if not self.ready:
            try:
                told, _ = frames.receive(self._from.fileno(), until=time.monotonic() + _START_SECONDS)
            except frames.Closed:
                self._silent = True
                return False
            except frames.Late:
                return False
            self.has_plugins = told.get("plugins") is not False
            self.ready = True
        return True

    def knows(self, name: str, data: Bytes, seconds: float) -> bool:
        """Ask by the file's first bytes whether there is a parser for it."""
        return self.ask({"op": "sniff", "name": name}, data[:HEAD], seconds).get("known") is not False

    def ask(self, request: dict[str, Any], body: Bytes, seconds: float) -> dict[str, Any]:
        until = time.monotonic() + seconds
        self.served += 1
        frames.send(self._to.fileno(), request, body, until=until)
        return frames.receive(self._from.fileno(), until=until)[0]

    def close(self) -> None:
        """Let the child go: it ends by itself when its pipe closes, or is made to. Waits for its end."""
        self._to.close()
        self._from.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> int:
        """End the child now; its exit status, negative for the signal that ended it."""
        self._to.close()
        self._from.close()
        if self._process.poll() is None:
            self._process.kill()
        return self._process.wait()


def _inspection(reply: dict[str, Any]) -> Inspection:
    """Take a reply only in the shape that was agreed: the child may be in a hostile file's hands."""
    for note in reply.get("notes") or []:
        log.warning("a parser let an exception out: %s", str(note)[:100])
    texts = [reply.get(key) for key in ("kind", "expires_at", "error")]
    metadata = reply.get("metadata")
    if not all(text is None or isinstance(text, str) for text in texts) or not isinstance(metadata, dict | None):
        return Inspection(error="malformed")
    kind, expires_at, error = texts
    if expires_at is not None and not _is_timestamp(expires_at):
        return Inspection(error="malformed")
    return Inspection(kind, metadata, expires_at, error)


def _is_timestamp(text: str) -> bool:
    try:
        return timestamp(datetime.fromisoformat(text)) == text
    except (ValueError, OverflowError):
        return False
