"""What processes count together: windows of time, and numbers of which each is had once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from server.counts import Slots, Windows

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def in_a_child(work: Callable[[], int]) -> int:
    """Fork, and return what the child says, a number below 256; it is dead by then."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work())
        finally:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class TestWindows:
    def test_begin_with_the_first_of_a_key_and_end_after_their_time(self) -> None:
        clock = Clock()
        windows = Windows(60, clock=clock)

        assert windows.add("a") == (1, 60.0)
        clock.now += 59
        assert windows.add("a") == (2, 1.0)
        assert windows.add("b") == (1, 60.0)
        clock.now += 1
        assert windows.add("a") == (1, 60.0)

    def test_count_what_all_processes_add(self) -> None:
        windows = Windows(60)

        assert [in_a_child(lambda: windows.add("a")[0]) for _ in range(3)] == [1, 2, 3]
        assert windows.add("a")[0] == 4

    def test_lose_nothing_when_processes_add_at_one_time(self) -> None:
        windows, count = Windows(600), 2000
        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                for number in range(count):
                    windows.add(f"key {number % 10}")
                os._exit(0)
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)

        assert [windows.add(f"key {number}")[0] for number in range(10)] == [3 * count // 10 + 1] * 10

    def test_forget_whom_they_have_not_seen_for_longest(self) -> None:
        clock = Clock()
        windows = Windows(60, keys=2, clock=clock)
        for key in ("a", "b", "a", "c"):
            clock.now += 1
            windows.add(key)

        assert windows.add("a")[0] == 3
        assert windows.add("b")[0] == 1

    def test_take_as_much_memory_whoever_comes(self) -> None:
        windows = Windows(60, keys=800)
        before = len(windows._memory)
        for number in range(5000):
            windows.add(f"address {number}")

        assert len(windows._memory) == before <= 800 * 32

    def test_take_any_text_for_a_key(self) -> None:
        assert Windows(60).add("\udcff" + "x" * 10_000)[0] == 1


class TestSlots:
    def test_are_had_once_each(self) -> None:
        slots = Slots()

        assert [slots.take(5, 2), slots.take(5, 2), slots.take(5, 2)] == [5, 6, None]
        slots.give_back(5)
        assert slots.take(5, 2) == 5

    def test_of_another_process_are_not_to_be_had_until_it_gives_them_back(self) -> None:
        slots = Slots()
        slots.take(0, 1)

        assert in_a_child(lambda: 1 if slots.take(0, 2) == 1 else 0) == 1
        assert in_a_child(lambda: 1 if slots.take(0, 1) is None else 0) == 1
        slots.give_back(0)
        assert in_a_child(lambda: 1 if slots.take(0, 1) == 0 else 0) == 1

    def test_of_a_process_that_died_are_free_again(self) -> None:
        slots = Slots()
        assert in_a_child(lambda: slots.take(0, 1) or 0) == 0

        assert slots.take(0, 1) == 0

    @pytest.mark.parametrize("first", [1 << 40, (1 << 40) * 4096])
    def test_may_have_large_numbers(self, first: int) -> None:
        slots = Slots()

        assert slots.take(first, 16) == first
