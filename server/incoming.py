"""A form whose part `file` is sealed while it comes: of most files no more than a piece is in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from server import forms
from server.app_keys import OFFLOAD
from server.pipes import Pipe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from server.forms import Values
    from vault.incoming import Incoming


@asynccontextmanager
async def form(request: web.Request, limit: int, begin: Callable[[str | None], Incoming]) -> AsyncIterator[Values]:
    """Give the values that `forms.read` does, for as long as the block runs; what is not finished then is dropped.

    `begin` is given the value of `name`, if that came before the file. A body that was read before, as its token lay
    in it, has its file in memory.
    """
    pipes: list[Pipe[Incoming]] = []

    def sink(name: str | None) -> Pipe[Incoming]:
        pipes.append(Pipe(request.app[OFFLOAD], begin(name)))
        return pipes[-1]

    try:
        yield await forms.read(request, limit, sink=sink)
    finally:
        for pipe in pipes:
            await pipe.close()
