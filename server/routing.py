"""Which route a request means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from server.urls import API

if TYPE_CHECKING:
    from aiohttp.web_urldispatcher import UrlMappingMatchInfo


ROW = re.compile("/{2,}")


ARTIFACTS = "/artifacts/"


class Router(web.UrlDispatcher):
    """Takes slashes in a row for one, and passes over those at the end of a path of the API, as GitLab does.

    Without a redirect, which clients do not follow for a POST. Encoded slashes are no slashes.
    """

    async def resolve(self, request: web.Request) -> UrlMappingMatchInfo:
        """Return the route, or what is wrong with the method or the path."""
        path = request.rel_url.raw_path
        if "//" in path or path.endswith("/"):
            plain = _plain(path)
            if plain.startswith(f"{API}/"):
                request = request.clone(rel_url=request.rel_url.with_path(plain, encoded=True))
        return await super().resolve(request)


def _plain(path: str) -> str:
    """Return a path without slashes that mean nothing; those behind `/artifacts/` belong to names in an archive."""
    place, mark, name = path.partition(ARTIFACTS)
    return ROW.sub("/", place).rstrip("/") + (mark + name if name.strip("/") else mark.rstrip("/"))
