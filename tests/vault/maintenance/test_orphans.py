"""Orphans: gone after a day and two looks, and nothing else ever."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.vault.core import LARGE, Core
from vault.catalog import care
from vault.leases import Lease
from vault.maintenance.orphans import Orphans
from vault.storage import LEFT_BY_A_CRASH

if TYPE_CHECKING:
    from pathlib import Path

DAY = 24 * 3600.0


@pytest.fixture
def orphans(core: Core) -> Orphans:
    """The collector of a vault with one object that has its row."""
    core.keep(bytes(LARGE))
    return Orphans(core.database, core.blobs)


def orphan(core: Core, hours: float = 25.0) -> str:
    """Leave an object without a row, as old as that."""
    blob = core.storage.put("secure_files", 1, bytes(LARGE))
    then = time.time() - hours * 3600
    os.utime(file_of(core, blob.id), (then, then))
    return blob.id


def file_of(core: Core, blob_id: str) -> Path:
    return core.folder / "blobs" / blob_id[:2] / blob_id


def collect(core: Core, orphans: Orphans, times: int = 2) -> None:
    for _ in range(times):
        orphans.collect(apart_seconds=0.0)
    core.storage.remove_noted()


class TestAnOrphan:
    def test_is_removed_when_it_is_a_day_old_and_was_seen_twice(self, core: Core, orphans: Orphans) -> None:
        blob_id = orphan(core)
        collect(core, orphans, times=1)
        assert blob_id in core.blobs.ids()

        collect(core, orphans, times=1)

        assert len(list(core.blobs.ids())) == 1
        assert core.sql("SELECT * FROM orphans") == core.sql("SELECT * FROM removals") == []

    def test_is_not_seen_twice_within_a_moment(self, core: Core, orphans: Orphans) -> None:
        blob_id = orphan(core)
        for _ in range(3):
            orphans.collect()
        core.storage.remove_noted()

        assert blob_id in core.blobs.ids()

    def test_that_is_younger_stays(self, core: Core, orphans: Orphans) -> None:
        blob_id = orphan(core, hours=23.0)
        collect(core, orphans)

        assert blob_id in core.blobs.ids()

    def test_that_gets_its_row_between_two_looks_stays(self, core: Core, orphans: Orphans) -> None:
        blob = core.storage.put("secure_files", 1, bytes(LARGE))
        os.utime(file_of(core, blob.id), (0, 0))
        collect(core, orphans, times=1)
        core.database.write(lambda tx: core.storage.insert(tx, blob))
        collect(core, orphans)

        assert core.content(blob.id) == bytes(LARGE)
        assert core.sql("SELECT * FROM orphans") == []

    def test_stays_while_a_backup_is_under_way(self, core: Core, orphans: Orphans) -> None:
        blob_id = orphan(core)
        with Lease(core.database, care.BACKUP, 60).held():
            collect(core, orphans)
            assert core.sql("SELECT * FROM orphans") == []
        collect(core, orphans, times=1)
        orphans.collect(apart_seconds=0.0)
        with Lease(core.database, care.BACKUP, 60).held():
            core.storage.remove_noted()
            assert blob_id in core.blobs.ids()

    def test_beside_a_catalog_that_knows_of_no_object_stays(self, core: Core) -> None:
        blob_id = orphan(core)
        collect(core, Orphans(core.database, core.blobs))

        assert blob_id in core.blobs.ids()


class TestTheChore:
    def test_falls_to_one_process_an_hour(self, core: Core, orphans: Orphans, monkeypatch: pytest.MonkeyPatch) -> None:
        passes: list[Orphans] = []

        def remember(each: Orphans) -> None:
            passes.append(each)

        monkeypatch.setattr(Orphans, "collect", remember)
        others = Orphans(core.database, core.blobs)
        for each in (orphans, others, orphans):
            each.chore()
            if each._running is not None:
                each._running.join()

        assert passes == [orphans]


class TestWhatIsDiscarded:
    def test_stays_while_a_backup_is_under_way_and_goes_afterwards(self, core: Core) -> None:
        blob = core.keep(bytes(LARGE))
        with Lease(core.database, care.BACKUP, 60).held():
            core.discard(blob.id)
            assert core.storage.remove_noted() == 0
            assert core.storage.sweep() == 0
            assert list(core.blobs.ids()) == [blob.id]

        assert core.storage.remove_noted() == 1
        assert list(core.blobs.ids()) == []


class TestTheSweepAtAStart:
    def test_leaves_more_than_a_crash_can_have_left_alone(self, core: Core) -> None:
        """As beside an older catalog that somebody put back."""
        core.keep(bytes(LARGE))
        names = [f"{number:032x}" for number in range(LEFT_BY_A_CRASH + 1)]
        for name in names:
            file_of(core, name).write_bytes(b"sealed by a catalog that is elsewhere")

        assert core.storage.sweep() == 0
        assert set(names) < set(core.blobs.ids())
