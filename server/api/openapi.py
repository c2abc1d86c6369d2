"""The description of this API: OpenAPI 3.1, made from the routes themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.access import Endpoint
from server.app_keys import ENDPOINTS as SERVED
from server.describing import ANYTHING, gives
from server.errors import json_answer
from server.openapi import described
from server.urls import API, base_url

if TYPE_CHECKING:
    from aiohttp import web


async def show(request: web.Request) -> web.Response:
    """Tell every route, what it takes and what it answers, as OpenAPI 3.1."""
    endpoints = request.app[SERVED]
    return json_answer(described(endpoints, base_url(request)))


ENDPOINTS = (
    Endpoint(
        "GET",
        f"{API}/openapi.json",
        show,
        action="server.openapi",
        open=True,
        about=gives(ANYTHING).refusing({400: "the Host header is invalid"}),
    ),
)
