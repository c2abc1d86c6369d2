"""A body of a GET. It changes nothing, and who sent it is told so, beside the answer that he has anyway.

As the `Warning` in which Kubernetes tells of fields that it does not know: clients pass over it, `curl -i` and logs of
requests show it, and the body stays what it was.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from aiohttp import ClientError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from server import forms
from server.app_keys import QUOTA
from server.errors import BadRequest, Refused
from vault.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

# A longer body, or one that is not there in time, is ignored without saying what is in it.
LIMIT = 64 * forms.KIB
PATIENCE_SECONDS = 1.0
PLAIN = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
MOST = 10
UNREADABLE = (BadRequest, Refused, TooLarge, TimeoutError, HttpProcessingError, RequestPayloadError, ClientError)


async def warn(request: web.Request) -> None:
    """Have the answer name what is in the body of a request that takes nothing from it, whatever is wrong with it."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            names = await forms.names(request, LIMIT)
    except UNREADABLE:
        _tell(request, "ignored")
        return
    if names:
        _tell(request, f"ignored: {_listed(names)}")


def _tell(request: web.Request, what: str) -> None:
    text = f"a {request.method} takes nothing from its body, {what}; to write, use POST or PUT"
    request[QUOTA]["Warning"] = f'299 - "{text}"'


def _listed(names: Iterable[str]) -> str:
    """Return names as a header may hold them; those that are none are counted."""
    names = list(names)
    shown = [name for name in names if PLAIN.fullmatch(name)][:MOST]
    more = len(names) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])
