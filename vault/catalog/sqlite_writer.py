"""The one writer of a process, who lets all who wait share a commit: a thread, or who comes while it has nothing to do.

A durable commit costs the same for ten rows as for one, so under load the writer takes every work that waits into one
transaction. When one of them fails all of it is done again, each inside a savepoint of its own. Between processes a
file lock decides who is next: SQLite's own waiting polls and is unfair, some waited a second where the lock lets them
wait their turn.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from vault.catalog.database import checked_table
from vault.catalog.sqlite_statements import engine_errors_translated, run
from vault.errors import Invalid, StorageFull, Unavailable, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vault.ballast import Ballast
    from vault.catalog.database import Row, Scalar, Transaction

T = TypeVar("T")

MOST_AT_ONCE = 64
"""Works in one commit: beyond this the first ones would wait longer than the shared commit saves them."""


class GroupWriter:
    """Runs works one after the other, in a thread of its own or that of a caller who would wait anyway."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], lock_file: Path, ballast: Ballast | None = None
    ) -> None:
        self._connect = connect
        self._lock_file = lock_file
        self._ballast = ballast
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()  # None: nothing comes after this
        self._guard = threading.Lock()
        self._turn = threading.Lock()  # had by who works
        self._worker: int | None = None
        self._holder: int | None = None
        self._held: list[_Job] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: sqlite3.Connection | None = None

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Queue `work`; the future resolves once it is durable, or with what became of it."""
        self.refuse_inside_a_work()
        job = _Job(work, Future())
        if self._holder == threading.get_ident():
            self._held.append(job)
        else:
            self._queued(job)
        return job.future

    def hold(self) -> None:
        """Keep what this thread submits, so that the first does not get a commit of its own; for one thread."""
        self._holder = threading.get_ident()

    def release(self) -> None:
        """Queue what was kept."""
        held, self._held, self._holder = self._held, [], None
        try:
            self._queued(*held)
        except Unavailable as error:
            _fail_all(held, error)
            for job in held:
                job.resolve()

    def begin(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Do the same, or all of it in this thread when nobody works: to wake another costs a fifth of a commit."""
        self.refuse_inside_a_work()
        job = _Job(work, Future())
        if not self._serve_here(job):
            self._queued(job)
        return job.future

    def _queued(self, *jobs: _Job) -> None:
        with self._guard:
            if self._closed:
                raise Unavailable("the catalog is closed")
            if jobs:
                self._start()
            for job in jobs:
                self._queue.put(job)

    def refuse_inside_a_work(self) -> None:
        """Raise `RuntimeError` inside a work: a write would wait for itself, a read would not see its own."""
        if self._worker == threading.get_ident():
            raise RuntimeError("inside a work only its transaction may be used")

    def close(self) -> None:
        """Finish what is queued and end the thread."""
        self.refuse_inside_a_work()
        self.release()
        with self._guard:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        with self._turn:
            self._disconnect()

    def _start(self) -> None:
        if self._thread is None:
            # A daemon: a process that ends without close() has nobody left to tell.
            self._thread = threading.Thread(target=self._serve, name="catalog-writer", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while self._serve_next():
            pass

    def _serve_next(self) -> bool:
        # One call a group, so that nothing of it stays referenced while the thread waits for the next.
        first = self._queue.get()
        if first is None:
            return False
        with self._turn:
            group = self._serve_group(first)
        for job in group:
            job.resolve()
        return True

    def _serve_here(self, job: _Job) -> bool:
        """Serve a job, and those that wait, in the caller's thread; not where he would have to wait for his turn."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if self._closed:
                return False
            group = self._serve_group(job, wait=False)
        except BlockingIOError:
            return False
        finally:
            self._turn.release()
        for served in group:
            served.resolve()
        return True

    def _serve_group(self, first: _Job, *, wait: bool = True) -> list[_Job]:
        """Commit a group and return it. Raises `BlockingIOError` instead of waiting for another process."""
        group: list[_Job] = []
        try:
            with exclusive(self._lock_file, wait=wait):
                self._worker = threading.get_ident()
                group = self._gather(first)
                self._commit(group)
        except BlockingIOError:
            raise
        except OSError as error:
            group = group or self._gather(first)
            _fail_all(group, Unavailable(f"the catalog's lock does not answer ({error.strerror})"))
        finally:
            self._worker = None
        return group

    def _gather(self, first: _Job) -> list[_Job]:
        """Take what waits, but for what was cancelled meanwhile. Called when it is our turn: more have come by then."""
        group = [first]
        with suppress(Empty):
            while len(group) < MOST_AT_ONCE:
                job = self._queue.get_nowait()
                if job is None:
                    self._queue.put(None)
                    break
                group.append(job)
        return [job for job in group if job.future.set_running_or_notify_cancel()]

    def _commit(self, group: list[_Job]) -> None:
        """Leave in every job of the group what became of it."""
        try:
            self._transact(group)
            if self._ballast is not None:
                self._ballast.take()
        except StorageFull as error:
            if len(group) > 1:
                # One of them may be too large for the room that is left: the others get their chance alone.
                for job in group:
                    self._commit([job])
            elif group[0].frees_room and self._ballast is not None and self._ballast.give_up():
                self._commit(group)
            else:
                _fail_all(group, error)
        except Exception as error:  # noqa: BLE001  every caller is told; the thread has others to serve
            _fail_all(group, error)

    def _transact(self, group: list[_Job]) -> None:
        try:
            with engine_errors_translated():
                connection = self._connected()
                connection.execute("BEGIN IMMEDIATE")
                if not all(job.attempt(connection) for job in group):
                    connection.execute("ROLLBACK")
                    if len(group) == 1:
                        return
                    connection.execute("BEGIN IMMEDIATE")
                    for job in group:
                        job.attempt_apart(connection)
                connection.execute("COMMIT")
        except StorageFull:
            raise  # the engine has rolled back, and its files are in order
        except BaseException:
            # Which rolls back as well, and a disk that comes back is met with fresh files.
            self._disconnect()
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


class SqliteTransaction:
    """The `Transaction` of one work."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._failed: BaseException | None = None
        self.makes_room = False

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Run one statement."""
        if self._connection is None:
            raise RuntimeError("the work of this transaction has ended")
        self.refuse_after_failure()
        try:
            return run(self._connection, sql, params)
        except Invalid:
            raise  # refused before the engine saw it
        except (sqlite3.Error, VaultError) as error:
            self._failed = error
            raise

    def lock(self, table: str, row_id: int) -> None:  # noqa: ARG002  engines with row locks need it
        """Check the name alone: `BEGIN IMMEDIATE` holds the whole file against other writers already."""
        checked_table(table)

    def last_id(self, table: str) -> int:
        """Look where AUTOINCREMENT keeps it."""
        found = self.query("SELECT seq FROM sqlite_sequence WHERE name = :table", table=checked_table(table))
        return int(found[0]["seq"]) if found else 0

    def continue_ids(self, table: str, last: int) -> None:
        """Write it where AUTOINCREMENT keeps it; rows that came with their ids have done so already."""
        if last > self.last_id(table):
            self.query("DELETE FROM sqlite_sequence WHERE name = :table", table=table)
            self.query("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)", table=table, last=last)

    def frees_room(self) -> None:
        """Let the work have the room that is kept back, when there is no other."""
        self.makes_room = True

    def refuse_after_failure(self) -> None:
        """Raise again what a statement raised, as engines do that give up a transaction with its first error."""
        if self._failed is not None:
            raise self._failed

    def end(self) -> None:
        """Let go of the connection."""
        self._connection = None


@dataclass(slots=True, eq=False)
class _Job:
    """A work, whom to tell, and what became of it."""

    work: Callable[[Transaction], Any]
    future: Future[Any]
    result: Any = None
    error: BaseException | None = None
    frees_room: bool = False

    def attempt(self, connection: sqlite3.Connection) -> bool:
        """Run the work, and say whether what it did is to stay; what it raises is kept for its caller."""
        self.result = self.error = None
        transaction = SqliteTransaction(connection)
        try:
            self.result = self.work(transaction)
            transaction.refuse_after_failure()
        except BaseException as error:  # noqa: BLE001  it is its caller's, whatever it is
            self.error = error
        finally:
            self.frees_room = transaction.makes_room
            transaction.end()
        if not connection.in_transaction:
            _refuse_group(self.error)
        return self.error is None

    def attempt_apart(self, connection: sqlite3.Connection) -> None:
        """Run the work in a savepoint, so that when it fails it is undone alone."""
        connection.execute("SAVEPOINT work")
        if not self.attempt(connection):
            connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")

    def resolve(self) -> None:
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


def _refuse_group(error: BaseException | None) -> NoReturn:
    """Raise for all works of a group what made the engine drop their transaction under one of them."""
    if isinstance(error, Unavailable):
        raise error
    raise Unavailable("the catalog gave up a transaction") from error


def _fail_all(group: list[_Job], error: Exception) -> None:
    for job in group:
        # One exception each: they are raised in different threads, and raising changes them.
        job.error = copy(error)
        job.error.__cause__ = error


@contextmanager
def exclusive(lock_file: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock that orders the writing processes; the kernel frees it when its holder dies.

    Without `wait` it raises `BlockingIOError` when another process has it.
    """
    fd = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        # Said aloud, as closing frees it only when no child between fork and exec has it too.
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)
        with suppress(OSError):
            os.close(fd)
