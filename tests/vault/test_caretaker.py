from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from vault import leases
from vault.errors import StorageFull, Unavailable
from vault.leases import Caretaker

if TYPE_CHECKING:
    from tests.vault.core import Core


class TestCaretaker:
    """One of all processes that serve does what one should do."""

    def test_is_one_of_all_that_ask(self, core: Core) -> None:
        several = [Caretaker(core.database) for _ in range(3)]
        assert [each.is_on_duty() for each in several] == [True, False, False]
        assert [each.is_on_duty() for each in several] == [True, False, False]

    def test_leaves_the_office_when_it_retires(self, core: Core) -> None:
        first, second = Caretaker(core.database), Caretaker(core.database)
        assert first.is_on_duty()
        first.retire()
        assert second.is_on_duty()
        assert not first.is_on_duty()

    def test_that_is_not_in_office_takes_nothing_from_others_by_retiring(self, core: Core) -> None:
        first, second = Caretaker(core.database), Caretaker(core.database)
        assert first.is_on_duty()
        assert not second.is_on_duty()
        second.retire()
        assert not second.is_on_duty()

    def test_who_died_is_succeeded(self, core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(leases, "CARE_SECONDS", 0.3)
        died, next_one = Caretaker(core.database), Caretaker(core.database)
        assert died.is_on_duty()
        assert not next_one.is_on_duty()
        time.sleep(0.35)
        assert next_one.is_on_duty()

    def test_stays_in_office_while_it_goes_on(self, core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(leases, "CARE_SECONDS", 2.0)
        monkeypatch.setattr(leases, "RENEWED_EVERY", 0.0)
        first, second = Caretaker(core.database), Caretaker(core.database)
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert first.is_on_duty()
            assert not second.is_on_duty()
            time.sleep(0.05)

    def test_that_is_alone_leaves_no_trace_of_it(self, core: Core) -> None:
        caretaker = Caretaker(core.database, alone=True)
        assert caretaker.is_on_duty()
        caretaker.retire()
        assert core.sql("SELECT * FROM leases") == []

    def test_of_a_full_disk_is_everybody(self, core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise StorageFull

        assert Caretaker(core.database).is_on_duty()
        second = Caretaker(core.database)
        monkeypatch.setattr(second._lease, "holder", full)
        assert second.is_on_duty()

    def test_does_a_chore_on_duty_only(self, core: Core) -> None:
        done: list[str] = []
        for name in ("first", "second"):
            Caretaker(core.database).does(lambda name=name: done.append(name))()  # type: ignore[misc]
        assert done == ["first"]

    def test_of_a_catalog_that_does_not_answer_retires_all_the_same(self, core: Core) -> None:
        caretaker = Caretaker(core.database)
        assert caretaker.is_on_duty()
        core.database.close()
        caretaker.retire()
        with pytest.raises(Unavailable):
            caretaker.is_on_duty()
