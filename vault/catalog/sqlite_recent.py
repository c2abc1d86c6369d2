"""Whether anybody has committed since: what was read before is then read again.

A token that was revoked, by whatever process, is refused by the next request: SQLite tells of another connection's
commit in less time than one row takes to read (https://sqlite.org/pragma.html#pragma_data_version).
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from vault.catalog.recent import Known
from vault.catalog.sqlite_statements import raise_translated
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable


class Recent:
    """Gives out the same `Known` until there is a commit. `connect` opens the connection that is asked, and owned."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._version: int | None = None
        self._known = Known()
        self._holder: int | None = None

    def known(self) -> Known:
        """Return what is known of the catalog as it is now. Raises `Unavailable`."""
        if self._holder == threading.get_ident():
            return self._known
        with self._lock:
            version = self._asked()
            if version != self._version:
                self._version, self._known = version, Known()
            return self._known

    def hold(self) -> None:
        """Let the present be what it is now for this thread, until `release`; for one thread. Raises `Unavailable`."""
        self._holder = None
        self.known()
        self._holder = threading.get_ident()

    def release(self) -> None:
        """Ask again from now on."""
        self._holder = None

    def _asked(self) -> int:
        if self._closed:
            raise Unavailable("the catalog is closed")
        try:
            if self._connection is None:
                self._connection = self._connect()
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise_translated(error)

    def close(self) -> None:
        """Close the connection and forget everything."""
        with self._lock:
            self._closed, self._known, self._holder = True, Known(), None
            if self._connection is not None:
                self._connection.close()
