"""Which type a file is sent as: what a browser may show in place, and what an archive's entry is called.

Nothing that a browser could run is told by its own type: HTML, SVG, XML and scripts go out as bytes to be saved.
"""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, NamedTuple

from server.downloads import OCTETS
from vault.filenames import extension

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES = 16
"""As much of a file as `shown_type` looks at."""


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _is_mpeg4(head: bytes) -> bool:
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free")


def _riff(form: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == form


class Medium(NamedTuple):
    """A type that browsers show, and whether a file's first bytes are of it."""

    content_type: str
    fits: Callable[[bytes], bool]


_JPEG = Medium("image/jpeg", _starts(b"\xff\xd8\xff"))
_TIFF = Medium("image/tiff", _starts(b"II*\0", b"MM\0*"))
_MP4 = Medium("video/mp4", _is_mpeg4)
_OGG_AUDIO = Medium("audio/ogg", _starts(b"OggS"))
MEDIA = {
    "png": Medium("image/png", _starts(b"\x89PNG\r\n\x1a\n")),
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "gif": Medium("image/gif", _starts(b"GIF87a", b"GIF89a")),
    "bmp": Medium("image/bmp", _starts(b"BM")),
    "tiff": _TIFF,
    "ico": Medium("image/x-icon", _starts(b"\0\0\1\0")),
    "webp": Medium("image/webp", _riff(b"WEBP")),
    "mp4": _MP4,
    "m4v": _MP4,
    "mov": Medium("video/quicktime", _is_mpeg4),
    "webm": Medium("video/webm", _starts(b"\x1a\x45\xdf\xa3")),
    "ogv": Medium("video/ogg", _starts(b"OggS")),
    "mp3": Medium("audio/mpeg", _starts(b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa")),
    "oga": _OGG_AUDIO,
    "ogg": _OGG_AUDIO,
    "spx": _OGG_AUDIO,
    "wav": Medium("audio/wav", _riff(b"WAVE")),
}


def may_be_shown(name: str) -> bool:
    """Say whether the name is that of a file that browsers show, so that its first bytes are worth a look."""
    return extension(name) in MEDIA


def shown_type(name: str, head: bytes) -> str | None:
    """Return the type to show a file in place by; None when its bytes are not what its name says."""
    medium = MEDIA.get(extension(name))
    return medium.content_type if medium and medium.fits(head) else None


# What a system adds to these would make the same file another type on another machine.
_NAMED = mimetypes.MimeTypes(filenames=()).types_map[True]
_MORE = {
    "apk": "application/vnd.android.package-archive",
    "bz2": "application/x-bzip2",
    "gz": "application/gzip",
    "log": "text/plain",
    "md": "text/markdown",
    "tgz": "application/gzip",
    "xz": "application/x-xz",
}
_ACTIVE = ("html", "xml", "svg", "script", "xsl", "flash")


def named_type(name: str) -> str:
    """Return the type that a file's extension stands for, without a charset."""
    suffix = extension(name)
    found = _MORE.get(suffix) or _NAMED.get(f".{suffix}", OCTETS)
    return OCTETS if any(word in found for word in _ACTIVE) else found
