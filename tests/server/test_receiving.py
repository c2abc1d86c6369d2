"""Few bodies are taken in at the same time, and who sends slowly keeps nobody waiting."""

from __future__ import annotations

import asyncio

import pytest

from server import receiving as module
from server.receiving import Receiving


async def nothing(event: asyncio.Event) -> bytes:
    await event.wait()
    return b"late"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn lasts until it is ended."""
    monkeypatch.setattr(module, "TURN_SECONDS", 3600.0)
    monkeypatch.setattr(module, "IDLE_SECONDS", 3600.0)


@pytest.mark.usefixtures("patient")
async def test_the_next_has_his_turn_when_one_ends() -> None:
    receiving = Receiving(2)
    first, second, third = (receiving.turn() for _ in range(3))
    await first.begin()
    await second.begin()
    await second.begin()
    waiting = asyncio.create_task(third.begin())
    await asyncio.sleep(0.01)
    assert not waiting.done()

    second.end()
    second.end()

    await asyncio.wait_for(waiting, 20)
    again = asyncio.create_task(second.begin())
    await asyncio.sleep(0.01)
    assert not again.done()
    first.end()
    await asyncio.wait_for(again, 20)


async def test_a_turn_is_over_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 3600.0)
    receiving, never = Receiving(1), asyncio.Event()
    slow, other = receiving.turn(), receiving.turn()
    await slow.begin()
    coming = asyncio.create_task(slow.waiting(nothing(never)))

    await asyncio.wait_for(other.begin(), 20)

    other.end()
    never.set()
    assert await coming == b"late"
    await asyncio.wait_for(slow.begin(), 20)


async def test_a_turn_is_over_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 0.01)
    receiving = Receiving(1)
    await receiving.turn().begin()

    await asyncio.wait_for(receiving.turn().begin(), 20)


@pytest.mark.usefixtures("patient")
async def test_what_comes_at_once_is_no_end() -> None:
    receiving, there = Receiving(1), asyncio.Event()
    there.set()
    turn, other = receiving.turn(), receiving.turn()
    await turn.begin()
    assert await turn.waiting(nothing(there)) == b"late"

    waiting = asyncio.create_task(other.begin())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


@pytest.mark.usefixtures("patient")
async def test_who_goes_away_while_waiting_takes_no_turn() -> None:
    receiving = Receiving(1)
    first, gone, third = (receiving.turn() for _ in range(3))
    await first.begin()
    waiting = asyncio.create_task(gone.begin())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    gone.end()
    first.end()

    await asyncio.wait_for(third.begin(), 20)
