"""Names of files that people send, made safe to stand in a URL and a header; and what Markdown makes of them."""

from __future__ import annotations

import unicodedata

from vault.errors import Invalid

NAME_BYTES = 255
"""As long as a file's name may be on the disks that people save it to."""

# https://docs.gitlab.com/user/markdown/: what Markdown shows in place, by lib/gitlab/file_type_detection.rb.
IMAGES = frozenset(("png", "jpg", "jpeg", "gif", "bmp", "tiff", "ico", "webp"))
VIDEOS = frozenset(("mp4", "m4v", "mov", "webm", "ogv"))
AUDIO = frozenset(("mp3", "oga", "ogg", "spx", "wav"))
EMBEDDABLE = IMAGES | VIDEOS | AUDIO
PUNCTUATION = frozenset("_.-+")


def safe_name(given: str) -> str:
    """Return the last part of a path with letters, digits and `_ . - +` kept and all else made `_`, as GitLab does.

    A name of dots alone gets a `_` in front, an empty one is `unnamed`. Raises `Invalid` when it is too long.
    """
    base = given.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = "".join(char if _is_plain(char) else "_" for char in base)
    if not name.strip("."):
        name = f"_{name}" if name else "unnamed"
    if len(name.encode()) > NAME_BYTES:
        raise Invalid("filename", f"is too long (maximum is {NAME_BYTES} bytes)")
    return name


def _is_plain(char: str) -> bool:
    """Say whether Ruby's `[:word:]` or the rule's punctuation takes it; direction marks and blanks are in neither."""
    category = unicodedata.category(char)
    return char in PUNCTUATION or category[0] in "LM" or category in ("Nd", "Pc")


def extension(name: str) -> str:
    """Return what stands behind the last dot in lower case; nothing for `.png`, which is a name."""
    return name.lstrip(".").rpartition(".")[2].lower() if "." in name.lstrip(".") else ""


def alternative_text(name: str) -> str:
    """Return what stands for the file where it cannot be shown."""
    found = extension(name)
    return name[: -len(found) - 1] if found in EMBEDDABLE else name


def markdown(name: str, url: str) -> str:
    """Return the Markdown that shows the file, or links to it when it cannot be shown in place."""
    shown = extension(name) in EMBEDDABLE | {"svg"}
    return f"{'!' if shown else ''}[{alternative_text(name)}]({url})"
