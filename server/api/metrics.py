"""`/metrics`, for Prometheus: numbers of all processes of this server."""

from __future__ import annotations

from aiohttp import web

from server.access import Endpoint, authenticate
from server.app_keys import METRICS, OFFLOAD, SERVICES, SETTINGS, SHARED, TRUSTED
from server.proxies import came_by_a_proxy, networks, within
from vault.errors import Forbidden

PATH = "/metrics"


def note_queues(app: web.Application) -> None:
    """Note how much this process has to do just now."""
    services = app[SERVICES]
    app[METRICS].waiting(
        uploads=app[SHARED].places.taken,
        threads=app[OFFLOAD].pending,
        catalog=services.measures.writing,
        parsers=services.parsers.waiting,
    )


async def metrics(request: web.Request) -> web.Response:
    """Tell the numbers to an address that may have them, or to an administrator."""
    if not _may_read(request):
        caller = await authenticate(request, LOGIN)
        if caller is None or not caller.user.is_admin:
            raise Forbidden
    note_queues(request.app)
    page, kind = await request.app[OFFLOAD].call(request.app[METRICS].page, request.headers.get("Accept", ""))
    return web.Response(body=page, headers={"Content-Type": kind})


def _may_read(request: web.Request) -> bool:
    """Say whether the address is enough.

    What came by a proxy that nobody trusts has the proxy's own address, which is often this machine's.
    """
    peer = str((request.get_extra_info("peername") or ("",))[0])
    if came_by_a_proxy(request.headers) and not within(peer, request.app[TRUSTED]):
        return False
    return within(request.remote or "", networks(request.app[SETTINGS].metrics_from))


LOGIN = Endpoint("GET", PATH, metrics, action="server.metrics")
ENDPOINTS = (Endpoint("GET", PATH, metrics, action="server.metrics", open=True),)
