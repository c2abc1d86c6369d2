"""What was done to the log afterwards is found, and the first bad line is named."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.vault.audit.support import Logged, entry
from tests.vault.core import Core
from vault.audit.lines import Sealer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vault.audit.verify import Fault

    Lines = list[bytes]

MANY = 10_000


def edited(lines: Lines, at: int) -> Lines:
    return [*lines[:at], lines[at].replace(b'"status":200', b'"status":403'), *lines[at + 1 :]]


def deleted(lines: Lines, at: int) -> Lines:
    return [*lines[:at], *lines[at + 1 :]]


def reordered(lines: Lines, at: int) -> Lines:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def repeated(lines: Lines, at: int) -> Lines:
    return [*lines[: at + 1], lines[at], *lines[at + 1 :]]


def cut(lines: Lines, at: int) -> Lines:
    return lines[:at]


def made_up(lines: Lines, at: int) -> Lines:
    forged, _ = Sealer(b"guess" * 6).line(at + 1, entry(1), "0" * 64)
    return [*lines[:at], forged, *lines[at:]]


# What is done, the kind of fault it is, and how many lines after the place the first bad one stands.
ATTACKS = [
    (edited, "edited", 0),
    (deleted, "deleted", 0),
    (reordered, "reordered", 0),
    (repeated, "repeated", 1),
    (cut, "cut", 0),
    (made_up, "edited", 0),
]
each_attack = pytest.mark.parametrize(
    ("attack", "kind", "after"), ATTACKS, ids=lambda each: getattr(each, "__name__", "")
)


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    core = Core(tmp_path_factory.mktemp("audit"))
    logged = Logged(core)
    logged.write(MANY)
    yield logged
    core.database.close()


def fault_after(logged: Logged, path: Path, lines: Lines) -> Fault | None:
    """Return the fault that is found when the file holds these lines; afterwards it is as it was."""
    whole = path.read_bytes()
    try:
        path.write_bytes(b"".join(lines))
        faults = logged.verify().faults
        return faults[0] if faults else None
    finally:
        path.write_bytes(whole)


class TestTenThousandLines:
    def test_are_what_was_written(self, ten_thousand: Logged) -> None:
        report = ten_thousand.verify()

        assert (report.ok, report.lines) == (True, MANY)

    @each_attack
    @pytest.mark.parametrize("at", [0, 4999, 9998, 9999])
    def test_show_what_was_done_at_one_of_them(
        self, ten_thousand: Logged, attack: Callable[[Lines, int], Lines], kind: str, after: int, at: int
    ) -> None:
        (path,) = ten_thousand.files()
        if attack is reordered and at == MANY - 1:
            at -= 1

        fault = fault_after(ten_thousand, path, attack(ten_thousand.lines(), at))

        assert fault is not None
        last = attack is deleted and at == MANY - 1
        assert (fault.file, fault.line, fault.kind) == (path.name, at + after + 1, "cut" if last else kind)
        assert fault.seq == at + 1


class TestEveryLine:
    @each_attack
    def test_shows_what_was_done_to_it(
        self, logged: Logged, attack: Callable[[Lines, int], Lines], kind: str, after: int
    ) -> None:
        logged.write(40)
        (path,), lines = logged.files(), logged.lines()

        for at in range(39):
            fault = fault_after(logged, path, attack(lines, at))

            assert fault is not None
            assert (fault.line, fault.seq, fault.kind) == (at + after + 1, at + 1, kind)

    def test_that_is_cut_anywhere_is_missed_though_the_rest_looks_torn(self, logged: Logged) -> None:
        logged.write(3)
        (path,), (first, second, third) = logged.files(), logged.lines()

        for end in range(len(third) - 1):
            fault = fault_after(logged, path, [first, second, third[:end]])
            assert fault is not None
            assert (fault.line, fault.seq, fault.kind) == (3, 3, "cut")


class TestFiles:
    """A chain goes on over its files, and none of them can be taken out."""

    @pytest.fixture
    def several(self, logged: Logged) -> Logged:
        logged.write(60, file_bytes=2000)
        assert len(logged.files()) > 5
        return logged

    def test_are_one_chain(self, several: Logged) -> None:
        report = several.verify()

        assert (report.ok, report.lines, len(report.chains)) == (True, 60, 1)

    def test_of_which_any_is_gone_show_it(self, several: Logged) -> None:
        for path in several.files():
            whole = path.read_bytes()
            path.unlink()
            (fault,) = several.verify().faults
            path.write_bytes(whole)

            assert fault.seq == int(path.stem.rpartition("-")[2])
            assert fault.kind == ("cut" if path == several.files()[-1] else "deleted")

    def test_that_changed_names_show_it(self, several: Logged) -> None:
        first, second = several.files()[:2]
        spare = first.with_name("spare")
        first.rename(spare)
        second.rename(first)
        spare.rename(second)

        (fault,) = several.verify().faults

        assert (fault.file, fault.line, fault.seq, fault.kind) == (first.name, 1, 1, "reordered")

    def test_that_are_all_gone_show_it(self, several: Logged) -> None:
        shutil.rmtree(several.folder)

        (fault,) = several.verify().faults

        assert (fault.file, fault.seq, fault.kind) == (None, 1, "missing")

    def test_of_another_chain_do_not_stand_in(self, logged: Logged) -> None:
        one, other = logged.process(), logged.process()
        for log in (one, other):
            for number in range(5):
                log.record(entry(number))
        for log in (one, other):
            log.close()
        first, second = logged.files()
        first.write_bytes(second.read_bytes())

        (fault,) = logged.verify().faults

        assert (fault.file, fault.line, fault.kind) == (first.name, 1, "edited")


class TestHeads:
    def test_that_were_kept_outside_show_a_log_and_a_catalog_that_were_put_back_together(self, logged: Logged) -> None:
        logged.write(5)
        chain = logged.verify().chains[0]
        kept = {chain.chain: (9, "0" * 64)}

        (fault,) = logged.verify(**kept).faults

        assert (fault.kind, fault.seq) == ("cut", 6)
        assert logged.verify(**{chain.chain: (chain.last_seq, chain.last_hash)}).ok

    def test_of_other_hosts_may_be_elsewhere(self, logged: Logged) -> None:
        from vault.audit.verify import verify

        logged.write(2)
        heads = logged.catalog.heads()
        shutil.rmtree(logged.folder)

        assert verify([logged.folder], logged.sealer, heads, elsewhere=lambda _: True).ok
        assert not verify([logged.folder], logged.sealer, heads, elsewhere=lambda _: False).ok

    def test_another_keyring_knows_none_of_the_lines(self, logged: Logged) -> None:
        logged.write(2)
        logged.sealer = Sealer(bytes(32))

        (fault,) = logged.verify().faults

        assert (fault.line, fault.kind) == (1, "edited")
