"""The style, the script and the picture of the pages, under addresses that change with what they hold."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

TYPES = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


def content(name: str) -> bytes:
    """Return a file's bytes; `name` is one of `TYPES`."""
    return resources.files("server.web").joinpath("static", name).read_bytes()


@cache
def versioned(name: str) -> str:
    """Return the address of a file: after an upgrade no browser pairs new pages with a style that it kept."""
    return f"/-/static/{name}?{hashlib.sha256(content(name)).hexdigest()[:8]}"
