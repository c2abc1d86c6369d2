"""What the application and a request carry, by typed key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from server.metrics import Metrics
from server.offload import Offload
from server.readiness import Readiness
from server.receiving import Receiving
from server.settings import Settings
from server.shared import Shared
from server.turns import Turns
from server.wiring import Services

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from server.access import Endpoint
    from server.auditing import Audited, Logins
    from server.proxies import Network
    from server.room import Room
    from vault.models import Principal

SERVICES = web.AppKey("services", Services)
SETTINGS = web.AppKey("settings", Settings)
OFFLOAD = web.AppKey("offload", Offload)
SHARED = web.AppKey("shared", Shared)
METRICS = web.AppKey("metrics", Metrics)
ROOM: web.AppKey[Room] = web.AppKey("room", object)  # type: ignore[arg-type]
RECEIVING = web.AppKey("receiving", Receiving)
TURNS = web.AppKey("turns", Turns)
GIT_SLOTS = web.AppKey("git_slots", asyncio.Semaphore)
# Every endpoint that is served.
ENDPOINTS: web.AppKey[tuple[Endpoint, ...]] = web.AppKey("endpoints", tuple)
TRUSTED: web.AppKey[Sequence[Network]] = web.AppKey("trusted", tuple)
READINESS = web.AppKey("readiness", Readiness)
DRAINING = web.AppKey("draining", asyncio.Event)

LOGINS: web.AppKey[Logins] = web.AppKey("logins", object)  # type: ignore[arg-type]

PRINCIPAL: web.RequestKey[Principal | None] = web.RequestKey("principal", object)  # type: ignore[arg-type]
AUDITED: web.RequestKey[Audited] = web.RequestKey("audited", object)  # type: ignore[arg-type]
REQUEST_ID = web.RequestKey("request_id", str)
QUOTA: web.RequestKey[dict[str, str]] = web.RequestKey("quota", dict)
"""The headers that tell of a limit on requests, or warn; the same dictionary in every copy of the request."""
TAKE_PLACE: web.RequestKey[Callable[[], Awaitable[None]] | None] = web.RequestKey("take_place", object)  # type: ignore[arg-type]
"""What a body that is kept in memory has to call before it grows; None once that was done."""
