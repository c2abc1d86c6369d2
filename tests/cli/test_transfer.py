"""What the commands for pipelines share: waits, parallel work, and files that are written whole."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from cli.folder import Folder, NoPlace
from cli.patience import Patience, seconds
from cli.transfer import in_order

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PATIENCE = 30.0


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("header", "told"),
        [
            ("0", 0.0),
            (" 120 ", 120.0),
            (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
            ("Sat, 21 Nov 2026 12:01:30 -0000", 90.0),
            (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
            (None, None),
            ("", None),
            ("-5", None),
            ("soon", None),
            ("\u0665", None),
        ],
    )
    def test_is_seconds_or_a_date(self, header: str | None, told: float | None) -> None:
        assert seconds(header, NOW) == told


class TestPatience:
    def waits(self, tries: int, retry_after: str | None = None) -> list[float]:
        slept: list[float] = []
        patience = Patience(tries, sleep=slept.append)
        for tried in range(1, tries):
            patience.wait(tried, "why", retry_after)
        return slept

    def test_waits_double_up_to_a_minute_and_are_drawn_below_that(self) -> None:
        bounds = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]

        for wait, bound in zip(self.waits(10), bounds, strict=True):
            assert bound / 2 <= wait <= bound

    def test_no_two_jobs_wait_alike(self) -> None:
        assert self.waits(10) != self.waits(10)

    def test_no_server_makes_it_wait_longer_than_a_minute(self) -> None:
        assert self.waits(2, "86400") == [60.0]


class TestInOrder:
    def test_results_come_in_the_order_of_the_items(self) -> None:
        turns = [threading.Event() for _ in range(4)]

        def last_first(number: int) -> int:
            if number < 3:
                assert turns[number + 1].wait(PATIENCE)
            turns[number].set()
            return number * 10

        assert list(in_order(last_first, range(4), at_once=4)) == [0, 10, 20, 30]

    def test_no_more_are_under_way_than_allowed_nor_far_ahead(self) -> None:
        lock, begun, now, most = threading.Lock(), 0, 0, 0

        def work(number: int) -> int:
            nonlocal begun, now, most
            with lock:
                begun, now = begun + 1, now + 1
                most = max(most, now)
            with lock:
                now -= 1
            return number

        results = in_order(work, range(100), at_once=3)
        for number in results:
            assert begun <= number + 7  # twice three beyond the one just taken
        assert most <= 3
        assert begun == 100

    def test_an_error_is_raised_in_its_place_and_ends_the_work(self) -> None:
        seen = []

        def work(number: int) -> int:
            seen.append(number)
            if number == 5:
                raise InterruptedError
            return number

        results = in_order(work, range(1000), at_once=2)
        assert [next(results) for _ in range(5)] == list(range(5))
        with pytest.raises(InterruptedError):
            next(results)
        assert len(seen) < 20

    def test_of_nothing_is_nothing(self) -> None:
        assert list(in_order(str, [])) == []

    def test_its_threads_end_with_it(self) -> None:
        before = set(threading.enumerate())
        for _ in range(20):
            results = in_order(str, range(50), at_once=4)
            next(results)
            results.close()
        left = set(threading.enumerate()) - before
        for thread in left:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in left)


class TestFolder:
    def test_two_names_that_the_disk_takes_for_one_are_refused(self, tmp_path: Path) -> None:
        """As `A.cer` and `a.cer` on a disk that knows no case; here a hard link stands for that."""
        folder = Folder(tmp_path)
        folder.write("A.cer", b"1")
        os.link(tmp_path / "A.cer", tmp_path / "a.cer")

        with pytest.raises(NoPlace, match="for the same"):
            folder.write("a.cer", b"2")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["A.cer", "a.cer"]
        assert (tmp_path / "A.cer").read_bytes() == b"1"

    @pytest.mark.parametrize("names", [["a", "/a"], ["a//b", "a/b"], ["a", "a/b"], ["a/b/c", "a/b"]])
    def test_names_that_cannot_stand_beside_each_other_are_refused(self, tmp_path: Path, names: list[str]) -> None:
        with pytest.raises(NoPlace):
            Folder(tmp_path).check(names)

    def test_names_that_only_begin_alike_can(self, tmp_path: Path) -> None:
        Folder(tmp_path).check(["a", "a.b", "ab/c", "ab/d"])

    def test_a_file_that_others_could_read_is_not_written_into(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        (tmp_path / "a").chmod(0o666)
        with (tmp_path / "a").open("rb") as before:
            Folder(tmp_path).write("a", b"new")

            assert before.read() == b"old"

    def test_an_interruption_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(_: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Folder(tmp_path).write("a", b"1")
        assert list(tmp_path.iterdir()) == []
