"""What lies in a data folder, looked at past the vault."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def rows(data: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask the catalog itself."""
    with closing(sqlite3.connect(f"file:{data / 'catalog.sqlite'}?mode=ro", uri=True)) as catalog:
        return catalog.execute(sql, values).fetchall()


def edit(data: Path, sql: str, *values: Any) -> None:
    """Change the catalog as somebody would who can write the file, foreign keys or not."""
    with closing(sqlite3.connect(data / "catalog.sqlite", timeout=10)) as catalog, catalog:
        changed = catalog.execute(sql, values).rowcount
    assert changed > 0, "no row was changed: the test would prove nothing"


def objects(data: Path) -> set[str]:
    """The ids of all files in the blob store."""
    return {file.name for file in (data / "blobs").glob("??/*")}


def unfinished(data: Path) -> set[str]:
    """The names of the files in `tmp/`."""
    return {file.name for file in (data / "blobs" / "tmp").iterdir()}


def named(data: Path) -> set[str]:
    """The ids of the objects that the catalog says are in the store."""
    return {row[0] for row in rows(data, "SELECT id FROM blobs WHERE sealed IS NULL")}


def orphans(data: Path) -> set[str]:
    """The ids of files in the store that the catalog neither has nor is about to remove."""
    known = named(data) | {row[0] for row in rows(data, "SELECT blob_id FROM removals")}
    return (objects(data) | unfinished(data)) - known


def blob_of(data: Path, file_id: int) -> str:
    """The object's id of a secure file."""
    [(blob_id,)] = rows(data, "SELECT blob_id FROM secure_files WHERE id = ?", file_id)
    return str(blob_id)


def file_of(data: Path, file_id: int) -> Path:
    """Where the sealed bytes of a secure file lie."""
    blob_id = blob_of(data, file_id)
    return data / "blobs" / blob_id[:2] / blob_id


def assert_nothing_left_over(data: Path) -> None:
    """Every object has its row, every row its object, and nothing is half made or noted for removal."""
    assert unfinished(data) == set()
    assert objects(data) == named(data)
    assert rows(data, "SELECT * FROM removals") == []
    orphans = rows(data, "SELECT id FROM blobs WHERE id NOT IN (SELECT blob_id FROM secure_files)")
    assert orphans == [], "envelopes that no file refers to"
