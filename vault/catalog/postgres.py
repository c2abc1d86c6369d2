"""The catalog in PostgreSQL: for any number of servers, on any number of machines.

Works run at the same time, each in a transaction of its own on a connection of the process's pool, at READ COMMITTED:
what counts and then writes takes a row's lock first. The database's own encoding has to be UTF8; its collation does not
matter, as every column of text has one of its own.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from random import random
from typing import TYPE_CHECKING, TypeVar

import psycopg

from vault import clock
from vault.catalog.postgres_connections import Connections
from vault.catalog.postgres_statements import (
    Interrupted,
    PostgresSnapshot,
    Taken,
    engine_errors_translated,
    run,
    worded,
)
from vault.catalog.postgres_works import FORGET, TABLE, attempt
from vault.catalog.recent import Known
from vault.catalog.schema import MIGRATIONS
from vault.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vault.catalog.database import Row, Scalar, Transaction
    from vault.catalog.postgres_statements import Connection
    from vault.catalog.schema import Migration

T = TypeVar("T")

ATTEMPTS = 5
# "secure-files" in 64 bits: which programs may not migrate at the same time.
_MIGRATING = 0x7365637572652D66


class PostgresDatabase:
    """A `Database` in PostgreSQL 13 or newer, at a libpq `url` (`postgresql://user@host/database`).

    `connections` is how many this process may have open; `patience` the seconds that a call waits for one of them.
    What `url` leaves out comes from libpq's own places (`PGPASSWORD`, `~/.pgpass`, a service file).
    """

    reads_are_quick = False

    def __init__(self, url: str, *, connections: int = 8, patience: float = 10.0) -> None:
        self._connections = Connections(url, connections, patience)
        self._working = threading.local()
        self._queue = ThreadPoolExecutor(1, thread_name_prefix="catalog-writer")
        self._closed = False

    def migrate(self, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        """Apply what is missing in one transaction, under a lock of the database's: others wait, and find it done."""
        self._refuse()
        with self._connections.one() as connection, engine_errors_translated(connection), _schema(connection):
            _require_utf8(connection)
            applied = _applied(connection)
            _refuse_newer(applied, {migration.name for migration in migrations})
            for migration in migrations:
                if migration.name not in applied:
                    _apply(connection, migration)
            connection.execute(FORGET)

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Read on a connection that no other thread uses meanwhile; a read that is broken off is asked again."""
        self._refuse()
        return self._repeated(lambda: self._read(sql, params))

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run the work in this thread. A deadlock or a lost connection before the commit has it run again."""
        self._refuse()
        return self._write(work)

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Queue the work for a thread of its own, which runs one after the other."""
        self._refuse()
        try:
            return self._queue.submit(self._write, work)
        except RuntimeError:
            raise Unavailable("the catalog is closed") from None

    def begin(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Run the work in this thread."""
        future: Future[T] = Future()
        try:
            future.set_result(self.write(work))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future

    def known(self) -> Known:
        """Return an empty place: whether something was committed is known in the database alone."""
        self._refuse()
        return Known()

    def hold(self) -> None:
        """Do nothing: there is no question to spare."""

    def release(self) -> None:
        """Do nothing."""

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """Read in one transaction at REPEATABLE READ, on a connection of the pool's."""
        self._refuse()
        with self._connections.one() as connection:
            with engine_errors_translated(connection):
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                # Whoever makes something of the rows takes his time between them.
                connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                connection.execute("SET LOCAL statement_timeout = 0")
                connection.execute("SELECT 1")  # the moment is that of the first statement
            try:
                yield PostgresSnapshot(connection)
            finally:
                with suppress(psycopg.Error):
                    connection.execute("ROLLBACK")

    def faults(self) -> list[str]:
        """Return nothing: PostgreSQL looks itself over with `pg_amcheck`, and tells of bad pages when they are read."""
        self._refuse()
        return []

    def close(self) -> None:
        """End the works that are queued, and let go of the connections."""
        self._refuse_inside_a_work()
        self._closed = True
        self._queue.shutdown(wait=True)
        self._connections.close()

    def _read(self, sql: str, params: dict[str, Scalar]) -> list[Row]:
        with self._connections.one() as connection:
            return run(connection, sql, params)

    def _write(self, work: Callable[[Transaction], T]) -> T:
        self._working.now = True
        try:
            return self._repeated(lambda: attempt(self._connections, work))
        except Taken:
            # It may have looked before another committed the row: now it sees it, and says so in its own words.
            return self._repeated(lambda: attempt(self._connections, work))
        finally:
            self._working.now = False

    @staticmethod
    def _repeated(call: Callable[[], T]) -> T:
        for times in range(1, ATTEMPTS):
            try:
                return call()
            except Interrupted:
                # Of two that met in a deadlock, one comes back later than the other.
                time.sleep(random() * 0.02 * times)  # noqa: S311 - no secret
        return call()

    def _refuse(self) -> None:
        self._refuse_inside_a_work()
        if self._closed:
            raise Unavailable("the catalog is closed")

    def _refuse_inside_a_work(self) -> None:
        if getattr(self._working, "now", False):
            raise RuntimeError("inside a work only its transaction may be used")


@contextmanager
def _schema(connection: Connection) -> Iterator[None]:
    """Hold the schema alone for the length of the block: all that is done in it is kept, or nothing."""
    connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
    try:
        # A large table takes its time; so does who has the lock.
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock($1)", [_MIGRATING])
        yield
        connection.execute("COMMIT")
    except BaseException:
        if not connection.closed:
            connection.execute("ROLLBACK")
        raise


def _require_utf8(connection: Connection) -> None:
    [row] = run(connection, "SELECT current_setting('server_encoding') AS encoding", {})
    if row["encoding"] != "UTF8":
        raise Unavailable(
            f"the database has the encoding {row['encoding']}, which cannot hold every name: "
            "make it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def _applied(connection: Connection) -> set[str]:
    """Return the names of the migrations that the catalog has; a new one is given the tables of the driver's own."""
    # Looked for first: who may not make tables may still use a catalog that lacks none.
    [row] = run(connection, "SELECT to_regclass('migrations') IS NULL AS lacking", {})
    if row["lacking"]:
        run(connection, worded("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)"), {})
        run(connection, worded(TABLE), {})
    return {str(row["name"]) for row in run(connection, "SELECT name FROM migrations", {})}


def _refuse_newer(applied: set[str], known: set[str]) -> None:
    if unknown := sorted(applied - known):
        raise Conflict(
            f"the catalog was made by a newer program (migration {', '.join(unknown)} is unknown here): run that one"
        )


def _apply(connection: Connection, migration: Migration) -> None:
    for statement in migration.statements:
        connection.execute(worded(statement).encode())
    run(
        connection,
        "INSERT INTO migrations (name, applied_at) VALUES (:name, :now)",
        {"name": migration.name, "now": clock.now()},
    )
