"""A program that answers a request by the rules of CGI (RFC 3875), its input and output streamed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

PIECE = 64 * 1024
HEAD_LIMIT = 16 * 1024
# A push of a large history is checked for minutes without a word.
SILENCE = 600.0
ENDING = 5.0


async def answer(
    request: web.Request,
    command: Sequence[str],
    environment: Mapping[str, str],
    inherit: Sequence[int],
    body: AsyncIterator[bytes],
    done: Callable[[], Awaitable[None]],
) -> web.StreamResponse:
    """Start the program, feed it the body, and send what it answers; `done` is awaited before the answer's end.

    The program and all it starts are ended when the client goes away, or when neither side says anything for long.
    Raises `Unavailable` when it ends without an answer, and what `body` raised when that was why.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        pass_fds=tuple(inherit),
        process_group=0,
    )
    conversation = _Conversation(process, body)
    response = None
    try:
        response = await conversation.head()
        await response.prepare(request)
        async for piece in conversation.output():
            await response.write(piece)
        await process.wait()
        conversation.refuse_half_a_body()
        await done()
        await response.write_eof()
    except BaseException:
        if response is not None and response.prepared and request.transport is not None:
            # The status is out: only a broken connection can still say that the answer is not whole.
            request.transport.abort()
        raise
    finally:
        await conversation.end()
    return response


class _Conversation:
    """The two streams of a running program, which is asked to end when both are silent for long."""

    def __init__(self, process: asyncio.subprocess.Process, body: AsyncIterator[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._silence: asyncio.TimerHandle | None = None
        self._note()
        self._feeding = asyncio.create_task(self._feed(body))

    async def head(self) -> web.StreamResponse:
        """Return the answer that the program's header lines begin."""
        try:
            lines = await self._stdout.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.refuse_half_a_body()
            raise Unavailable("a program ended without an answer") from None
        response = web.StreamResponse()
        for line in lines.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "status":
                response.set_status(int(value.split()[0]))
            elif value:
                response.headers[name] = value.strip()
        return response

    async def output(self) -> AsyncIterator[bytes]:
        """Yield what the program says behind its header lines."""
        while piece := await self._stdout.read(PIECE):
            self._note()
            yield piece

    def refuse_half_a_body(self) -> None:
        """Raise what kept the body from being read to its end: the program took it for all there is."""
        if self._feeding.done():
            self._feeding.result()

    async def _feed(self, body: AsyncIterator[bytes]) -> None:
        try:
            async for piece in body:
                self._note()
                self._stdin.write(piece)
                with suppress(BrokenPipeError, ConnectionResetError):  # the program has heard enough
                    await self._stdin.drain()
        finally:
            self._stdin.close()

    def _note(self) -> None:
        """Begin to wait anew for a word of either side."""
        if self._silence is not None:
            self._silence.cancel()
        self._silence = asyncio.get_running_loop().call_later(SILENCE, self._signal, signal.SIGTERM)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def end(self) -> None:
        """End the program, if it has not ended yet, and let go of its pipes."""
        try:
            await self._end_program()
        finally:
            # What it said and nobody heard would keep its pipe open beyond the loop's end: asyncio has no public way.
            self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001

    async def _end_program(self) -> None:
        """Ask first, so that git removes its unfinished files."""
        if self._silence is not None:
            self._silence.cancel()
        cut_off = self._feeding.done() and not self._feeding.cancelled() and self._feeding.exception() is not None
        self._feeding.cancel()
        await asyncio.gather(self._feeding, return_exceptions=True)
        # Who has heard half of a body and then its end tidies up unasked.
        for number in (0, signal.SIGTERM) if cut_off else (signal.SIGTERM,):
            await self._wait_after(number)
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    async def _wait_after(self, number: int) -> None:
        if self._process.returncode is None:
            self._signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(ENDING):
                    await self._process.wait()
