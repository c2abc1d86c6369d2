"""Single entries of the archives that jobs left, and lists of them: the way there is remembered, the content never."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from vault.archive_entries import EntryContent, entry_tag
from vault.archive_listing import listing
from vault.archives import Archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.archive_listing import Listed
    from vault.archives import Directory
    from vault.contents import Content
    from vault.crypto.streaming import OpeningReader
    from vault.models import Artifact

KEPT_ENTRIES = 1_000_000
"""As many entries' places are remembered, 16 bytes each: to find one of 70,000 takes 2 ms then, and 130 before."""
KEPT_ARCHIVES = 1000
"""So many archives at most: of small ones it would take a day to see that what is kept of them has an end."""


class Archives:
    """Looks into artifacts that are zip archives; `content` returns the way to an artifact's bytes."""

    def __init__(self, content: Callable[[Artifact], Content]) -> None:
        self._content = content
        self._known = _Directories()

    def entry(self, artifact: Artifact, path: str) -> EntryContent:
        """Return the entry with exactly this path. Raises `NotFound`, `BadArchive`, and what opening raises."""
        file = self._content(artifact).open()
        archive = self._open(artifact, file)
        name = path.encode()
        return EntryContent(file, archive, archive.find(name), entry_tag(artifact.checksum, name))

    def listing(self, artifact: Artifact, folder: str, *, recursive: bool) -> list[Listed]:
        """Return what lies in a folder of the archive, "" being the top. Raises `NotFound`, `BadArchive`."""
        return listing(self._open(artifact, self._content(artifact).open()), folder, recursive=recursive)

    def _open(self, artifact: Artifact, file: OpeningReader) -> Archive:
        known = self._known.get(artifact.blob_id)
        archive = Archive(file, known)
        if known is None:
            self._known.remember(artifact.blob_id, archive.directory)
        return archive


class _Directories:
    """The directories of the archives read last, by object; whose bytes never change."""

    def __init__(self, entries: int = KEPT_ENTRIES, archives: int = KEPT_ARCHIVES) -> None:
        self._most, self._most_archives = entries, archives
        self._entries = 0
        self._kept: OrderedDict[str, Directory] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, blob_id: str) -> Directory | None:
        """Return the directory when it is known."""
        with self._lock:
            if blob_id in self._kept:
                self._kept.move_to_end(blob_id)
            return self._kept.get(blob_id)

    def remember(self, blob_id: str, directory: Directory) -> None:
        """Keep a directory; those used longest ago make room."""
        with self._lock:
            if blob_id in self._kept:
                return
            self._kept[blob_id] = directory
            self._entries += _weight(directory)
            while self._entries > self._most or len(self._kept) > self._most_archives:
                _, oldest = self._kept.popitem(last=False)
                self._entries -= _weight(oldest)


def _weight(directory: Directory) -> int:
    """Return what it counts for, in entries of 16 bytes: an empty one takes 460 bytes as well."""
    return len(directory.places) + 29
