"""What the catalog asks of a database engine: two calls, the same SQL text on every engine.

Statements are constants with `:name` parameters in the common subset of SQLite and PostgreSQL. Times are UTC text
with milliseconds (`2026-02-22T22:22:22.222Z`), JSON is text, booleans are integers 0 and 1. Drivers are held to
this contract by `tests/database_suite.py`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from vault.catalog.schema import MIGRATIONS
from vault.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from vault.catalog.recent import Known
    from vault.catalog.schema import Migration

Scalar = str | int | float | bytes | None
Row = dict[str, Any]

T = TypeVar("T")

_INT64 = -(1 << 63), (1 << 63) - 1
_TABLE = re.compile(r"[a-z_]+")


class Transaction(Protocol):
    """One piece of work inside a durable transaction; of no use once the work has returned."""

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Run one statement and return its rows (those of `RETURNING` for a write).

        Raises `Conflict` when the statement breaks a unique or foreign key, `Invalid` for a parameter that not every
        engine can hold (see `checked`). A statement that failed in the engine ends the work: whatever it asks
        afterwards, and its return, raise the same error. To insert what may be there already, say `ON CONFLICT`.
        """

    def lock(self, table: str, row_id: int) -> None:
        """Hold `row_id` of `table` against other writers until the transaction ends: taken before count-then-write."""

    def last_id(self, table: str) -> int:
        """Return the last id that a table with `{ID}` gave out, of a row that may be gone; 0 when there was none."""

    def continue_ids(self, table: str, last: int) -> None:
        """Have the ids that the table gives out from now on be greater than `last`: after rows came with theirs."""

    def frees_room(self) -> None:
        """Say that this work makes room: on a full disk an engine may use what it keeps back for such works."""


class Snapshot(Protocol):
    """The catalog as it was at one moment, whatever is written meanwhile; of no use after its block."""

    def rows(self, sql: str, /, **params: Scalar) -> Iterator[Row]:
        """Run one reading statement and yield its rows, few in memory at a time. One statement at a time."""

    def last_id(self, table: str) -> int:
        """Return the highest id that `table` (with an `{ID}`) ever gave out, 0 when it gave out none."""


class Database(Protocol):
    """A catalog engine. Safe to use from any thread, but never from inside a work: that raises `RuntimeError`."""

    reads_are_quick: bool
    """A read takes microseconds and never waits for a writer or a network: it may run on the event loop."""

    def migrate(self, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        """Make the catalog if there is none and apply what it lacks; any number of processes may do so at once.

        Raises `Conflict` when the catalog has a migration that is not in `migrations`: a newer program made it.
        """

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Run one reading statement outside any transaction. Raises `Unavailable`, and `Invalid` as a work does."""

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        `work` is SQL only and may run twice; what it raises rolls its own changes back and is raised here. Raises
        `StorageFull` or `Unavailable` when the engine refuses the commit: then nothing of it is kept.
        """

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Queue `work` and return at once; `write(work)` is `submit(work).result()` with a limit on the waiting.

        For an event loop: `await asyncio.wrap_future(database.submit(work))` needs no thread of its own. A future
        cancelled before its work began is never run; afterwards it cannot be cancelled.
        """

    def begin(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Do `work` in this thread, or queue it where it would have to wait for others: then the thread is free.

        For a caller who has others to serve than the one who waits for the future.
        """

    def known(self) -> Known:
        """Return a place for what is made of rows: the same one until anybody commits something, then an empty one.

        An engine that cannot tell that for less than a read gives out an empty one each time. Raises `Unavailable`.
        """

    def hold(self) -> None:
        """Have `known`, called by this thread, go by what is so now until `release`: it costs a question each time.

        What the thread submits meanwhile may be kept until then: it shall not wait for it. For one thread, and for so
        short that nobody can tell. Raises `Unavailable`.
        """

    def release(self) -> None:
        """Have `known` ask again, and what was submitted begin."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read many rows as they are at one moment, while others write."""

    def faults(self) -> list[str]:
        """Read all that is stored and return a line for each thing that is damaged in the engine's own structures.

        Slow with much stored, and safe beside others. An engine that has no such look returns nothing.
        """

    def close(self) -> None:
        """Finish what is queued and let go of every connection; calls after it raise `Unavailable`."""


def checked(params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the parameters as plain values that every engine binds alike, booleans and enumerations as what they hold.

    Raises `Invalid` for text with a NUL or half a surrogate pair, an integer over 64 bits, a float that is no
    number; `TypeError` for anything that is not a `Scalar`.
    """
    return {name: _checked(value) for name, value in params.items()}


def checked_table(name: str) -> str:
    """Return `name`, which may then be part of a statement. Raises `ValueError`."""
    if _TABLE.fullmatch(name) is None:
        raise ValueError("a table's name is lower-case letters and underscores")
    return name


def _checked(value: Scalar) -> Scalar:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return _checked_text(value)
    if isinstance(value, int):
        if not _INT64[0] <= value <= _INT64[1]:
            raise Invalid("value", "is out of range")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("value", "is not a finite number")
        return value
    raise TypeError(f"a parameter cannot be of type {type(value).__name__}")


def _checked_text(value: str) -> str:
    if "\0" in value:
        raise Invalid("value", "must not contain NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Invalid("value", "is not valid Unicode") from None
    return str.__str__(value)
