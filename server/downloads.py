"""How content goes out: headers that no browser runs anything by, ranges, and 304 for who has it already."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from server.held import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

UNSAFE_IN_QUOTES = re.compile(r'[^\x20-\x7e]|["\\%]')
RANGE = re.compile(r"(?i)bytes=(\d{0,18})-(\d{0,18})")

OCTETS = "application/octet-stream"
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Transfer-Encoding": "binary",
    "Accept-Ranges": "bytes",
}


class Span(NamedTuple):
    """Bytes [start, end) of a whole."""

    start: int
    end: int


@lru_cache(1024)
def disposition(name: str, kind: str = "attachment") -> str:
    """Return a Content-Disposition (RFC 6266) for the last part of a name, with `filename*` when it is not plain."""
    base = name.rpartition("/")[2] or "file"
    plain = UNSAFE_IN_QUOTES.sub("_", base)
    value = f'{kind}; filename="{plain}"'
    if plain != base:
        value += f"; filename*=UTF-8''{quote(base, safe='', errors='replace')}"
    return value


class Plan(NamedTuple):
    """How a download is answered: the status, the headers, and which bytes of the whole; none with 304 and 416."""

    status: int
    headers: dict[str, str]
    part: Span

    @property
    def is_empty(self) -> bool:
        """Say whether the answer has no body whatever the file holds."""
        return self.status in (304, 416)


def plan(
    request: web.Request, size: int, etag: str, *, name: str, content_type: str, kind: str = "attachment", ranges: bool
) -> Plan:
    """Return how to answer a request for a file: 200, 206 for one range, 304, or 416 for a range outside."""
    headers = {**HEADERS, "Content-Disposition": disposition(name, kind), "ETag": f'"{etag}"'}
    headers["Accept-Ranges"] = "bytes" if ranges else "none"
    if (had := request.headers.get("If-None-Match")) and matches(had, etag):
        return Plan(304, headers, Span(0, 0))
    span = asked_span(request.headers, size, etag) if ranges and request.method == "GET" else None
    if span is not None and span.start >= span.end:
        return Plan(416, {**headers, "Content-Range": f"bytes */{size}"}, Span(0, 0))
    headers["Content-Type"] = content_type
    if span is None:
        return Plan(200, headers, Span(0, size))
    return Plan(206, {**headers, "Content-Range": f"bytes {span.start}-{span.end - 1}/{size}"}, span)


def whole_or_part(
    request: web.Request,
    data: bytes | bytearray | memoryview,
    name: str,
    etag: str,
    content_type: str = OCTETS,
) -> Answer:
    """Answer a download from memory, as `plan` says."""
    status, headers, part = plan(request, len(data), etag, name=name, content_type=content_type, ranges=True)
    return Answer(status, headers, data if status == 200 else memoryview(data)[part.start : part.end])


def matches(header: str, etag: str) -> bool:
    """Say whether an If-None-Match header names the tag (RFC 9110 section 13.1.2, weak comparison)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or f'"{etag}"' in tags


def asked_span(headers: Mapping[str, str], size: int, etag: str) -> Span | None:
    """Return the one range asked for; None when all is to be sent, an empty span when the range is outside.

    Several ranges, another unit, or an If-Range that names another state get the whole (RFC 9110 section 14.2).
    """
    if "Range" not in headers or headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        return None
    found = RANGE.fullmatch(headers["Range"].strip())
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = int(last)
        return Span(max(0, size - length), size) if length else Span(size, size)
    start = int(first)
    if last and int(last) < start:
        return None
    return Span(start, min(int(last) + 1, size) if last else size) if start < size else Span(size, size)
