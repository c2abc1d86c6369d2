"""The address this vault has for its client: clients compare links with the address they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.app_keys import SETTINGS

if TYPE_CHECKING:
    from aiohttp import web

API = "/api/v4"


def base_url(request: web.Request) -> str:
    """Return scheme, host and port without a slash at the end: the setting's, else those of the request."""
    configured = request.app[SETTINGS].external_url
    return configured.rstrip("/") if configured else f"{request.scheme}://{request.host}"
