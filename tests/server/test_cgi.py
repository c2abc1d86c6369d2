"""A program behind a request: its answer, its silence, its end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientError, web

from server import cgi, middlewares
from server.app_keys import TRUSTED
from server.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiohttp.test_utils import TestClient

    AiohttpClient = Callable[[web.Application], Awaitable[TestClient]]

HEAD = r"printf 'Status: 202 Accepted\r\nContent-Type: text/x\r\n\r\n'"


class Program:
    """A shell script behind one route."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.done = 0

    def app(self) -> web.Application:
        app = web.Application(middlewares=[middlewares.request_id, middlewares.errors])
        app[TRUSTED] = ()
        app.router.add_post("/", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        environment = {"PATH": os.environ["PATH"], "GREETING": "hello"}
        return await cgi.answer(request, ["sh", "-c", self.script], environment, (), body(request), self.finish)

    async def finish(self) -> None:
        self.done += 1


async def body(request: web.Request) -> AsyncIterator[bytes]:
    while data := await request.content.readany():
        if b"poison" in data:
            raise ValueError("poison")
        yield data


class TestAnAnswer:
    async def test_is_the_programs_status_headers_and_output(self, aiohttp_client: AiohttpClient) -> None:
        program = Program(f'{HEAD}; echo "$GREETING"; cat')
        client = await aiohttp_client(program.app())

        answer = await client.post("/", data=b"x" * 500_000)

        assert (answer.status, answer.headers["Content-Type"]) == (202, "text/x")
        assert await answer.read() == b"hello\n" + b"x" * 500_000
        assert program.done == 1

    async def test_may_come_before_the_body_was_read(self, aiohttp_client: AiohttpClient) -> None:
        client = await aiohttp_client(Program(f"{HEAD}; echo enough").app())

        answer = await client.post("/", data=b"x" * 2_000_000)

        assert await answer.read() == b"enough\n"

    async def test_that_never_comes_is_503(self, aiohttp_client: AiohttpClient) -> None:
        program = Program("cat > /dev/null; echo no header")
        client = await aiohttp_client(program.app())

        assert (await client.post("/", data=b"x")).status == 503
        assert program.done == 0

    async def test_that_stops_for_long_ends_the_program(
        self, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cgi, "SILENCE", 0.3)
        client = await aiohttp_client(Program("cat > /dev/null; sleep 60").app())

        assert (await client.post("/")).status == 503

    async def test_is_broken_off_when_the_body_was(self, aiohttp_client: AiohttpClient) -> None:
        """The program took half a body for all there was: what it says of it is no answer."""
        program = Program(f"{HEAD}; cat > /dev/null; echo all is well")
        client = await aiohttp_client(program.app())

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.sleep(0.1)
            yield b"poison"

        async def ask() -> None:
            answer = await client.post("/", data=pieces())
            await answer.read()

        with pytest.raises(ClientError):
            await ask()
        assert program.done == 0


class TestWhatTheProgramStarted:
    async def test_ends_with_it(
        self, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(cgi, "SILENCE", 0.3)
        noted = tmp_path / "pid"
        client = await aiohttp_client(Program(f"sleep 60 & echo $! > {noted}; wait").app())

        await client.post("/")

        for _ in range(500):
            if not is_running(int(noted.read_text())):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the child of the program still runs")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class TestTurns:
    async def test_are_taken_in_the_order_of_coming_for_each_key(self) -> None:
        turns, order = Turns(), []

        async def take(key: str, number: int) -> None:
            async with turns.of(key):
                order.append((key, number))
                await asyncio.sleep(0.01)
                order.append((key, number))

        await asyncio.gather(*(take(key, number) for number in range(3) for key in "ab"))

        for key in "ab":
            assert [number for each, number in order if each == key] == [0, 0, 1, 1, 2, 2]
        assert order[:2] == [("a", 0), ("b", 0)], "keys do not wait for each other"

    async def test_that_are_over_are_forgotten(self) -> None:
        turns = Turns()
        async with turns.of("a"):
            assert len(turns._locks) == 1

        assert len(turns._locks) == 0
