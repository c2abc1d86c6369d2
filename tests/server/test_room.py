"""The memory of whole answers: few are made at once, nobody waits for a client for long, and buffers are used again."""

from __future__ import annotations

import asyncio

import pytest

from server import room as module
from server.room import AT_ONCE, MIB, Room, Share


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.01)


async def test_the_next_has_its_turn_when_one_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 3600.0)
    room = Room()
    shares = [await room.take(MIB) for _ in range(AT_ONCE)]
    waiting = asyncio.create_task(room.take(MIB))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert room.taken == AT_ONCE * MIB

    assert shares[1] is not None
    shares[1].give_back()

    assert await waiting is not None


async def test_clients_that_do_not_read_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 0.001)
    room = Room()

    async with asyncio.timeout(20):
        shares = [await room.take(MIB) for _ in range(5 * AT_ONCE)]

    assert all(shares)
    assert room.taken == 5 * AT_ONCE * MIB


async def test_there_is_no_more_than_there_is() -> None:
    room = Room(3 * MIB)
    first = await room.take(2 * MIB)
    assert first is not None
    assert await room.take(2 * MIB) is None

    first.give_back()
    first.give_back()

    assert room.taken == 0
    assert await room.take(2 * MIB) is not None


async def test_who_gives_up_waiting_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 3600.0)
    room = Room()
    shares = [await room.take(MIB) for _ in range(AT_ONCE)]
    waiting = asyncio.create_task(room.take(MIB))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])

    for share in shares:
        assert share is not None
        share.give_back()
    assert room.taken == 0
    assert [await room.take(MIB) for _ in range(AT_ONCE)].count(None) == 0


async def test_memory_is_used_again_and_given_up_when_nobody_wants_it() -> None:
    room = Room()
    first = await room.take(2 * MIB)
    assert first is not None
    memory = first.memory()
    memory[:5] = b"first"
    first.give_back()

    second = await room.take(MIB)
    assert second is not None
    assert bytes(second.memory()[:5]) == b"first"  # whoever takes it writes over all of it
    assert len(second.memory()) == MIB
    second.give_back()

    await asyncio.sleep(0.2)
    third = await room.take(MIB)
    assert third is not None
    assert bytes(third.memory()[:5]) == bytes(5)


async def test_an_answer_that_is_collected_in_another_thread_gives_its_room_back() -> None:
    room = Room()
    share = await room.take(2 * MIB)
    assert share is not None
    share.memory()

    await asyncio.to_thread(share.give_back)
    await asyncio.sleep(0)

    assert room.taken == 0


def test_an_answer_that_is_collected_when_all_is_over_is_nobodys_trouble() -> None:
    async def taken() -> Share | None:
        share = await Room().take(2 * MIB)
        assert share is not None
        share.memory()
        return share

    share = asyncio.run(taken())

    assert share is not None
    share.give_back()
