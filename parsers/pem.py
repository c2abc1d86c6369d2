"""PEM (RFC 7468) as people really have it: text around the blocks, byte order marks, several blocks, odd labels."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parsers.interface import Unreadable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_BEGIN = b"-----BEGIN "
_BEGIN_LINE = re.compile(rb"-----BEGIN ([A-Z0-9 #.]{1,64})-----")
_HEADER = re.compile(rb"^[A-Za-z0-9-]+:.*(?:\r?\n[ \t].*)*", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """What stood between a BEGIN and an END line: its label, its headers (RFC 1421), its text without them."""

    label: str
    headers: bytes
    body: bytes

    def decode(self) -> bytes:
        """Return the bytes in the block. Raises `Unreadable("malformed")` when it is not base64."""
        try:
            return base64.b64decode(b"".join(self.body.split()), validate=True)
        except binascii.Error:
            raise Unreadable("malformed") from None


def is_pem(data: bytes) -> bool:
    """Tell whether a BEGIN line occurs anywhere in the data."""
    return _BEGIN in data


def has_block(head: bytes, labels: Collection[str]) -> bool:
    """Tell whether a file's beginning shows a block with one of these labels; whole or not does not matter."""
    return _BEGIN in head and any(match[1].decode("ascii") in labels for match in _BEGIN_LINE.finditer(head))


def unwrap(data: bytes, labels: Collection[str]) -> bytes:
    """Return the bytes of the first block with one of these labels; data that is not PEM as it is.

    Raises `Unreadable`: "unrecognized" when there is no such block, "truncated" as `blocks` does, "malformed".
    """
    return first(data, labels).decode() if is_pem(data) else data


def first(data: bytes, labels: Collection[str]) -> Block:
    """Return the first block with one of these labels. Raises `Unreadable` as `unwrap` does."""
    found = [block for block in blocks(data) if block.label in labels]  # all of them: the last may be cut short
    if not found:
        raise Unreadable("unrecognized")
    return found[0]


def blocks(data: bytes) -> Iterator[Block]:
    """Yield the blocks in order.

    Raises `Unreadable("truncated")` when a block has no END line, also a last one of which only a beginning is left:
    a chain that was cut short must not pass for a shorter chain.
    """
    at = 0
    while match := _BEGIN_LINE.search(data, at):
        end_line = b"-----END " + match[1] + b"-----"
        end = data.find(end_line, match.end())
        if end < 0:
            raise Unreadable("truncated")
        at = end + len(end_line)
        yield _block(match[1].decode("ascii"), data[match.end() : end])
    last_line = data[at:].rstrip().rpartition(b"\n")[2]
    if last_line.startswith(_BEGIN) or (last_line.startswith(b"--") and _BEGIN.startswith(last_line)):
        raise Unreadable("truncated")


def _block(label: str, text: bytes) -> Block:
    headers = b"\n".join(match[0] for match in _HEADER.finditer(text)) if b":" in text else b""
    return Block(label, headers, _HEADER.sub(b"", text) if headers else text)
