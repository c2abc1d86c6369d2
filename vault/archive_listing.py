"""What lies in a folder of a zip archive, by the names in its directory alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.errors import BadArchive, NotFound

if TYPE_CHECKING:
    from vault.archives import Archive, Entry

NAMES_LIMIT = 16 * 1024 * 1024
"""Characters of names in one list, as they are all in memory at once."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file or folder of an archive; a folder has no `entry` when only the names of its files tell of it."""

    path: str
    is_folder: bool
    entry: Entry | None

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]


def listing(archive: Archive, folder: str, *, recursive: bool) -> list[Listed]:
    """Return what lies in `folder` ("" is the top), folders first; with `recursive`, all entries below it.

    Of entries with one name the first counts. Raises `NotFound` when the archive has no such folder, `BadArchive`.
    """
    inside = folder.strip("/")
    prefix = f"{inside}/" if inside else ""
    found: dict[str, Listed] = {}
    there, left = not prefix, NAMES_LIMIT
    for entry in archive.entries():
        path = _text(entry.name)
        if path.startswith(prefix):
            there = True
            shown = _shown(prefix, path, entry, recursive=recursive)
            if shown is not None and (shown.path not in found or found[shown.path].entry is None):
                found[shown.path] = shown
                left -= len(shown.path)
        if left < 0:
            raise BadArchive("the archive's names are too long to be listed")
    if not there:
        raise NotFound(reason="there is no such folder in the archive")
    return sorted(found.values(), key=lambda each: (not each.is_folder, each.path))


def _shown(prefix: str, path: str, entry: Entry, *, recursive: bool) -> Listed | None:
    """Return what stands for an entry in a list of the folder: itself, or the folder on the way to it."""
    rest = path[len(prefix) :].strip("/")
    first, below, _ = rest.partition("/")
    if not rest:
        return None
    if below and not recursive:
        return Listed(prefix + first, is_folder=True, entry=None)
    return Listed(prefix + rest, entry.is_folder, entry)


def _text(name: bytes) -> str:
    """Return a name as text: UTF-8, as all write it today, else the code page of the first zip programs."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("cp437")
