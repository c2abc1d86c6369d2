"""Waiting on the loop for what threads commit: its result, its error, its turn, and never less than its end."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server import offload
from server.offload import Offload
from tests.database_suite import ADD, TEST_TABLES, names, occupied
from vault.catalog.sqlite import SqliteDatabase
from vault.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from vault.catalog.database import Row


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with closing(SqliteDatabase(tmp_path / "catalog.db")) as opened:
        opened.migrate(TEST_TABLES)
        yield opened


@pytest.fixture
def threads(database: SqliteDatabase) -> Iterator[Offload]:
    made = Offload(2, database)
    yield made
    made.close()


def adding(database: SqliteDatabase, name: str) -> Callable[[], Future[list[Row]]]:
    """Return what begins to commit a row, and leaves the commit to the catalog's own thread."""
    return lambda: database.submit(lambda tx: tx.query(ADD, name=name, owner="me"))


@pytest.mark.parametrize("here", [True, False], ids=["here", "in a thread"])
class TestACommit:
    async def test_is_there_when_it_was_waited_for(
        self, database: SqliteDatabase, threads: Offload, *, here: bool
    ) -> None:
        await asyncio.gather(*(threads.committed(adding(database, str(n)), here=here) for n in range(20)))

        assert sorted(map(int, names(database))) == list(range(20))

    async def test_that_is_refused_is_raised_to_who_waits(
        self, database: SqliteDatabase, threads: Offload, *, here: bool
    ) -> None:
        outcomes = await asyncio.gather(
            *(threads.committed(adding(database, "same"), here=here) for _ in range(5)), return_exceptions=True
        )

        assert sorted(isinstance(outcome, Conflict) for outcome in outcomes) == [False, True, True, True, True]

    async def test_whose_turn_does_not_come_is_taken_back(
        self, database: SqliteDatabase, threads: Offload, monkeypatch: pytest.MonkeyPatch, *, here: bool
    ) -> None:
        monkeypatch.setattr(offload, "PATIENCE", 0.05)
        with occupied(database), pytest.raises(Unavailable, match="busy"):
            await threads.committed(adding(database, "late"), here=here)

        database.submit(lambda tx: None).result(20)
        assert names(database) == []

    async def test_outlasts_who_goes_away_meanwhile(
        self, database: SqliteDatabase, threads: Offload, *, here: bool
    ) -> None:
        """Else he would clean up what is being committed."""
        waiting = asyncio.ensure_future(threads.committed(adding(database, "kept"), here=here))
        with occupied(database):
            for _ in range(3):
                await asyncio.sleep(0.02)
                waiting.cancel()
            assert not waiting.done()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert names(database) == ["kept"]


async def test_what_is_quick_needs_no_thread(database: SqliteDatabase, threads: Offload) -> None:
    seen = []

    def work() -> Future[list[Row]]:
        seen.append(threading.current_thread())
        return adding(database, "a")()

    await threads.committed(work, here=True)

    assert seen == [threading.current_thread()]
