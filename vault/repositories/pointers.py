"""Git LFS pointers: the small text that a commit has in the place of a large file.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

# A pointer is shorter, says the specification, so that nobody has to read a large file to find that it is none.
LIMIT = 1024
VERSION = b"version https://git-lfs.github.com/spec/v1"
OID = re.compile(rb"(?m)^oid sha256:([0-9a-f]{64})\r?$")
SIZE = re.compile(rb"(?m)^size ([0-9]{1,18})\r?$")


class Pointer(NamedTuple):
    """What a pointer says of a file: the SHA-256 of its content in hex, and how many bytes that has."""

    oid: str
    size: int


def pointer_in(content: bytes) -> Pointer | None:
    """Return what a blob's content points to, None when it is no pointer."""
    if len(content) >= LIMIT or not content.startswith(VERSION):
        return None
    oid, size = OID.search(content), SIZE.search(content)
    return Pointer(oid[1].decode("ascii"), int(size[1])) if oid and size else None


def pointer_to(content: bytes) -> bytes:
    """Return the pointer that stands for a file of this content, byte for byte as git-lfs writes it."""
    oid = hashlib.sha256(content).hexdigest()
    return b"%b\noid sha256:%b\nsize %d\n" % (VERSION, oid.encode("ascii"), len(content))
