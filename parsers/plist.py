"""Property lists, XML and binary, from hostile hands."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from parsers.interface import Unreadable

if TYPE_CHECKING:
    from parsers.interface import Json

_MARKS = (b"bplist00", b"<?xml", b"<!DOCTYPE plist", b"<plist")
_BROKEN = (
    plistlib.InvalidFileException,  # also for an entity declaration: plistlib refuses them
    ExpatError,
    ValueError,
    TypeError,
    LookupError,  # also for an encoding that there is not
    AttributeError,
    OverflowError,
    RecursionError,
)


def looks_like_plist(data: bytes) -> bool:
    """Tell a property list by its beginning."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_MARKS)


def read_plist(data: bytes) -> Json:
    """Return the dictionary that a property list is. Raises `Unreadable("malformed")`, also for any other list."""
    try:
        value = plistlib.loads(data)
    except _BROKEN:
        raise Unreadable("malformed") from None
    if not isinstance(value, dict):
        raise Unreadable("malformed")
    return value
