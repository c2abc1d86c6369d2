"""A repository's file as it is: from memory when small, else streamed from git piece by piece, ranges either way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web

from server.app_keys import OFFLOAD, SERVICES
from server.downloads import HEADERS, Span, asked_span, disposition, matches
from server.raw_types import TEXT, saved_name, showing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vault.models import Project
    from vault.repositories import File

log = logging.getLogger("secure_files.server")

# Up to this a file is read whole before the status line, so that a damaged one is a clean 500.
WHOLE = 4 * 1024 * 1024
# Whoever has the file may keep it, and asks whether it is still the one: a blob's id says so for ever.
CACHING = "private, max-age=0, must-revalidate"


async def send_raw(request: web.Request, project: Project, file: File, facts: Mapping[str, str]) -> web.StreamResponse:
    """Answer with a file's content: 200, 206 for one range, 304, or 416 for a range outside."""
    headers = {**HEADERS, **facts, "Cache-Control": CACHING, "ETag": f'"{file.blob_id}"'}
    if matches(request.headers.get("If-None-Match", ""), file.blob_id):
        return web.Response(status=304, headers=headers)
    if request.method == "HEAD":
        shown = {"Content-Disposition": disposition(file.name, "inline"), "Content-Length": str(file.size)}
        return web.Response(headers={**headers, **shown, "Content-Type": TEXT})
    span = asked_span(request.headers, file.size, file.blob_id)
    if span is not None and span.start >= span.end:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{file.size}"})
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{file.size}"
    status, part = (200, Span(0, file.size)) if span is None else (206, span)
    if file.size > WHOLE:
        return await _stream(request, project, file, web.StreamResponse(status=status, headers=headers), part)
    reading = request.app[SERVICES].repositories.reading
    content = await request.app[OFFLOAD].call(reading.content, project, file)
    headers.update(_type(file, content))
    return web.Response(status=status, headers=headers, body=content[part.start : part.end])


def _type(file: File, head: bytes) -> dict[str, str]:
    shown = showing(head)
    name = disposition(saved_name(file.name, shown), shown.disposition)
    return {"Content-Type": shown.content_type, "Content-Disposition": name}


async def _stream(
    request: web.Request, project: Project, file: File, response: web.StreamResponse, part: Span
) -> web.StreamResponse:
    """Send the part while it is read; the type is told by the first piece, whichever part is sent."""
    offload = request.app[OFFLOAD]
    opened = request.app[SERVICES].repositories.reading.pieces(project, file)
    pieces = await offload.call(opened.__enter__)
    try:
        first = await offload.call(next, pieces, b"")
        response.headers.update(_type(file, first))
        response.content_length = part.end - part.start
        await response.prepare(request)
        rest = _cut(_chain(first, pieces), part)
        while piece := await offload.call(next, rest, b""):
            await response.write(piece)
        await response.write_eof()
    except Exception:
        if response.prepared and request.transport is not None:
            # The status is out: only a broken connection can still say that something went wrong.
            request.transport.abort()
        raise
    finally:
        opened.__exit__(None, None, None)  # which kills a program: quick, and has to happen at a shutdown too
    return response


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _cut(pieces: Iterator[bytes], part: Span) -> Iterator[bytes]:
    """Yield what of the pieces lies in the part, nothing of it empty."""
    at = 0
    for piece in pieces:
        inside = piece[max(0, part.start - at) : max(0, part.end - at)]
        at += len(piece)
        if inside:
            yield inside
        if at >= part.end:
            return
