"""As what a raw file goes out: text to be read, pictures to be seen, everything else to be saved.

https://docs.gitlab.com/api/repository_files/#get-a-raw-file-from-a-repository. GitLab looks at the first 512 bytes;
unlike it, a PDF is to be saved and not shown in place: like a web page, it could run a program.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SNIFFED = 512
# Bytes that text does not hold (https://mimesniff.spec.whatwg.org/#binary-data-byte).
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
SVG = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE svg[^>]*>\s*)?<svg\b",
    re.IGNORECASE | re.DOTALL,
)
PICTURES = (
    (re.compile(rb"\A\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\A\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\AGIF8[79]a"), "image/gif"),
    (re.compile(rb"\ARIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"\A....ftyp(?:isom|iso2|mp4|avc1|M4V)", re.DOTALL), "video/mp4"),
)
TEXT = "text/plain; charset=utf-8"
ANYTHING = "application/octet-stream"


class Showing(NamedTuple):
    """A Content-Type, and whether a browser shows it in place or saves it."""

    content_type: str
    disposition: str


def showing(head: bytes) -> Showing:
    """Return how to send a file that begins with `head`."""
    head = head[:SNIFFED]
    for pattern, content_type in PICTURES:
        if pattern.match(head):
            return Showing(content_type, "inline")
    if SVG.match(head):
        return Showing("image/svg+xml", "attachment")
    if head.startswith(b"%PDF-"):
        return Showing("application/pdf", "attachment")
    if BINARY.search(head):
        return Showing(ANYTHING, "attachment")
    return Showing(TEXT, "inline")


def saved_name(name: str, shown: Showing) -> str:
    """Return the name to save a file by: a text that a browser would open as a web page loses its extension."""
    return name[: -len(".xhtml")] if shown.content_type == TEXT and name.lower().endswith(".xhtml") else name
