"""A repository's file as it is: text to be read, pictures to be seen, everything else to be saved; also in ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from server.app_keys import OFFLOAD, SERVICES
from server.downloads import matches
from server.raw_types import SNIFFED, TEXT, Showing, saved_name, showing
from server.sending import send
from vault.repositories.content import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiohttp import web

    from vault.models import Project
    from vault.repositories import File
    from vault.repositories.reading import Reader


@dataclass(frozen=True)
class RawFile:
    """A repository's file as something that can be sent; `held` is its content when that is small enough to hold."""

    reading: Reader
    project: Project
    file: File
    held: bytes | None = None
    ranges: bool = True

    @property
    def size(self) -> int:
        """Return how many bytes it has."""
        return self.file.size

    @property
    def tag(self) -> str:
        """Return the blob's id, which is another wherever a byte is."""
        return self.file.blob_id

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to `stop`."""
        return self.held[start:stop] if self.held is not None else b"".join(self.pieces(start, stop))

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the same in pieces; a program that reads a large file ends with the iterator."""
        at = 0
        with self.reading.pieces(self.project, self.file) as pieces:
            for piece in pieces:
                inside = piece[max(0, start - at) : max(0, stop - at)]
                at += len(piece)
                if inside:
                    yield inside
                if at >= stop:
                    return


async def send_raw(request: web.Request, project: Project, file: File, facts: Mapping[str, str]) -> web.StreamResponse:
    """Answer with a file's content: 200, 206 for one range, 304, or 416 for a range outside; HEAD reads nothing."""
    source = RawFile(request.app[SERVICES].repositories.reading, project, file)
    shown = Showing(TEXT, "inline")
    if request.method == "GET" and not matches(request.headers.get("If-None-Match", ""), source.tag):
        head = await request.app[OFFLOAD].call(source.read, 0, LARGE if file.size <= LARGE else SNIFFED)
        source = replace(source, held=head if file.size <= LARGE else None)
        shown = showing(head)
    name = saved_name(file.name, shown)
    return await send(request, source, name, content_type=shown.content_type, kind=shown.disposition, more=facts)
