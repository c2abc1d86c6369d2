"""One work in one PostgreSQL transaction, and what became of it when the answer to its COMMIT was lost."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import psycopg

from vault.catalog.database import checked, checked_table
from vault.catalog.postgres_statements import Interrupted, Taken, engine_errors_translated, run
from vault.errors import Unavailable, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault.catalog.database import Row, Scalar, Transaction
    from vault.catalog.postgres_connections import Connections
    from vault.catalog.postgres_statements import Connection

T = TypeVar("T")

LOOKING_SECONDS = 10.0
_PAUSE_SECONDS = 0.1

TABLE = """CREATE TABLE last_works (
    connection TEXT PRIMARY KEY, work TEXT NOT NULL, at TIMESTAMPTZ NOT NULL) WITH (fillfactor = 50)"""
"""Which work each connection committed last: all that tells, after the answer to a COMMIT was lost.

The engine's own transaction numbers do not: after a crash they are given out again, to works that are committed.
"""
FORGET = "DELETE FROM last_works WHERE at < now() - INTERVAL '1 day'"
# In one message, so that the mark costs no round trip; both names are made of hexadecimal digits. The row is held until
# the transaction ends: who looks for the mark waits for an engine that has not read the COMMIT yet.
_BEGIN = """BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    INSERT INTO last_works (connection, work, at) VALUES ('{connection}', '{work}', now())
    ON CONFLICT (connection) DO UPDATE SET work = excluded.work, at = excluded.at"""
_LAST_ID = "SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, 'id')::regclass) AS last"
_CONTINUE_IDS = "SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"
_LOOK = """INSERT INTO last_works (connection, work, at) VALUES (:connection, '', now())
    ON CONFLICT (connection) DO UPDATE SET work = last_works.work RETURNING work"""


class PostgresTransaction:
    """The `Transaction` of one work."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._failed: BaseException | None = None

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Run one statement of the work."""
        if self._connection is None:
            raise RuntimeError("the work of this transaction has ended")
        self.refuse_after_failure()
        values = checked(params)  # what is refused here the engine never sees
        try:
            return run(self._connection, sql, values)
        except (psycopg.Error, VaultError) as error:
            self._failed = error
            raise

    def lock(self, table: str, row_id: int) -> None:
        """Lock the row; rows that refer to it may still come and go, which is all that FOR UPDATE would stop beside."""
        self.query(f"SELECT id FROM {checked_table(table)} WHERE id = :id FOR NO KEY UPDATE", id=row_id)  # noqa: S608

    def last_id(self, table: str) -> int:
        """Ask the sequence; rows that came with their ids it does not know of."""
        [row] = self.query(_LAST_ID, table=checked_table(table))
        return int(row["last"] or 0)

    def continue_ids(self, table: str, last: int) -> None:
        """Set the sequence."""
        if last > self.last_id(table):
            self.query(_CONTINUE_IDS, table=table, last=last)

    def frees_room(self) -> None:
        """Nothing is kept back here for a full disk."""

    def refuse_after_failure(self) -> None:
        """Raise again what a statement raised: the engine has given the transaction up."""
        if self._failed is not None:
            raise self._failed

    @property
    def reason_to_repeat(self) -> Interrupted | Taken | None:
        """Return why the same work may do well when it is run again, whatever it made of the error."""
        return self._failed if isinstance(self._failed, Interrupted | Taken) else None

    def end(self) -> None:
        """Let go of the connection."""
        self._connection = None


def attempt(connections: Connections, work: Callable[[Transaction], T]) -> T:
    """Run the work once in a transaction and return its result when that is durable.

    Raises `Interrupted` when nothing of it is kept and it may be run again, `Unavailable` when the engine refuses the
    commit or it cannot be found out in `LOOKING_SECONDS` whether there was one.
    """
    with connections.one() as connection:
        mark = _begin(connection)
        transaction = PostgresTransaction(connection)
        try:
            result = work(transaction)
            transaction.refuse_after_failure()
        except BaseException as error:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            if (reason := transaction.reason_to_repeat) not in (None, error):
                raise reason from error
            raise
        finally:
            transaction.end()
        if _commit(connection):
            return result
    # Outside the block: the broken connection is given back, and another looks.
    if not _was_committed(connections, mark):
        raise Interrupted("the catalog broke off before a commit")
    return result


class _Mark(NamedTuple):
    """The name of a connection, and of the work that it commits."""

    connection: str
    work: str


def _begin(connection: Connection) -> _Mark:
    mark = _Mark(connection.name, token_hex(8))
    with engine_errors_translated(connection):
        connection.execute(_BEGIN.format(**mark._asdict()).encode())
    return mark


def _commit(connection: Connection) -> bool:
    """Commit; False when the connection broke before the answer came. Raises what the engine refuses it for."""
    try:
        with engine_errors_translated(connection):
            answer = connection.execute("COMMIT").statusmessage
    except VaultError:
        if connection.closed:
            return False
        raise
    if answer != "COMMIT":
        raise Unavailable("the catalog gave up a transaction")
    return True


def _was_committed(connections: Connections, mark: _Mark) -> bool:
    """Look up, as soon as the engine answers again, what became of a work."""
    deadline = time.monotonic() + LOOKING_SECONDS
    while True:
        try:
            with connections.one() as connection, _short_transaction(connection):
                [row] = run(connection, _LOOK, {"connection": mark.connection})
                return bool(row["work"] == mark.work)
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise Unavailable("the catalog does not say whether a work is kept") from error
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def _short_transaction(connection: Connection) -> Iterator[None]:
    with engine_errors_translated(connection):
        connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '1s'")
        try:
            yield
        finally:
            # It has nothing to keep: the row was asked for, not changed.
            if not connection.closed:
                connection.execute("ROLLBACK")
