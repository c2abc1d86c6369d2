"""Every table is known by the migrations, and its rows go from one catalog into another as they are."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import unique
from tests.postgres import needs_postgres
from vault.catalog import open_catalog
from vault.catalog.schema import MIGRATIONS, Migration
from vault.catalog.tables import AT_ONCE, copy_rows, tables
from vault.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vault.catalog.database import Database

ENGINES_OWN = {"migrations", "_sqlite_migrations", "sqlite_sequence"}
NAMESPACE = """INSERT INTO namespaces
    (kind, name, path, full_path, path_key, parent_id, visibility, description, created_at)
    VALUES ('group', :name, :name, :name, :name, :parent, 'private', '', '') RETURNING id"""


def made(url: str) -> Database:
    database = open_catalog(url)
    database.migrate()
    return database


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    with closing(made(f"sqlite:{tmp_path / 'source.sqlite'}")) as database:
        yield database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:{tmp_path / 'target.sqlite'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
    with closing(made(url)) as database:
        yield database


def copied(source: Database, target: Database) -> dict[str, int]:
    return source.write(lambda reading: target.write(lambda writing: copy_rows(reading, writing)))


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {
        table.name: database.query(f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}") for table in tables()
    }


def add_namespaces(database: Database, count: int) -> int:
    """Add a chain of groups, each the parent of the next, and return the last one's id."""

    def add(tx: Any) -> int:
        parent = None
        for _ in range(count):
            [row] = tx.query(NAMESPACE, name=unique("group"), parent=parent)
            parent = row["id"]
        assert parent is not None
        return int(parent)

    return database.write(add)


def add_blob(tx: Any, data: bytes) -> None:
    tx.query("INSERT INTO master_keys (id, \"check\", created_at) VALUES ('k1', 'c', '')")
    tx.query(
        """INSERT INTO blobs (id, family, project_id, size, sha256, alg, kek_id, first_kek_id, wrapped, commitment,
        sealed, created_at) VALUES ('b', 'f', 9, 5, 'ä', 1, 'k1', 'k1', :data, :data, :data, '')""",
        data=data,
    )


class TestTables:
    def test_are_those_that_the_engine_has(self, tmp_path: Path) -> None:
        made(f"sqlite:{tmp_path / 'catalog.sqlite'}").close()
        with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog:
            there = {name for (name,) in catalog.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table in tables():
                columns = catalog.execute(f"PRAGMA table_info({table.name})").fetchall()
                assert table.key == tuple(name for _, name, *_, place in sorted(columns, key=lambda c: c[5]) if place)

        assert {table.name for table in tables()} == {
            name for name in there if name not in ENGINES_OWN and not name.startswith("_sqlite")
        }

    def test_come_behind_those_that_they_refer_to(self) -> None:
        names = [table.name for table in tables()]
        for statement in (each for migration in MIGRATIONS for each in migration.statements):
            made = re.match(r"(?:CREATE|ALTER) TABLE (\w+)", statement)
            for target in re.findall(r"REFERENCES (\w+)", statement):
                assert made
                assert names.index(target) <= names.index(made[1])

    def test_one_that_was_dropped_is_none(self) -> None:
        steps = ("CREATE TABLE a (id {ID})", "CREATE TABLE b (id {ID})", "DROP TABLE a")
        assert [table.name for table in tables([Migration("x", steps)])] == ["b"]


class TestCopying:
    def test_brings_every_row_as_it_is_more_than_fit_into_one_statement(
        self, source: Database, target: Database
    ) -> None:
        add_namespaces(source, 2 * AT_ONCE + 1)
        source.write(lambda tx: add_blob(tx, bytes(range(256)) * 256))
        counts = copied(source, target)

        assert everything(target) == everything(source)
        assert counts["namespaces"] == 2 * AT_ONCE + 1
        assert counts["blobs"] == 1

    def test_ids_go_on_behind_the_last_that_was_ever_given_out(self, source: Database, target: Database) -> None:
        last = add_namespaces(source, 3)
        source.write(lambda tx: tx.query("DELETE FROM namespaces WHERE id = :id", id=last))
        copied(source, target)

        assert add_namespaces(target, 1) == last + 1

    def test_a_row_that_is_there_already_leaves_the_target_as_it_was(self, source: Database, target: Database) -> None:
        add_namespaces(source, 3)
        target.write(
            lambda tx: tx.query(
                NAMESPACE.replace("(kind", "(id, kind").replace("('group'", "(2, 'group'"), name="two", parent=None
            )
        )
        before = everything(target)

        with pytest.raises(Conflict):
            copied(source, target)
        assert everything(target) == before
