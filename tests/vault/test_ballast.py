"""Room kept back for deleting."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from vault.ballast import KIB, MIB, Ballast

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ballast"


class TestBallast:
    def test_holds_its_room_on_the_disk_for_its_owner_alone(self, path: Path) -> None:
        Ballast(path).take()

        assert path.stat().st_size == 4 * MIB
        assert path.stat().st_blocks * 512 >= 4 * MIB
        assert path.stat().st_mode & 0o777 == 0o600

    def test_is_given_up_by_portions_until_none_is_left(self, path: Path) -> None:
        ballast = Ballast(path, size=100 * KIB, portion=40 * KIB)
        ballast.take()

        assert [ballast.give_up() for _ in range(4)] == [True, True, True, False]
        assert path.stat().st_size == 0

    def test_is_whole_again_once_there_is_room(self, path: Path) -> None:
        ballast = Ballast(path)
        ballast.take()
        ballast.give_up()
        assert path.stat().st_size < 4 * MIB

        ballast.take()

        assert path.stat().st_size == 4 * MIB

    def test_is_not_taken_where_it_would_leave_little_to_others(self, path: Path) -> None:
        more_than_half = shutil.disk_usage(path.parent).free * 5 // 8

        Ballast(path, size=more_than_half).take()

        assert path.stat().st_size == 0

    def test_is_shared_with_other_processes(self, path: Path) -> None:
        one, two = Ballast(path), Ballast(path)
        for ballast in (one, two):
            ballast.take()

        one.give_up()
        two.give_up()

        assert path.stat().st_size == 4 * MIB - 512 * KIB

    def test_that_was_never_taken_has_nothing_to_give(self, path: Path) -> None:
        assert not Ballast(path).give_up()
        assert not path.exists()

    def test_that_cannot_be_made_is_done_without(self, tmp_path: Path) -> None:
        Ballast(tmp_path / "absent" / "ballast").take()

        assert list(tmp_path.iterdir()) == []
