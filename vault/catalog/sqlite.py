"""The catalog in one SQLite file: readers that never wait, and one writer at a time.

The file is in WAL mode: a read takes some microseconds on a connection kept open, whoever writes meanwhile. Commits
are synced (`synchronous=FULL`) and shared by those who wait (`vault/catalog/sqlite_writer.py`).
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import sqlite_utils
from sqlite_utils.migrations import Migrations

from vault.catalog.schema import MIGRATIONS
from vault.catalog.sqlite_recent import Recent
from vault.catalog.sqlite_statements import SqliteSnapshot, engine_errors_translated, lacks_room, run
from vault.catalog.sqlite_writer import GroupWriter, exclusive
from vault.errors import Conflict, Damaged, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from vault.ballast import Ballast
    from vault.catalog.database import Row, Scalar, Transaction
    from vault.catalog.recent import Known
    from vault.catalog.schema import Migration

T = TypeVar("T")

TYPES = {"ID": "INTEGER PRIMARY KEY AUTOINCREMENT", "INT": "INTEGER", "BLOB": "BLOB"}
"""How SQLite words the types of the schema. Without AUTOINCREMENT a deleted row's id is given to the next."""

_EVERY_CONNECTION = (
    "foreign_keys=ON",
    "temp_store=MEMORY",  # nothing of the catalog lies about in temporary files
)
_READER = ("query_only=ON", "cache_size=-4096")
_WRITER = (
    "journal_mode=WAL",
    "synchronous=FULL",  # NORMAL loses acknowledged commits when the power fails
    "wal_autocheckpoint=1000",
    "journal_size_limit=67108864",  # a log that grew during a long backup shrinks again
    "secure_delete=ON",  # a deleted row's wrapped key is overwritten, not only unlinked
    "cache_size=-16384",
)


class SqliteDatabase:
    """A `Database` in the file `path`, made by `migrate`.

    `busy_timeout` (seconds) is how long a writer waits for programs that hold SQLite's own lock, such as its shell;
    `patience` how long `write` waits for its turn. Both end in `Unavailable`. `ballast` is given up for a work that
    frees room, or to open the catalog at all, on a full disk, and taken again once there is room.
    """

    reads_are_quick = True

    def __init__(
        self, path: Path, *, busy_timeout: float = 5.0, patience: float = 20.0, ballast: Ballast | None = None
    ) -> None:
        self._path = path.absolute()
        self._lock_file = self._path.with_name(self._path.name + ".writer-lock")
        self._busy_timeout = busy_timeout
        self._patience = patience
        self._closed = False
        # The connection used last is taken first: its cache is warm. There are never more than reads at one time.
        self._readers: deque[sqlite3.Connection] = deque()
        self._recent = Recent(lambda: self._connect(_READER).conn)
        self._ballast = ballast
        self._writer = GroupWriter(lambda: self._connect(_WRITER).conn, self._lock_file, ballast)

    def migrate(self, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        """Apply what is missing, under the writers' lock: two processes at once would fail on the same statement."""
        self._refuse_when_closed()
        try:
            self._migrate(migrations)
        except Unavailable as error:
            # On a full disk the catalog cannot be opened even for reading.
            if self._ballast is None or not lacks_room(error) or not self._ballast.give_up():
                raise
            self._migrate(migrations)
        if self._ballast is not None:
            self._ballast.take()

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        steps = _steps(migrations)
        try:
            for file in (self._path, self._lock_file):
                _make_private_file(file)
            with exclusive(self._lock_file), engine_errors_translated(), closing(self._connect(_WRITER)) as database:
                _refuse_newer(database, steps, {migration.name for migration in migrations})
                steps.apply(database)
        except OSError as error:
            raise Unavailable(f"the catalog's file cannot be made ({error.strerror})") from error

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Read on a connection that no other thread uses meanwhile."""
        self._writer.refuse_inside_a_work()
        reader = self._take_reader()
        try:
            return run(reader, sql, params)
        finally:
            self._give_back(reader)

    def known(self) -> Known:
        """Ask a connection of its own whether another one has committed."""
        return self._recent.known()

    def hold(self) -> None:
        """Ask once for all that this thread does until `release`, and commit together what it submits."""
        self._recent.hold()
        self._writer.hold()

    def release(self) -> None:
        """Have `known` ask again; the commit may begin."""
        self._recent.release()
        self._writer.release()

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Wait for the work's turn and its commit."""
        future = self._writer.begin(work)
        try:
            return future.result(self._patience)
        except TimeoutError:
            # It may be the work's own: then, as when its turn has come by now, it cannot be cancelled any more.
            if future.cancel():
                raise Unavailable("the catalog is busy") from None
            return future.result()

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Queue the work for the writer's thread."""
        return self._writer.submit(work)

    def begin(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Do all of it here while nobody else works, else queue it for the writer's thread."""
        return self._writer.begin(work)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file, as far as readers permit; the last `close` does so as well."""
        self._refuse_when_closed()
        with engine_errors_translated(), closing(self._connect(_WRITER)) as database:
            database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """Read in one transaction on a connection of its own: the log keeps what is older than it for so long."""
        self._refuse_when_closed()
        with engine_errors_translated():
            connection = self._connect(_READER).conn
        try:
            with engine_errors_translated():
                connection.execute("BEGIN")
                connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()  # the moment is that of a read
            yield SqliteSnapshot(connection)
        finally:
            connection.close()

    def faults(self) -> list[str]:
        """Have SQLite compare pages, indexes and what rows refer to."""
        self._refuse_when_closed()
        try:
            with engine_errors_translated(), closing(self._connect(_READER)) as database:
                told = [row[0] for row in database.conn.execute("PRAGMA integrity_check") if row[0] != "ok"]
                for table, row, other, _ in database.conn.execute("PRAGMA foreign_key_check"):
                    told.append(f"row {row} of {table} refers to a row of {other} that is missing")
        except Damaged as error:
            return [str(error)]
        return told

    def close(self) -> None:
        """End the reads and the writes under way; the last connection of all moves the log into the file."""
        self._closed = True
        self._recent.close()
        self._close_idle_readers()
        self._writer.close()

    def _take_reader(self) -> sqlite3.Connection:
        self._refuse_when_closed()
        try:
            return self._readers.pop()
        except IndexError:
            with engine_errors_translated():
                return self._connect(_READER).conn

    def _give_back(self, reader: sqlite3.Connection) -> None:
        self._readers.append(reader)
        if self._closed:  # looked at after the append: either close() found it, or we do
            self._close_idle_readers()

    def _close_idle_readers(self) -> None:
        with suppress(IndexError):
            while True:
                self._readers.pop().close()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Unavailable("the catalog is closed")

    def _connect(self, pragmas: Iterable[str]) -> sqlite_utils.Database:
        """Open the file, which has to be there; transactions are begun by hand."""
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self._path))}?mode=rw",
            uri=True,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            for pragma in (*_EVERY_CONNECTION, *pragmas):
                connection.execute(f"PRAGMA {pragma}")
            # Plugins of other programs' sqlite-utils have no business here.
            return sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
        except BaseException:
            connection.close()
            raise


def _steps(migrations: Iterable[Migration]) -> Migrations:
    steps = Migrations("vault")
    for migration in migrations:
        steps(name=migration.name)(_step(migration.statements))
    return steps


def _step(statements: Iterable[str]) -> Callable[[sqlite_utils.Database], None]:
    def apply(database: sqlite_utils.Database) -> None:
        for statement in statements:
            database.conn.execute(_worded(statement))

    return apply


def _worded(statement: str) -> str:
    for word, type_name in TYPES.items():
        statement = statement.replace(f"{{{word}}}", type_name)
    return statement


def _refuse_newer(database: sqlite_utils.Database, steps: Migrations, known: set[str]) -> None:
    unknown = [applied.name for applied in steps.applied(database) if applied.name not in known]
    if unknown:
        raise Conflict(
            f"the catalog was made by a newer program (migration {', '.join(unknown)} is unknown here): run that one"
        )


def _make_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read, durable by name; SQLite gives its log the same mode."""
    with suppress(FileExistsError):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.fchmod(fd, 0o600)  # whatever the umask took away
        os.close(fd)
        _sync(path.parent)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
