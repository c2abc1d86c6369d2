"""Offset pagination with GitLab's headers: https://docs.gitlab.com/api/rest/#offset-based-pagination."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from aiohttp import web

from server.downloads import matches
from server.errors import BadRequest, json_answer
from server.logs import SECRET_PARAMETERS
from server.urls import base_url
from vault.models import COUNTED, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

DEFAULT_SIZE, LARGEST_SIZE = 20, 100
LARGEST_PAGE = 2**53
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
    response = json_answer(body, headers=headers(request, page, total))
    assert isinstance(response.body, bytes)
    # With the headers, as a total may change where a page does not.
    tag = hashlib.sha256(response.headers["Link"].encode() + (digest or response.body)).hexdigest()[:32]
    response.headers["ETag"] = f'W/"{tag}"'
    if matches(request.headers.get("If-None-Match", ""), tag):
        return web.Response(status=304, headers={"ETag": f'W/"{tag}"'})
    return response


def cut(request: web.Request, rows: Sequence[T], present: Callable[[T], object]) -> web.Response:
    """Answer with the page asked for out of rows that are all at hand."""
    page = read_page(request)
    chosen = rows[page.offset : page.offset + page.size]
    return answer(request, page, len(rows), [present(row) for row in chosen])


def headers(request: web.Request, page: Page, total: int) -> dict[str, str]:
    """Return the `X-*` headers and `Link` for one page of `total` rows; of very many it is not said how many."""
    last = max(1, -(-total // page.size))
    following = page.number + 1 if page.number < last else None
    # A page past the end has no neighbours, as in GitLab: they would be empty as well.
    previous = page.number - 1 if 1 < page.number <= last else None
    known = total <= COUNTED
    places = {"prev": previous, "next": following, "first": 1, "last": last if known else None}
    links = [f'<{_link(request, place, page.size)}>; rel="{rel}"' for rel, place in places.items() if place]
    return {
        **({"X-Total": str(total), "X-Total-Pages": str(last)} if known else {}),
        "X-Page": str(page.number),
        "X-Per-Page": str(page.size),
        "X-Next-Page": str(following or ""),
        "X-Prev-Page": str(previous or ""),
        "Link": ", ".join(links),
    }


def _link(request: web.Request, number: int, size: int) -> str:
    asked = [(key, value) for key, value in request.query.items() if key not in UNREPEATED]
    named = [(key, request.match_info[key]) for key in ("id",) if key in request.match_info]
    path = request.rel_url.raw_path
    query = urlencode([*named, *asked, ("page", number), ("per_page", size)], quote_via=quote, errors="replace")
    return f"{base_url(request)}{path}?{query}"
