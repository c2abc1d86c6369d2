"""A catalog as text: out of one engine and into the other, the same."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.filled import fill
from tests.postgres import needs_postgres
from vault.catalog import open_catalog, portable
from vault.catalog.schema import MIGRATIONS
from vault.errors import Conflict, Damaged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import PostgresServer
    from vault.catalog.database import Database


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The catalog of a vault with something of everything."""
    data = tmp_path_factory.mktemp("filled") / "data"
    fill(data)
    with closing(open_catalog(f"sqlite:{data / 'catalog.sqlite'}")) as database:
        return exported(database)


def exported(database: Database) -> list[str]:
    with database.snapshot() as snapshot:
        return list(portable.exported(snapshot))


def ids(database: Database) -> dict[str, int]:
    with database.snapshot() as snapshot:
        return {name: snapshot.last_id(name) for name in ("projects", "tokens", "secure_files", "jobs")}


class TestACatalogAsText:
    def test_is_the_same_when_it_went_into_a_file_and_out_again(self, lines: list[str], tmp_path: Path) -> None:
        with closing(open_catalog(f"sqlite:{tmp_path / 'new.sqlite'}")) as database:
            portable.put_in(database, lambda: lines)

            assert exported(database) == lines
            assert database.faults() == []

    @needs_postgres[0]
    @needs_postgres[1]
    def test_is_the_same_after_a_journey_through_postgresql(
        self, lines: list[str], tmp_path: Path, postgres: PostgresServer
    ) -> None:
        url = postgres.database(None)
        with closing(open_catalog(url)) as there, closing(open_catalog(f"sqlite:{tmp_path / 'new.sqlite'}")) as back:
            portable.put_in(there, lambda: lines)
            assert exported(there) == lines
            portable.put_in(back, lambda: exported(there))
            assert exported(back) == lines
            assert ids(back) == ids(there)
        postgres.drop(url)

    def test_of_an_older_program_is_brought_up_to_date(self, tmp_path: Path) -> None:
        with closing(open_catalog(f"sqlite:{tmp_path / 'old.sqlite'}")) as old:
            old.migrate(MIGRATIONS[:1])
            old.write(lambda tx: tx.query("INSERT INTO instance (name, value) VALUES ('id', 'x')"))
            told = ['{"table":"instance","columns":["name","value"],"highest_id":0}\n', '["id","x"]\n']
        schema = portable.schema_of([MIGRATIONS[0].name])
        with closing(open_catalog(f"sqlite:{tmp_path / 'new.sqlite'}")) as new:
            portable.put_in(new, lambda: told, schema)

            assert new.query("SELECT value FROM instance") == [{"value": "x"}]
            assert new.query("SELECT COUNT(*) AS n FROM leases") == [{"n": 0}]

    def test_of_a_newer_program_is_refused(self) -> None:
        with pytest.raises(Conflict, match="9999_later is unknown here"):
            portable.schema_of([*(each.name for each in MIGRATIONS), "9999_later"])

    def test_never_goes_into_a_catalog_that_is_one(self, lines: list[str], tmp_path: Path) -> None:
        with closing(open_catalog(f"sqlite:{tmp_path / 'new.sqlite'}")) as database:
            portable.put_in(database, lambda: lines)
            with pytest.raises(Conflict, match="there is a catalog already"):
                portable.put_in(database, lambda: lines)

    @pytest.mark.parametrize(
        "line",
        [
            *("", "[1]", "7", "nothing", '{"table":"sqlite_master","columns":["a"],"highest_id":0}'),
            *('{"table":"users","columns":["id) VALUES (1); --"],"highest_id":0}', '{"table":"leases","columns":[]}'),
        ],
    )
    def test_that_was_changed_leaves_nothing_behind(self, lines: list[str], tmp_path: Path, line: str) -> None:
        with closing(open_catalog(f"sqlite:{tmp_path / 'new.sqlite'}")) as database:
            with pytest.raises(Damaged, match="line 3 of the catalog's copy cannot be read"):
                portable.put_in(database, lambda: [*lines[:2], line, *lines[2:]])

            assert database.query("SELECT * FROM instance") == []
