"""Lines as processes write them: chains that go on, crashes that leave them whole, and disks that refuse them."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.vault.audit.support import ENTRY, entry
from vault.audit import chain as chains
from vault.audit.log import MAKES_ROOM, ORDINARY, PORTION, RESERVE
from vault.errors import StorageFull, Unavailable
from vault.models import Page

if TYPE_CHECKING:
    from tests.vault.audit.support import Logged


class TestRecord:
    def test_is_with_the_system_when_it_returns(self, logged: Logged) -> None:
        logged.process().record(ENTRY)

        (line,) = logged.lines()
        assert json.loads(line)["target"] == ENTRY.target

    def test_makes_files_for_the_owner_alone(self, logged: Logged) -> None:
        logged.write(1)

        assert stat.S_IMODE(logged.folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in logged.folder.iterdir()} == {0o600}

    def test_begins_a_file_each_day_and_when_one_is_full(self, logged: Logged) -> None:
        log = logged.process(file_bytes=1000)
        for day in (1, 1, 1, 1, 2, 2, 3):
            log.record(ENTRY._replace(time=f"2026-02-0{day}T00:00:00.000Z"))
        log.close()

        assert [path.stem[-2:] for path in logged.files()] == ["01", "04", "05", "07"]
        assert logged.verify().ok


class TestChains:
    def test_are_one_for_each_process_at_a_time(self, logged: Logged) -> None:
        for log in (logged.process(), logged.process()):
            log.record(ENTRY)

        assert len(logged.verify().chains) == 2

    def test_go_on_where_the_last_process_ended(self, logged: Logged) -> None:
        for _ in range(3):
            logged.write(2)

        (chain,) = logged.verify().chains
        assert (chain.lines, chain.files, chain.fault) == (6, 1, None)

    def test_whose_process_was_killed_go_on_in_another_file_after_a_torn_line(self, logged: Logged) -> None:
        logged.write(3)
        (path,) = logged.files()
        with path.open("ab") as file:
            file.write(b'{"seq":4,"time":"2026-02-')
        torn = logged.verify()

        logged.write(2)

        assert (torn.ok, torn.chains[0].torn) == (True, [path.name])
        (chain,) = logged.verify().chains
        assert (chain.lines, chain.files, chain.torn, chain.fault) == (5, 2, [path.name], None)

    @pytest.mark.parametrize("left", [b"", b'{"seq":1,"ti'])
    def test_that_ended_before_their_first_line_begin_with_it(self, logged: Logged, left: bytes) -> None:
        logged.write(1)
        (path,) = logged.files()
        path.write_bytes(left)
        logged.core.sql("UPDATE audit_heads SET seq = 0, hash = first_prev")

        logged.write(2)

        (chain,) = logged.verify().chains
        assert (chain.lines, chain.files, chain.torn, chain.fault) == (2, 1, [], None)

    @pytest.mark.parametrize("keep", [0, 2])
    def test_whose_end_is_not_the_one_that_was_written_are_left_as_they_are(self, logged: Logged, keep: int) -> None:
        logged.write(4)
        (path,) = logged.files()
        path.write_bytes(b"".join(logged.lines()[:keep]))
        found = path.read_bytes()

        logged.write(2)

        report = logged.verify()
        assert path.read_bytes() == found
        assert len(report.chains) == 2
        assert [fault.kind for fault in report.faults] == ["cut"]

    def test_a_line_that_looks_torn_but_is_none_of_ours_is_no_crash(self, logged: Logged) -> None:
        logged.write(3)
        (path,) = logged.files()
        with path.open("ab") as file:
            file.write(b"something else")

        (fault,) = logged.verify().faults

        assert (fault.line, fault.seq, fault.kind) == (4, 4, "edited")


class TestTrouble:
    def test_a_file_that_is_removed_is_noticed_at_once(self, logged: Logged) -> None:
        log = logged.process()
        log.record(ENTRY)
        logged.files()[0].unlink()

        with pytest.raises(Unavailable, match=r"jsonl was removed"):
            log.check()
        with pytest.raises(Unavailable):
            log.record(ENTRY)
        assert "was removed" in log.problem()

    def test_a_file_that_somebody_else_writes_is_noticed_at_once(self, logged: Logged) -> None:
        log = logged.process()
        log.record(ENTRY)
        (path,) = logged.files()
        whole = path.read_bytes()
        path.write_bytes(b"")

        with pytest.raises(Unavailable, match="changed by another program"):
            log.record(ENTRY)
        path.write_bytes(whole)

        log.record(ENTRY)
        assert [json.loads(line)["action"] for line in logged.lines()][1:] == ["audit.gap", ENTRY.action]

    def test_a_file_that_is_moved_is_noticed_within_a_second_and_may_be_put_back(self, logged: Logged) -> None:
        log = logged.process()
        log.record(ENTRY)
        (path,) = logged.files()
        moved = path.rename(path.with_name("elsewhere"))
        log._look()

        with pytest.raises(Unavailable, match="was moved"):
            log.check()
        moved.rename(path)

        log.check()
        log.record(ENTRY)

    def test_a_folder_that_cannot_be_made_is_told(self, logged: Logged) -> None:
        logged.folder.write_bytes(b"")

        assert logged.process().problem() == "the audit log cannot be written: File exists"

    def test_a_line_that_the_disk_took_a_part_of_is_taken_back(
        self, logged: Logged, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = logged.process()
        log.record(entry(1))
        write = os.write
        with monkeypatch.context() as patched:
            patched.setattr(chains.os, "write", lambda fd, data: write(fd, data[:10]))
            with pytest.raises(StorageFull):
                log.record(entry(2))
        log.record(entry(3))

        told = [json.loads(line) for line in logged.lines()]
        assert [line["action"] for line in told] == [ENTRY.action, "audit.gap", ENTRY.action]
        assert told[1]["target"] == "1 line could not be written: No space left on device"
        assert logged.verify().ok


class TestFullDisk:
    """A line may have the room that is kept back, and what makes room may have the last of it."""

    @pytest.fixture
    def full(self, logged: Logged, monkeypatch: pytest.MonkeyPatch) -> Logged:
        """A disk without room but for what the reserve holds: a line takes a portion of it."""
        logged.write(1)
        write = os.write
        reserve = logged.folder / "ballast"
        had = [reserve.stat().st_size]

        def full_write(fd: int, data: bytes) -> int:
            if reserve.stat().st_size == had[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            had[0] = reserve.stat().st_size
            return write(fd, data)

        monkeypatch.setattr(chains.os, "write", full_write)
        monkeypatch.setattr("vault.ballast.Ballast.take", lambda _: None)
        return logged

    def test_refuses_what_need_not_be_written(self, full: Logged) -> None:
        with pytest.raises(StorageFull):
            full.process().record(ENTRY)

        assert (full.folder / "ballast").stat().st_size == RESERVE

    def test_lets_what_makes_room_have_the_last_of_it(self, full: Logged) -> None:
        log = full.process()
        for _ in range(RESERVE // 2 // PORTION):
            log.record(ENTRY, ORDINARY)
        with pytest.raises(StorageFull):
            log.record(ENTRY, ORDINARY)
        assert (full.folder / "ballast").stat().st_size == RESERVE // 2

        log.check(MAKES_ROOM)
        log.record(ENTRY, MAKES_ROOM)

        assert full.verify().ok


class TestCatalog:
    def test_has_each_line_as_an_event_and_the_head(self, logged: Logged) -> None:
        user = logged.core.user()
        log = logged.process()
        for number in range(3):
            log.record(entry(number)._replace(actor=user.username))
        log.sync()

        listing = logged.catalog.page(*_all())
        assert [event.seq for event in listing.rows] == [3, 2, 1]
        assert {(event.author_id, event.author_name) for event in listing.rows} == {(user.id, user.name)}
        (head,) = logged.catalog.heads().values()
        assert head.seq == 3

    def test_is_told_at_the_next_start_of_what_a_killed_process_wrote(self, logged: Logged) -> None:
        log = logged.process()
        log.record(entry(1))
        log.sync()
        log.record(entry(2))
        log._pending.clear()  # as if it had been killed before its next turn
        log._known = 2
        log.close()

        logged.write(1)

        assert [event.target[-10:] for event in logged.catalog.page(*_all()).rows] == [
            entry(0).target[-10:],
            entry(2).target[-10:],
            entry(1).target[-10:],
        ]

    def test_has_many_alike_within_a_second_as_few_with_their_number(self, logged: Logged) -> None:
        log = logged.process()
        for _ in range(100):
            log.record(ENTRY)
        log.sync()

        listing = logged.catalog.page(*_all())
        assert (listing.total, sum(event.times for event in listing.rows)) == (21, 100)

    def test_that_is_away_is_told_later(self, logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
        log = logged.process()
        log.record(entry(1))
        with monkeypatch.context() as patched:
            patched.setattr(logged.core.database, "write", _away)
            with pytest.raises(Unavailable):
                log.sync()
            log.record(entry(2))
        log.sync()

        assert logged.catalog.page(*_all()).total == 2


class TestRetention:
    def test_removes_whole_files_that_are_old_and_the_rest_still_verifies(self, logged: Logged) -> None:
        log = logged.process(days=30)
        for day in (1, 2, 3):
            log.record(ENTRY._replace(time=f"2020-01-0{day}T00:00:00.000Z"))
        log.record(ENTRY._replace(time="2999-01-01T00:00:00.000Z"))
        log.sync()
        log._sweep()

        assert [path.stem[-1] for path in logged.files()] == ["4"]
        report = logged.verify()
        assert (report.ok, report.chains[0].first_seq) == (True, 4)
        assert [event.created_at[:4] for event in logged.catalog.page(*_all()).rows] == ["2999"]

    def test_is_no_way_to_remove_more(self, logged: Logged) -> None:
        log = logged.process(days=30)
        for day in (1, 2, 3):
            log.record(ENTRY._replace(time=f"2020-01-0{day}T00:00:00.000Z"))
        for day in (1, 2):
            log.record(ENTRY._replace(time=f"2999-01-0{day}T00:00:00.000Z"))
        log._sweep()
        logged.files()[0].unlink()

        (fault,) = logged.verify().faults

        assert (fault.seq, fault.kind) == (4, "deleted")

    def test_goes_by_the_lines_and_not_by_the_files_dates(self, logged: Logged) -> None:
        log = logged.process(days=30, file_bytes=500)
        for number in range(4):
            log.record(entry(number)._replace(time="2999-01-01T00:00:00.000Z"))
        files = logged.files()
        for path in files:
            os.utime(path, (0, 0))
        log._sweep()

        assert logged.files() == files

    def test_forgets_a_chain_that_nobody_writes(self, logged: Logged) -> None:
        old = logged.process()
        old.record(ENTRY._replace(time="2020-01-01T00:00:00.000Z"))
        log = logged.process(days=30)
        log.record(ENTRY._replace(time="2999-01-01T00:00:00.000Z"))
        old.close()
        log._sweep()

        (chain,) = logged.verify().chains
        assert (chain.lines, chain.fault) == (1, None)


def _all() -> tuple[object, Page]:
    from vault.audit.catalog import Wanted

    return Wanted(), Page(1, 100)


def _away(*_: object) -> None:
    raise Unavailable("the catalog is away")
