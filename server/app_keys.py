"""What the application and a request carry, by typed key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from server.guessing import Guesses
from server.offload import Offload
from server.places import Places
from server.settings import Settings
from server.turns import Turns
from server.wiring import Services

if TYPE_CHECKING:
    from server.access import Endpoint
    from vault.models import Principal

SERVICES = web.AppKey("services", Services)
SETTINGS = web.AppKey("settings", Settings)
OFFLOAD = web.AppKey("offload", Offload)
GUESSES = web.AppKey("guesses", Guesses)
TURNS = web.AppKey("turns", Turns)
PLACES = web.AppKey("places", Places)
GIT_SLOTS = web.AppKey("git_slots", asyncio.Semaphore)
# Every endpoint that is served.
ENDPOINTS: web.AppKey[tuple[Endpoint, ...]] = web.AppKey("endpoints", tuple)
DRAINING = web.AppKey("draining", asyncio.Event)

PRINCIPAL: web.RequestKey[Principal | None] = web.RequestKey("principal", object)  # type: ignore[arg-type]
REQUEST_ID = web.RequestKey("request_id", str)
