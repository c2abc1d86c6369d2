"""Which route a request means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from server.urls import API

if TYPE_CHECKING:
    from aiohttp.web_urldispatcher import UrlMappingMatchInfo


class Router(web.UrlDispatcher):
    """Passes over slashes at the end of a path of the API, as GitLab does: no redirect, which clients do not follow."""

    async def resolve(self, request: web.Request) -> UrlMappingMatchInfo:
        """Return the route, or what is wrong with the method or the path."""
        path = request.rel_url.raw_path
        if path.endswith("/") and path.startswith(f"{API}/"):
            request = request.clone(rel_url=request.rel_url.with_path(path.rstrip("/"), encoded=True))
        return await super().resolve(request)
