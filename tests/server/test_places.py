"""How many may upload at one time."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from server.counts import Slots
from server.errors import Refused
from server.forms import FREE
from server.places import FOR_ONE, Places
from tests.harness import ROOT_TOKEN, Client, unique
from tests.reliability.processes import Server
from tests.reliability.slow_clients import SlowUpload
from tests.server.support import MULTIPART, part, request

if TYPE_CHECKING:
    from pathlib import Path
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


class TestSharedPlaces:
    async def test_count_those_of_other_processes(self) -> None:
        slots = Slots()
        places = Places(2, 1, patience=0, slots=slots)
        holding, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            slots.take(0, 1)
            os.write(told, b"x")
            signal.pause()
        os.read(holding, 1)
        try:
            async with places.of("a"):
                with pytest.raises(Refused):
                    await places.of("b").__aenter__()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)  # noqa: ASYNC222 - it is as good as dead

        async with places.of("a"), places.of("b"):
            assert places.taken == 2
        assert places.taken == 0


LARGE = b"x" * (2 * FREE)  # the half that a slow client sends at first is more than is free


def begun(server: Server, client: Client, project: int, stack: ExitStack, count: int) -> list[SlowUpload]:
    """Begin uploads and wait until each has its place, in whichever process."""
    uploads = [stack.enter_context(SlowUpload(client, project, unique("slow"), LARGE)) for _ in range(count)]
    all_have_places(client, count)
    return uploads


def all_have_places(client: Client, count: int) -> None:
    deadline = time.monotonic() + 20
    while f"secure_files_uploads_in_flight {float(count)}" not in client.get("/metrics").body.decode():
        assert time.monotonic() < deadline, "not all of them came to have a place"
        time.sleep(0.05)


class TestSecureFiles:
    @pytest.mark.parametrize("workers", [1, 2])
    def test_of_one_token_that_are_too_many_wait_for_a_place_whichever_process_has_them(
        self, tmp_path: Path, workers: int
    ) -> None:
        """One that waits is taken when another ends; those of another token need not wait."""
        with Server(tmp_path / "data", workers=workers) as server, ExitStack() as stack:
            project, other = server.project(), server.client_with_new_token()
            first, *_ = begun(server, server.root, project, stack, FOR_ONE)
            late = stack.enter_context(SlowUpload(server.root, project, "late", LARGE))
            late.send_rest()
            assert other.upload(project, "of-another", b"x").status == 201
            assert not late.has_answer(0.5)

            assert first.finish().status == 201
            assert late.read_reply().status == 201

    def test_that_find_no_place_in_time_are_told_to_come_again(self, tmp_path: Path) -> None:
        with Server(tmp_path / "data", workers=1) as server, ExitStack() as stack:
            project = server.project()
            begun(server, server.root, project, stack, FOR_ONE)
            answer = server.root.upload(project, "late", LARGE)

            assert (answer.status, answer.json) == (429, {"message": "429 Too Many Requests"})
            assert answer.headers["Retry-After"] == "10"

    def test_that_have_hardly_begun_take_no_place(self, tmp_path: Path) -> None:
        with Server(tmp_path / "data", workers=1) as server, ExitStack() as stack:
            project = server.project()
            for number in range(FOR_ONE):
                stack.enter_context(SlowUpload(server.root, project, f"slow-{number}", bytes(FREE)))

            assert server.root.upload(project, "quick", LARGE).status == 201

    def test_whose_sender_is_not_known_yet_have_places_by_address(self, tmp_path: Path) -> None:
        """The token may be a field of the form, which has to be read first."""
        with Server(tmp_path / "data", workers=1) as server:
            project = server.project()
            nobody = Client(server.url, None)

            assert nobody.upload(project, "a", LARGE, private_token=ROOT_TOKEN).status == 201
            assert nobody.upload(project, "b", LARGE).status == 401


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
            all_have_places(vault.root, FOR_ONE)
            late = stack.enter_context(socket.create_connection((place.hostname, place.port)))
            whole = body + b"\r\n--frontier--\r\n"
            late.sendall(request("POST", path, lines, whole))
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                late.recv(1)

            begun[0].close()
            late.settimeout(10)

            assert late.recv(20).startswith(b"HTTP/1.1 201")
