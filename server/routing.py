"""Which route a request means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from server.urls import API

if TYPE_CHECKING:
    from aiohttp.abc import AbstractRouter
    from aiohttp.web_urldispatcher import AbstractRoute

ROW = re.compile("/{2,}")
ARTIFACTS = "/artifacts/"
REMEMBERED = 2048
LONGEST = 256
"""Characters of a path that is remembered."""


class Router(web.UrlDispatcher):
    """Takes slashes in a row for one, and passes over those at the end of a path of the API, as GitLab does.

    Without a redirect, which clients do not follow for a POST. Encoded slashes are no slashes. What paths meant lately
    is remembered: a dozen routes are tried for some, and those of a pipeline are the same all day.
    """

    _remembered: dict[tuple[str, str], tuple[dict[str, str], AbstractRoute]]

    @classmethod
    def instead_of(cls, router: AbstractRouter) -> None:
        """Make an application's new router over: aiohttp has no setting for it."""
        router.__class__ = cls
        router._remembered = {}  # type: ignore[attr-defined]  # noqa: SLF001 - it is ours now

    async def resolve(self, request: web.Request) -> UrlMappingMatchInfo:
        """Return the route, or what is wrong with the method or the path."""
        path = request.rel_url.raw_path
        key = request.method, path
        if (known := self._remembered.get(key)) is not None:
            return UrlMappingMatchInfo(*known)
        if "//" in path or path.endswith("/"):
            plain = _plain(path)
            if plain.startswith(f"{API}/"):
                request = request.clone(rel_url=request.rel_url.with_path(plain, encoded=True))
        found = await super().resolve(request)
        if found.http_exception is None and len(path) <= LONGEST:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = dict(found), found.route
        return found


def _plain(path: str) -> str:
    """Return a path without slashes that mean nothing; those behind `/artifacts/` belong to names in an archive."""
    place, mark, name = path.partition(ARTIFACTS)
    return ROW.sub("/", place).rstrip("/") + (mark + name if name.strip("/") else mark.rstrip("/"))
