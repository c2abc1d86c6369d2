"""ASN.1 in DER and BER (X.690): as much as it takes to walk a signing file.

Signing files are read by this walker and not by a library, because every library refuses some files that openssl and
keytool write (NULL parameters in DSA keys, Latin-1 in T61String, unknown curves), and a certificate's dates and names
do not depend on any of that. Nothing here understands keys.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from parsers.interface import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31

_CONSTRUCTED = 0x20
_MAX_DEPTH = 32
_MAX_FIELDS = 64
_MAX_INTEGER = 1785  # bytes: at most 4300 decimal digits, Python's own limit for turning a number into text
_TIME = re.compile(rb"(\d{12})(\d\d)?(?:[.,]\d+)?(?:Z|([+-]\d{4}))?")


class Node(NamedTuple):
    """One element: `data[start:end]` is its content, `data[outer:after]` the whole of it."""

    data: bytes
    tag: int
    outer: int
    start: int
    end: int
    after: int

    @property
    def content(self) -> bytes:
        """The content octets."""
        return self.data[self.start : self.end]

    @property
    def encoding(self) -> bytes:
        """Identifier, length and content."""
        return self.data[self.outer : self.after]


def load(data: bytes) -> Node:
    """Return the element at the beginning of `data`; what follows it is ignored, as OpenSSL does.

    Raises `Unreadable`: "truncated" when the element is longer than the data, "malformed" when it is none.
    """
    try:
        return _element(data, 0, len(data), 0)
    except _OutOfData:
        raise Unreadable("truncated") from None


def children(node: Node) -> Iterator[Node]:
    """Yield the elements inside a constructed one. Raises `Unreadable("malformed")`."""
    if not node.tag & _CONSTRUCTED:
        raise Unreadable("malformed")
    at = node.start
    while at < node.end:
        try:
            child = _element(node.data, at, node.end, 0)
        except _OutOfData:
            raise Unreadable("malformed") from None
        yield child
        at = child.after


def sequence(node: Node, least: int = 0, *, tag: int = SEQUENCE) -> list[Node]:
    """Return the elements in a SEQUENCE, or in what carries `tag`.

    Raises `Unreadable("malformed")` when there are fewer than `least`, or far too many for a structure's fields.
    """
    found = list(islice(children(expect(node, tag)), _MAX_FIELDS + 1))
    if not least <= len(found) <= _MAX_FIELDS:
        raise Unreadable("malformed")
    return found


def expect(node: Node, tag: int) -> Node:
    """Return the node when it carries this tag. Raises `Unreadable("malformed")`."""
    if node.tag != tag:
        raise Unreadable("malformed")
    return node


def explicit(node: Node, number: int) -> Node:
    """Return what is inside an EXPLICIT [number]. Raises `Unreadable("malformed")`."""
    for child in children(expect(node, 0xA0 | number)):
        return child
    raise Unreadable("malformed")


def octets(node: Node, tag: int = OCTET_STRING) -> bytes:
    """Return the bytes of an OCTET STRING, joining the pieces that BER permits; `tag` as in IMPLICIT [n]."""
    if node.tag == tag:
        return node.content
    if node.tag != tag | _CONSTRUCTED:
        raise Unreadable("malformed")
    return b"".join(_pieces(node, 0))


def integer(node: Node) -> int:
    """Return an INTEGER, which may be negative. Raises `Unreadable("malformed")`."""
    content = expect(node, INTEGER).content
    if not 0 < len(content) <= _MAX_INTEGER:
        raise Unreadable("malformed")
    return int.from_bytes(content, "big", signed=True)


def oid(node: Node) -> str:
    """Return an OBJECT IDENTIFIER in dotted form. Raises `Unreadable("malformed")`."""
    return _dotted(expect(node, OID).content)


@lru_cache(512)
def _dotted(content: bytes) -> str:
    if not content or content[-1] & 0x80 or len(content) > 100:
        raise Unreadable("malformed")
    arcs: list[int] = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def time(node: Node) -> str:
    """Return a UTCTime or GeneralizedTime as `YYYY-MM-DDTHH:MM:SS.000Z`, in UTC. Raises `Unreadable("malformed")`."""
    text = node.content
    if node.tag == UTC_TIME:  # two digits of the year mean 1950 to 2049 (RFC 5280 4.1.2.5.1)
        text = (b"19" if text[:2] >= b"50" else b"20") + text
    elif node.tag != GENERALIZED_TIME:
        raise Unreadable("malformed")
    match = _TIME.fullmatch(text)
    if match is None:
        raise Unreadable("malformed")
    try:
        return _utc(match[1] + (match[2] or b"00"), match[3])
    except (ValueError, OverflowError):
        raise Unreadable("malformed") from None


def tags(head: bytes, count: int) -> bytes:
    """Return the first `count` identifier octets in reading order, fewer where the data ends: a file's outline.

    Meant for telling kinds apart by a file's first bytes, all of which begin with a SEQUENCE; what does not has no
    outline. Raises nothing.
    """
    if head[:1] != b"\x30":
        return b""
    found = bytearray()
    at = 0
    while len(found) < count and at + 2 <= len(head):
        tag, length = head[at], head[at + 1]
        found.append(tag)
        at += 2
        if length > 0x80:
            at, length = at + (length & 0x7F), int.from_bytes(head[at : at + (length & 0x7F)], "big")
        if not tag & _CONSTRUCTED:
            at += length
    return bytes(found)


class _OutOfData(Exception):
    """An element claims more than there is."""


def _element(data: bytes, at: int, limit: int, depth: int) -> Node:
    if at + 2 > limit:
        raise _OutOfData
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:  # tag numbers above 30: no signing file has them where we look
        raise Unreadable("malformed")
    if length == 0x80:
        return _indefinite(data, at, limit, depth)
    if length > 0x80:
        start += length & 0x7F
        if start > limit:
            raise _OutOfData
        length = int.from_bytes(data[at + 2 : start], "big")
    end = start + length
    if end > limit:
        raise _OutOfData
    return Node(data, tag, at, start, end, end)


def _indefinite(data: bytes, at: int, limit: int, depth: int) -> Node:
    """BER's length form of "until two zero octets": whatever is inside has to be walked to find its end."""
    if depth > _MAX_DEPTH or not data[at] & _CONSTRUCTED:
        raise Unreadable("malformed")
    end = at + 2
    while data[end : end + 2] != b"\0\0" or end + 2 > limit:
        end = _element(data, end, limit, depth + 1).after
    return Node(data, data[at], at, at + 2, end, end + 2)


def _pieces(node: Node, depth: int) -> Iterator[bytes]:
    if depth > _MAX_DEPTH:
        raise Unreadable("malformed")
    for child in children(node):
        if child.tag == OCTET_STRING:
            yield child.content
        else:
            yield from _pieces(expect(child, OCTET_STRING | _CONSTRUCTED), depth + 1)


def _utc(digits: bytes, offset: bytes | None) -> str:
    moment = datetime.strptime(digits.decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    if offset:
        ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
        moment -= ahead if offset[:1] == b"+" else -ahead
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
