"""From the loop into a writer that blocks: in order, whole, no further ahead than is bearable, and errors are heard."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from server.offload import Offload
from server.pipes import AT_ONCE, BEHIND, PIECE, SMALL, Pipe
from vault.errors import StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterator


class Slow:
    """A writer that goes on when it is let, and may fail."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.threads: set[str] = set()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.full_at = 1 << 60
        self.writing = self.closed = False

    def write(self, data: bytes | bytearray) -> None:
        self.writing = True
        self.may_go_on.wait(20)
        self.threads.add(threading.current_thread().name)
        if len(self.content) >= self.full_at:
            self.writing = False
            raise StorageFull("the disk is full")
        self.content += data
        self.writing = False

    def close(self) -> None:
        assert not self.writing
        self.closed = True


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload(2)
    yield made
    made.close()


def pieces(size: int, piece: int) -> list[bytes]:
    return [bytes([at // piece % 251]) * min(piece, size - at) for at in range(0, size, piece)]


async def sent(pipe: Pipe[Slow], content: list[bytes]) -> None:
    for data in content:
        await pipe.write(data)


@pytest.mark.parametrize("piece", [1000, PIECE - 1, PIECE, 3 * BEHIND])
async def test_all_of_it_arrives_in_order(offload: Offload, piece: int) -> None:
    content, writer = pieces(2 * AT_ONCE + 5, piece), Slow()
    pipe = Pipe(offload, writer)
    await sent(pipe, content)
    await pipe.flush()

    assert writer.content == b"".join(content)
    await pipe.close()
    assert writer.closed


async def test_what_is_small_needs_no_thread(offload: Offload) -> None:
    writer = Slow()
    pipe = Pipe(offload, writer)
    await pipe.write(bytes(SMALL))
    await pipe.flush()

    assert writer.threads == {threading.current_thread().name}
    await pipe.close()


async def test_who_sends_waits_while_the_writer_is_behind(offload: Offload) -> None:
    writer, taken = Slow(), 0
    writer.may_go_on.clear()
    pipe = Pipe(offload, writer)

    async def send() -> None:
        nonlocal taken
        for data in pieces(4 * BEHIND, PIECE):
            await pipe.write(data)
            taken += len(data)

    sending = asyncio.create_task(send())
    await asyncio.sleep(0.1)
    assert taken < BEHIND

    writer.may_go_on.set()
    await asyncio.wait_for(sending, 20)
    await pipe.flush()
    assert len(writer.content) == 4 * BEHIND
    await pipe.close()


async def test_an_error_is_heard_by_who_sends_on_or_ends(offload: Offload) -> None:
    writer = Slow()
    writer.full_at = PIECE
    pipe = Pipe(offload, writer)

    with pytest.raises(StorageFull):
        await sent(pipe, pieces(4 * BEHIND, PIECE))
    with pytest.raises(StorageFull):
        await pipe.flush()

    await pipe.close()
    assert writer.closed
    assert len(writer.content) == PIECE


async def test_an_error_in_the_last_piece_is_heard_at_the_end(offload: Offload) -> None:
    writer = Slow()
    writer.full_at = 0
    pipe = Pipe(offload, writer)
    await pipe.write(bytes(PIECE))

    with pytest.raises(StorageFull):
        await pipe.flush()
    await pipe.close()


async def test_the_writer_is_closed_when_nobody_writes_any_more(offload: Offload) -> None:
    writer = Slow()
    writer.may_go_on.clear()
    pipe = Pipe(offload, writer)
    await pipe.write(bytes(2 * PIECE))
    closing = asyncio.create_task(pipe.close())
    await asyncio.sleep(0.05)
    assert not writer.closed

    writer.may_go_on.set()
    await asyncio.wait_for(closing, 20)
    assert writer.closed


async def test_who_goes_away_while_waiting_leaves_it_in_order(offload: Offload) -> None:
    writer = Slow()
    writer.may_go_on.clear()
    pipe = Pipe(offload, writer)
    sending = asyncio.create_task(pipe.write(bytes(2 * BEHIND)))
    await asyncio.sleep(0.05)
    sending.cancel()
    await asyncio.wait([sending])

    writer.may_go_on.set()
    await asyncio.wait_for(pipe.close(), 20)
    assert writer.closed
