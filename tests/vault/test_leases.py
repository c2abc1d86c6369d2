"""Leases: one at a time, whoever asks, and never for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.postgres import needs_postgres
from vault.catalog import open_catalog
from vault.errors import Busy
from vault.leases import Lease, elected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vault.catalog.database import Database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A catalog of each engine."""
    server = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    url = f"sqlite:{tmp_path / 'catalog.sqlite'}" if server is None else server.database()
    with closing(open_catalog(url)) as database:
        database.migrate()
        yield database
    if server is not None:
        server.drop(url)


def expire(database: Database) -> None:
    database.write(lambda tx: tx.query("UPDATE leases SET until = '2020-01-01T00:00:00.000Z'"))


class TestALease:
    def test_is_had_by_one_of_many_that_ask_at_once(self, database: Database) -> None:
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _: Lease(database, "chore", 60).take(), range(8)))

        assert sorted(told) == [False] * 7 + [True]

    def test_is_free_again_when_it_is_ended_or_over(self, database: Database) -> None:
        first, second = Lease(database, "chore", 60), Lease(database, "chore", 60)
        assert first.take()
        first.end()
        assert second.take()
        expire(database)
        assert first.take()

    def test_may_be_renewed_until_it_is_over(self, database: Database) -> None:
        lease = Lease(database, "chore", 60)
        assert lease.take()
        assert lease.renew()
        expire(database)
        assert not lease.renew()

    def test_that_another_has_is_not_ended_nor_renewed(self, database: Database) -> None:
        mine, other = Lease(database, "chore", 60), Lease(database, "chore", 60)
        assert mine.take()
        other.end()

        assert not other.renew()
        assert mine.holder() == other.holder() != ""

    def test_of_another_name_is_another(self, database: Database) -> None:
        assert Lease(database, "chore", 60).take()
        assert Lease(database, "other", 60).take()

    def test_that_is_held_says_who_holds_it(self, database: Database) -> None:
        lease = Lease(database, "chore", 600)
        with lease.held(), pytest.raises(Busy, match=r"another chore is under way \(.*process \d+.*10 minutes"):
            Lease(database, "chore", 600).held().__enter__()
        assert lease.holder() == ""


def test_of_all_who_ask_one_is_elected_until_the_time_is_over(database: Database) -> None:
    assert [elected(database, "chore", 60) for _ in range(3)] == [True, False, False]
    expire(database)
    assert elected(database, "chore", 60)
