"""One statement on one SQLite connection: rows as dictionaries, the engine's errors in the vault's words."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from vault.catalog.database import checked
from vault.errors import Conflict, Damaged, StorageFull, Unavailable, VaultError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vault.catalog.database import Row, Scalar

_UNIQUE = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NO_TEXT = "Could not decode to UTF-8"
_AWAY = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


def run(connection: sqlite3.Connection, sql: str, params: Mapping[str, Scalar]) -> list[Row]:
    """Run one statement to its end and return its rows."""
    values = checked(params)
    try:
        cursor = connection.execute(sql, values)
        found = cursor.fetchall()
    except sqlite3.Error as error:
        raise_translated(error)
    if not found:
        return []
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in found]


class SqliteSnapshot:
    """The `Snapshot` of a connection in a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, /, **params: Scalar) -> Iterator[Row]:
        """Step through the rows."""
        with engine_errors_translated():
            cursor = self._connection.execute(sql, checked(params))
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def last_id(self, table: str) -> int:
        """Look where AUTOINCREMENT keeps it."""
        rows = run(self._connection, "SELECT seq FROM sqlite_sequence WHERE name = :name", {"name": table})
        return int(rows[0]["seq"]) if rows else 0


@contextmanager
def engine_errors_translated() -> Iterator[None]:
    """Turn what the engine raises inside the block into the vault's errors, where there is one for it."""
    try:
        yield
    except sqlite3.Error as error:
        raise_translated(error)


def lacks_room(error: Unavailable) -> bool:
    """Say whether a full disk is the reason, the one with which a catalog cannot be opened included.

    That one is no `StorageFull`: met at a commit it does not tell whether the commit is in the log.
    """
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return isinstance(error, StorageFull) or code == sqlite3.SQLITE_IOERR_SHMSIZE


def raise_translated(error: sqlite3.Error) -> NoReturn:
    """Raise what an error of the engine's is called in the vault."""
    failure = _in_the_vaults_words(error)
    if failure is None:
        raise error
    raise failure from error


def _in_the_vaults_words(error: sqlite3.Error) -> VaultError | None:
    """Return the vault's error for one of the engine's; None when the statement itself is wrong, which is a bug.

    The text names tables and columns, never values.
    """
    extended: int = getattr(error, "sqlite_errorcode", 0)  # absent from what the module raises by itself
    code = extended & 0xFF
    if extended in _UNIQUE:
        return Conflict(f"there is a row with the same {str(error).rpartition(': ')[2]}")
    if extended == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return Conflict("a row that is referred to is missing, or one that is removed is still referred to")
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("there is no room for the catalog to grow")
    if code in _DAMAGED or str(error).startswith(_NO_TEXT):
        # What the module says of a text goes on with the text itself.
        return Damaged(f"the catalog is damaged ({_NO_TEXT if str(error).startswith(_NO_TEXT) else error})")
    if code in _AWAY:
        reason = "no room for its shared memory" if extended == sqlite3.SQLITE_IOERR_SHMSIZE else error
        return Unavailable(f"the catalog does not answer ({reason})")
    return None
