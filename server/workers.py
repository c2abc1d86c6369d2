"""Several processes on one socket: the parent hands it down, starts the dead again, and lets all end well.

Only the parent listens to signals, as a service manager may send one to every process at once; its word reaches a
worker through a pipe. When the parent is killed the pipe ends, and its workers end at once: the data folder's lock,
which they inherited, is held until the last is gone.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from server.process import DRAIN, ENDING, NOTICE_SECONDS, RELOAD, Parent, read_again, serve
from server.shared import Shared
from server.wiring import open_services

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from server.settings import Settings
    from server.tls import Certificate

log = logging.getLogger("secure_files.workers")

WATCHED = (*ENDING, signal.SIGCHLD, signal.SIGHUP)
# A worker that dies younger than this is started again no faster than this, so that a broken one does not spin.
YOUNG_SECONDS = 1.0
LATE_SECONDS = 3.0


@dataclass
class Worker:
    """A running child: the parent's end of its pipe, and when it was started."""

    pid: int
    pipe: int
    started: float


class Workers:
    """Runs `settings.workers` processes that serve on `listening`, until a signal ends them all.

    Make it in a process without threads: the children are forked.
    """

    def __init__(self, settings: Settings, listening: socket.socket, certificate: Certificate | None = None) -> None:
        self._settings = settings
        self._listening = listening
        self._certificate = certificate
        self._shared = Shared.make(settings, processes=settings.workers)
        self._running: dict[int, Worker] = {}

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT, then give running requests their grace; a second signal ends all at once."""
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        ready()
        try:
            for _ in range(self._settings.workers):
                self._start()
            while (number := signal.sigwait(WATCHED)) not in ENDING:
                if number == signal.SIGHUP:
                    self._reload()
                else:
                    self._replace_dead()
            self._drain()
        finally:
            self._kill()
            self._shared.remove()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    def _start(self) -> None:
        theirs, ours = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            for other in self._running.values():
                os.close(other.pipe)
            _be_worker(partial(self._serve, Parent(theirs)))
        os.close(theirs)
        self._running[pid] = Worker(pid, ours, time.monotonic())

    def _serve(self, parent: Parent) -> None:
        services = open_services(self._settings)
        try:
            serve(
                services,
                self._settings,
                self._listening,
                parent=parent,
                certificate=self._certificate,
                shared=self._shared,
            )
        finally:
            services.close()

    def _reap(self) -> list[Worker]:
        """Return the workers that have ended since the last look."""
        ended = []
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if worker := self._running.pop(pid, None):
                os.close(worker.pipe)
                self._shared.forget(pid)
                ended.append(worker)
                log.info("worker %s ended with %s", pid, os.waitstatus_to_exitcode(status))
        return ended

    def _replace_dead(self) -> None:
        for worker in self._reap():
            log.error("worker %s died; another takes its place", worker.pid)
            time.sleep(max(0.0, worker.started + YOUNG_SECONDS - time.monotonic()))
            self._start()

    def _reload(self) -> None:
        # Here as well: a worker that takes the place of a dead one is forked with what this process knows.
        read_again(self._certificate)
        self._say(RELOAD)

    def _say(self, word: bytes) -> None:
        for worker in self._running.values():
            with suppress(BrokenPipeError):  # it has just died, and SIGCHLD comes next
                os.write(worker.pipe, word)

    def _drain(self) -> None:
        # The workers take connections for a moment longer; what came after that would wait here for nobody.
        self._listening.close()
        self._say(DRAIN)
        deadline = time.monotonic() + NOTICE_SECONDS + self._settings.grace + LATE_SECONDS
        while self._running and (left := deadline - time.monotonic()) > 0:
            found = signal.sigtimedwait(WATCHED, left)
            if found is not None and found.si_signo in ENDING:
                return
            self._reap()

    def _kill(self) -> None:
        for worker in self._running.values():
            os.kill(worker.pid, signal.SIGKILL)
        while self._running:
            pid, _ = os.waitpid(-1, 0)
            self._running.pop(pid, None)


def apart(work: Callable[[], int]) -> int:
    """Run `work` in a child that ends with it, and return the exit status it returned.

    What it opens leaves no thread behind in this process: one that is to fork may not have any, as they do not come
    along and who waits for them, such as an object store's client, waits for ever.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = work()
        except BaseException:
            log.exception("the vault could not be opened")
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _be_worker(work: Callable[[], None]) -> None:
    """Do the work in a forked child and never return."""
    status = 1
    try:
        for number in (*ENDING, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        work()
        status = 0
    except BaseException:
        log.exception("a worker could not go on")
    finally:
        sys.stderr.flush()
        os._exit(status)
