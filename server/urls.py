"""The address this vault has for its client: clients compare links with the address they were given."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from server.app_keys import SETTINGS
from server.errors import BadRequest

if TYPE_CHECKING:
    from aiohttp import web

API = "/api/v4"
HOST = re.compile(r"[A-Za-z0-9._\-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")


def base_url(request: web.Request) -> str:
    """Return scheme, host and port without a slash at the end: the setting's, else those of the request.

    Raises `BadRequest` for a Host header that is no host: it would stand in links and headers as it is.
    """
    if configured := request.app[SETTINGS].external_url:
        return configured.rstrip("/")
    host = request.host
    if not is_host(host):
        raise BadRequest("the Host header is invalid")
    return f"{request.scheme}://{host}"


@lru_cache(64)
def is_host(text: str) -> bool:
    """Say whether this is the name or the address of a host, with or without a port."""
    return HOST.fullmatch(text) is not None
