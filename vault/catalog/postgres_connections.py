"""The connections of one process to PostgreSQL: so many at most, kept open, found again after the engine was away."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from vault.catalog.postgres_statements import Connection, engine_errors_translated, prepare_connection, told
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

# The library tells of every connection that is taken, at a level that a server's log shows.
logging.getLogger("psycopg.pool").setLevel(logging.WARNING)

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
_DEFAULTS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "secure-files",
    # A host that is gone without a word is noticed within these seconds, not within hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# How long a caller waits before it asks whether the engine can be reached at all: two attempts of the pool's.
_GLANCE_SECONDS = 1.5
# The vault's own demands. A read cannot write; a work that its process never ends lets go of its locks; what is
# acknowledged is durable even where the database's owner thinks less of that. No statement is compiled: ours are over
# before that is done.
_CONFIGURE = f"""SELECT set_config('default_transaction_read_only', 'on', false),
    set_config('statement_timeout', '{STATEMENT_SECONDS}s', false),
    set_config('jit', 'off', false),
    set_config('idle_in_transaction_session_timeout', '{STATEMENT_SECONDS}s', false),
    set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END,
        false)"""


_UNREADABLE = (
    "the URL of PostgreSQL cannot be read: it is postgresql://user:password@host:port/database?option=value, "
    "with characters such as @ : / ? # % in a password written as %40 and so on"
)


def connection_settings(url: str) -> dict[str, Any]:
    """Return what `url` asks for over what every connection gets. Raises `ValueError`, without the URL's text."""
    scheme, mark, rest = url.partition(":")
    try:
        asked = conninfo_to_dict(f"{scheme.lower()}{mark}{rest}")
    except psycopg.Error:
        raise ValueError(_UNREADABLE) from None  # the library's own words may repeat a part of the password
    # A password with a bare @ ends up in the host, which messages name.
    if "@" in str(asked.get("host", "")) or not str(asked.get("port") or "0").replace(",", "").isdigit():
        raise ValueError(_UNREADABLE)
    return {**_DEFAULTS, **asked, "client_encoding": "UTF8"}


class Connections:
    """Lends connections to one thread at a time, `most` of them in all.

    `patience` is how many seconds a caller waits for one that others use. Nothing is opened before the first is asked
    for. Raises `Unavailable`: soon while the engine cannot be reached, and after `close`.
    """

    def __init__(self, url: str, most: int, patience: float) -> None:
        self._settings = connection_settings(url)
        self._patience = patience
        self._guard = threading.Lock()
        self._opened = self._closed = False
        self._renewed_at = 0.0
        self._refusal = _Refusal()
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            kwargs={**self._settings, "autocommit": True},
            connection_class=_telling(self._refusal),
            configure=_configure,
            min_size=0,
            max_size=most,
            open=False,
            name="catalog",
            # Tried again by whoever asks next: the library's own pauses would grow to minutes.
            reconnect_timeout=1.0,
            num_workers=2,
        )

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """Lend a connection for the length of the block; one that broke meanwhile is replaced."""
        connection = self._take()
        try:
            yield connection
        finally:
            if connection.closed:
                self._renew(connection)
            self._pool.putconn(connection)

    def close(self) -> None:
        """Close what is not lent, and the rest when it comes back."""
        with self._guard:
            self._closed = True
            if self._opened:
                self._pool.close()

    def refuse_when_closed(self) -> None:
        """Raise `Unavailable` after `close`."""
        if self._closed:
            raise Unavailable("the catalog is closed")

    def _take(self) -> Connection:
        self._open()
        deadline = time.monotonic() + self._patience
        while True:
            self._refusal.raise_when_lasting()
            try:
                return self._pool.getconn(timeout=_GLANCE_SECONDS)
            except PoolTimeout:
                self._refusal.raise_when_there()
                if time.monotonic() > deadline:
                    raise Unavailable("the catalog is busy: all connections to it are in use") from None
            except PoolClosed:
                raise Unavailable("the catalog is closed") from None

    def _open(self) -> None:
        if not self._opened:
            with self._guard:
                self.refuse_when_closed()
                self._pool.open()
                self._opened = True

    def _renew(self, broken: Connection) -> None:
        """Replace the idle connections too when one breaks that is as old as they are: the engine went away."""
        with self._guard:
            if self._closed or broken.born <= self._renewed_at:
                return
            self._renewed_at = time.monotonic()
        self._pool.drain()


class _Refusal:
    """Why the last attempts to connect failed; nothing once one succeeds."""

    def __init__(self) -> None:
        self._why = ""
        self._first = self._last = 0.0

    def note(self, why: str) -> None:
        self._last = time.monotonic()
        if not self._why:
            self._first = self._last
        self._why = why

    def raise_when_lasting(self) -> None:
        """Spare a caller the wait where others have waited in vain, but for one now and then, who asks again."""
        now = time.monotonic()
        if now - self._first > _GLANCE_SECONDS > now - self._last:
            self.raise_when_there()

    def raise_when_there(self) -> None:
        if self._why:
            raise Unavailable(f"the catalog does not answer ({self._why})")


def _telling(refusal: _Refusal) -> type[Connection]:
    """Return a class of connections that leaves word of how connecting went: the pool keeps that to itself."""

    class Telling(Connection):
        @classmethod
        def connect(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                made = super().connect(*args, **kwargs)
            except psycopg.Error as error:
                refusal.note(told(error))
                raise
            refusal.note("")
            return made

    return Telling


def _configure(connection: Connection) -> None:
    with engine_errors_translated(connection):
        connection.execute(_CONFIGURE)
    prepare_connection(connection)
