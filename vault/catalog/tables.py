"""Every table of the schema and how its rows are taken along: read out of the migrations, so that none is forgotten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.catalog.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vault.catalog.database import Row, Scalar, Transaction
    from vault.catalog.schema import Migration

_CREATE = re.compile(r"CREATE TABLE (\w+) \((.*)\)", re.DOTALL)
_DROP = re.compile(r"DROP TABLE (\w+)")
_COMPOUND_KEY = re.compile(r"PRIMARY KEY \(([^)]*)\)")
_SIMPLE_KEY = re.compile(r"(\w+) (?:TEXT|\{INT\}) PRIMARY KEY|(\w+) \{ID\}")
AT_ONCE = 100
"""Rows read and written with one statement; one may hold a sealed object of 64 KiB."""


@dataclass(frozen=True)
class Table:
    """A table, the columns of its primary key, and whether it gives its ids out itself."""

    name: str
    key: tuple[str, ...]
    numbered: bool

    def first_rows(self) -> str:
        """Return what reads the first rows in the order of the key."""
        return f"SELECT * FROM {self.name} ORDER BY {self._key()} LIMIT :most"  # noqa: S608

    def all_rows(self) -> str:
        """Return what reads all rows in the order of the key."""
        return f"SELECT * FROM {self.name} ORDER BY {self._key()}"  # noqa: S608

    def next_rows(self) -> str:
        """Return what reads those behind the row whose key is given as `:after_COLUMN`."""
        after = ", ".join(f":after_{column}" for column in self.key)
        begin = f"SELECT * FROM {self.name} WHERE ({self._key()}) > ({after})"  # noqa: S608
        return f"{begin} ORDER BY {self._key()} LIMIT :most"

    def insert(self, columns: Sequence[str], rows: int) -> str:
        """Return what adds so many rows; the value of a column is given as `:COLUMN_NUMBER`."""
        names = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join(f"({', '.join(f':{column}_{number}' for column in columns)})" for number in range(rows))
        return f"INSERT INTO {self.name} ({names}) VALUES {values}"  # noqa: S608

    def _key(self) -> str:
        return ", ".join(f'"{column}"' for column in self.key)


def tables(migrations: Iterable[Migration] = MIGRATIONS) -> tuple[Table, ...]:
    """Return the tables that there are after the migrations, each behind those that it refers to."""
    found: dict[str, Table] = {}
    for statement in (each for migration in migrations for each in migration.statements):
        if made := _CREATE.match(statement):
            found[made[1]] = _table(made[1], made[2])
        elif dropped := _DROP.match(statement):
            del found[dropped[1]]
    return tuple(found.values())


def _table(name: str, columns: str) -> Table:
    if compound := _COMPOUND_KEY.search(columns):
        return Table(name, tuple(column.strip() for column in compound[1].split(",")), numbered=False)
    if simple := _SIMPLE_KEY.search(columns):
        return Table(name, (simple[1] or simple[2],), numbered=bool(simple[2]))
    raise ValueError(f"the table {name} has no key by which its rows can be read one after the other")


def copy_rows(reading: Transaction, writing: Transaction) -> dict[str, int]:
    """Copy every row of one catalog into another that has none, with its id; return how many there are in each table.

    Ids given out later are greater than any that were. Raises `Conflict` when a row is there already.
    """
    return {table.name: _copy(table, reading, writing) for table in tables()}


def _copy(table: Table, reading: Transaction, writing: Transaction) -> int:
    copied = 0
    for rows in pages(table, reading):
        columns = list(rows[0])
        values = {f"{column}_{number}": row[column] for number, row in enumerate(rows) for column in columns}
        writing.query(table.insert(columns, len(rows)), **values)
        copied += len(rows)
    if table.numbered:
        writing.continue_ids(table.name, reading.last_id(table.name))
    return copied


def pages(table: Table, reading: Transaction, most: int = AT_ONCE) -> Iterator[list[Row]]:
    """Yield the rows of a table in the order of its key, so many at a time."""
    rows = reading.query(table.first_rows(), most=most)
    while rows:
        yield rows
        after: dict[str, Scalar] = {f"after_{column}": rows[-1][column] for column in table.key}
        rows = reading.query(table.next_rows(), most=most, **after)
