"""What the catalog asks of a database engine: two calls, the same SQL text on every engine.

Statements are constants with `:name` parameters in the common subset of SQLite and PostgreSQL. Times are UTC text
with milliseconds (`2026-02-22T22:22:22.222Z`), JSON is text, booleans are integers 0 and 1. Drivers are held to
this contract by `tests/database_suite.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Scalar = str | int | float | bytes | None
Row = dict[str, Any]

T = TypeVar("T")


class Transaction(Protocol):
    """One piece of work inside a durable transaction."""

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Run one statement and return its rows (those of `RETURNING` for a write)."""

    def lock(self, table: str, row_id: int) -> None:
        """Hold `row_id` of `table` against other writers until the transaction ends: taken before count-then-write."""


class Database(Protocol):
    """A catalog engine. Safe to use from any thread."""

    reads_are_quick: bool
    """A read takes microseconds and never waits for a writer or a network: it may run on the event loop."""

    def query(self, sql: str, /, **params: Scalar) -> list[Row]:
        """Run one reading statement outside any transaction. Raises `Unavailable`."""

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        `work` is SQL only and may run twice; what it raises rolls its own changes back and is raised here. Raises
        `StorageFull` or `Unavailable` when the engine refuses the commit: then nothing of it is kept.
        """

    def close(self) -> None:
        """Let go of every connection; calls after it are an error."""
