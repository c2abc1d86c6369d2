"""The catalog as text that every engine reads: what a backup holds, and how a vault moves from one engine to another.

One line of JSON for each row, an array of its values; before the rows of a table an object that names it, its columns
and the highest id it gave out. Bytes are `{"b64": "…"}`. Tables come in the order in which rows can be put back.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from vault.catalog.schema import MIGRATIONS, Migration
from vault.catalog.tables import tables
from vault.errors import Conflict, Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from vault.catalog.database import Database, Row, Snapshot, Transaction

# What is true of this engine, or of this store, at this moment, and of no copy.
PASSING = {"leases", "orphans", "removals", "repository_removals"}


def exported(snapshot: Snapshot, seen: Callable[[str, Row], object] = lambda _table, _row: None) -> Iterator[str]:
    """Yield the lines of a catalog, each with its end; `seen` is told of every row."""
    for table in tables():
        if table.name in PASSING:
            continue
        highest = snapshot.last_id(table.name) if table.numbered else 0
        columns: list[str] | None = None
        for row in snapshot.rows(table.all_rows()):
            if columns is None:
                columns = list(row)
                yield _line({"table": table.name, "columns": columns, "highest_id": highest})
            seen(table.name, row)
            yield _line([_told(row[name]) for name in columns])
        if columns is None and highest:
            yield _line({"table": table.name, "columns": [], "highest_id": highest})


def schema_of(names: Sequence[str]) -> tuple[Migration, ...]:
    """Return the migrations of these names. Raises `Conflict` when a program of this version does not know them all."""
    known = [migration.name for migration in MIGRATIONS[: len(names)]]
    unknown = [name for name in names if name not in {migration.name for migration in MIGRATIONS}]
    if unknown:
        raise Conflict(f"it was made by a newer program (migration {', '.join(unknown)} is unknown here): use that one")
    if known != list(names):
        raise Conflict("its catalog has not the tables of any version of this program")
    return MIGRATIONS[: len(names)]


def put_in(
    database: Database,
    lines: Callable[[], Iterable[str]],
    schema: Sequence[Migration] = MIGRATIONS,
    *,
    only: Collection[str] = (),
) -> None:
    """Make the catalog of the tables of `schema` and put the rows in, in one transaction; then bring it up to date.

    With `only` the rows of other tables are passed over. `lines` is called for each attempt. Raises `Conflict` when the
    catalog has rows already, `Damaged` for lines that are none of ours.
    """
    database.migrate(schema)
    allowed = {table.name for table in tables(schema)} - PASSING

    def work(tx: Transaction) -> None:
        _refuse_used(tx)
        _put_rows(tx, _lines_of(lines(), only) if only else lines(), allowed)

    database.write(work)
    database.migrate()


def _lines_of(lines: Iterable[str], only: Collection[str]) -> Iterator[str]:
    """Yield the lines of some tables; those of others are not even read."""
    wanted = False
    for line in lines:
        if line.startswith("{"):
            wanted = any(line.startswith(f'{{"table":"{name}",') for name in only)
        if wanted:
            yield line


def _refuse_used(tx: Transaction) -> None:
    if tx.query("SELECT name FROM instance LIMIT 1"):
        raise Conflict("there is a catalog already")


def _put_rows(tx: Transaction, lines: Iterable[str], allowed: set[str]) -> None:
    insert, columns = "", list[str]()
    for number, line in enumerate(lines, 1):
        try:
            parsed = json.loads(line)
            if isinstance(parsed, dict):
                insert, columns = _begun(tx, parsed, allowed)
            else:
                values = {f"v{at}": _value(value) for at, value in enumerate(parsed)}
                if not insert or len(values) != len(columns):
                    raise ValueError
                tx.query(insert, **values)
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"line {number} of the catalog's copy cannot be read") from error


def _begun(tx: Transaction, head: dict[str, Any], allowed: set[str]) -> tuple[str, list[str]]:
    table, columns, highest = head["table"], head["columns"], head["highest_id"]
    if table not in allowed or not all(isinstance(name, str) and name.isidentifier() for name in columns):
        raise ValueError
    if highest:
        tx.continue_ids(table, highest)
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f":v{at}" for at in range(len(columns)))
    return f"INSERT INTO {table} ({names}) VALUES ({values})", columns  # noqa: S608 - checked above


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _told(value: Any) -> Any:
    return {"b64": base64.b64encode(value).decode("ascii")} if isinstance(value, (bytes, memoryview)) else value


def _value(told: Any) -> Any:
    return base64.b64decode(told["b64"], validate=True) if isinstance(told, dict) else told
