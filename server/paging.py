"""Offset pagination with GitLab's headers: https://docs.gitlab.com/api/rest/#offset-based-pagination."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from aiohttp import web

from server.downloads import matches
from server.errors import BadRequest, json_answer
from server.logs import SECRET_PARAMETERS
from server.urls import base_url
from vault.models import COUNTED, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

DEFAULT_SIZE, LARGEST_SIZE = 20, 100
LARGEST_PAGE = 2**53
REMEMBERED = 512
"""Characters of an address whose headers are remembered."""
UNREPEATED = SECRET_PARAMETERS | {"page", "per_page"}


def read_page(request: web.Request) -> Page:
    """Return the page asked for; more than 100 rows are quietly 100. Raises `BadRequest`."""
    number = _number(request, "page", 1)
    size = _number(request, "per_page", DEFAULT_SIZE)
    if size == 0:
        raise BadRequest("per_page has a value not allowed")
    for name, value in (("page", number), ("per_page", size)):
        if value < 1:
            raise BadRequest(f"{name} does not have a valid value")
    return Page(min(number, LARGEST_PAGE), min(size, LARGEST_SIZE))


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.getall(name, [""])[-1]
    if not text:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise BadRequest(f"{name} is invalid")
    return int(text[:30])


def answer(request: web.Request, page: Page, total: int, body: object, digest: bytes | None = None) -> web.Response:
    """Answer with one page as JSON, or 304 when the client has exactly this already.

    `digest` stands for the body where it is known: hashing a page costs more than all else that is done for it.
    """
    told = headers(request, page, total)
    response = json_answer(body, headers=told)
    assert isinstance(response.body, bytes)
    tag = _tag(told["Link"], digest or hashlib.sha256(response.body).digest())
    response.headers["ETag"] = f'W/"{tag}"'
    if (had := request.headers.get("If-None-Match")) and matches(had, tag):
        return web.Response(status=304, headers={"ETag": f'W/"{tag}"'})
    return response


def cut(request: web.Request, rows: Sequence[T], present: Callable[[T], object]) -> web.Response:
    """Answer with the page asked for out of rows that are all at hand."""
    page = read_page(request)
    chosen = rows[page.offset : page.offset + page.size]
    return answer(request, page, len(rows), [present(row) for row in chosen])


def headers(request: web.Request, page: Page, total: int) -> Mapping[str, str]:
    """Return the `X-*` headers and `Link` for one page of `total` rows; of very many it is not said how many."""
    asked = [(key, value) for key, value in request.query.items() if key not in UNREPEATED]
    if (project := request.match_info.get("id")) is not None:
        asked.insert(0, ("id", project))
    make = _headers if len(request.raw_path) > REMEMBERED else _remembered
    return make(base_url(request) + request.rel_url.raw_path, tuple(asked), page, total, counted=total <= COUNTED)


def _headers(
    address: str, asked: tuple[tuple[str, str], ...], page: Page, total: int, *, counted: bool
) -> Mapping[str, str]:
    last = max(1, -(-total // page.size))
    following = page.number + 1 if page.number < last else None
    # A page past the end has no neighbours, as in GitLab: they would be empty as well.
    previous = page.number - 1 if 1 < page.number <= last else None
    places = {"prev": previous, "next": following, "first": 1, "last": last if counted else None}
    begin = urlencode([*asked, ("page", "")], quote_via=quote, errors="replace")
    links = [f'<{address}?{begin}{place}&per_page={page.size}>; rel="{rel}"' for rel, place in places.items() if place]
    return {
        **({"X-Total": str(total), "X-Total-Pages": str(last)} if counted else {}),
        "X-Page": str(page.number),
        "X-Per-Page": str(page.size),
        "X-Next-Page": str(following or ""),
        "X-Prev-Page": str(previous or ""),
        "Link": ", ".join(links),
    }


_remembered = lru_cache(1024)(_headers)


@lru_cache(1024)
def _tag(link: str, digest: bytes) -> str:
    """Return the tag of a page: with its headers, as a total may change where a page does not."""
    return hashlib.sha256(link.encode() + digest).hexdigest()[:32]
