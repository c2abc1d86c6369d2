"""How many may upload at one time."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from server.errors import Refused
from server.places import FOR_ONE, Places
from tests.harness import ROOT_TOKEN
from tests.server.support import MULTIPART, part, request

if TYPE_CHECKING:
    from typing import Any

    from tests.harness import RunningVault


class TestPlaces:
    async def test_are_had_at_once_while_there_are_some(self) -> None:
        places = Places(2, 1, patience=0)

        async with places.of("a"), places.of("b"):
            pass
        async with places.of("a"), places.of("c"):
            pass

    @pytest.mark.parametrize("keys", [("a", "b", "c"), ("a", "a")], ids=["in all", "for one"])
    async def test_are_refused_when_there_are_none_in_time(self, keys: tuple[str, ...]) -> None:
        places = Places(2, 1, patience=0.01)
        *had, late = (places.of(key) for key in keys)
        for place in had:
            await place.__aenter__()

        with pytest.raises(Refused) as caught:
            await late.__aenter__()

        assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "10")
        for place in had:
            await place.__aexit__(None, None, None)
        async with places.of(keys[-1]):
            pass

    async def test_are_waited_for(self) -> None:
        places, order = Places(1, 1, patience=5), []

        async def come(name: str) -> None:
            async with places.of(name):
                order.append(name)
                await asyncio.sleep(0.01)

        await asyncio.gather(*(come(name) for name in "abc"))

        assert order == ["a", "b", "c"]

    async def test_of_one_who_has_too_many_keep_nobody_else_out(self) -> None:
        places = Places(3, 2, patience=0.5)

        async with places.of("many"), places.of("many"):
            waiting = asyncio.create_task(places.of("many").__aenter__())
            await asyncio.sleep(0)
            async with places.of("other"):
                pass
            waiting.cancel()


class TestUploads:
    def test_of_one_token_that_are_too_many_wait_for_a_place(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        """The first ones are begun and stay so; one of them ends, and the one that waited is taken."""
        body = b"--frontier\r\n" + part("file", b"x" * 1000, "a")
        path, lines = f"/api/v4/projects/{project['id']}/uploads", {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART}
        head = request("POST", path, {**lines, "Content-Length": "100000", "Expect": "100-continue"})
        place = urlsplit(vault.url)
        with ExitStack() as stack:
            begun = [
                stack.enter_context(socket.create_connection((place.hostname, place.port))) for _ in range(FOR_ONE)
            ]
            for connection in begun:
                connection.sendall(head)
            for connection in begun:
                assert connection.recv(100).startswith(b"HTTP/1.1 100")
                connection.sendall(body)
            late = stack.enter_context(socket.create_connection((place.hostname, place.port)))
            whole = body + b"\r\n--frontier--\r\n"
            late.sendall(request("POST", path, lines, whole))
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                late.recv(1)

            begun[0].close()
            late.settimeout(10)

            assert late.recv(20).startswith(b"HTTP/1.1 201")
