"""An open repository: objects by id, through libgit2, past a fault of it.

libgit2 1.9 never returns from reading a loose object whose file was cut short, and holds the interpreter's lock all the
while: one damaged file would stop every request there is. So each loose object is looked at once before libgit2 is
given its id, and blobs that are loose are read here altogether.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from array import array
from typing import TYPE_CHECKING

from vault.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pygit2
else:
    from vault.repositories.libgit2 import pygit2

# `blob`, a blank, decimal digits and a NUL; before them, deflated, may come a table.
HEAD_LIMIT, HEAD_DEFLATED = 64, 1024
PLACES, ROUNDS = 2**18, 2**12


class Sound:
    """The objects that were found whole, of all repositories and for all threads: two MiB, however many there are.

    Each has a place by its hash, which the next one with that place takes: what is not known is looked at again.
    """

    def __init__(self, places: int = PLACES) -> None:
        self._marks = array("q", bytes(8 * places))
        self._rounds = array("q", bytes(8 * ROUNDS))

    def knows(self, repository: bytes, oid: bytes) -> bool:
        """Say whether an object of the repository of that name was found whole, as far as is remembered."""
        mark = self._mark(repository, oid)
        return self._marks[mark % len(self._marks)] == mark

    def add(self, repository: bytes, oid: bytes) -> None:
        """Remember an object."""
        mark = self._mark(repository, oid)
        self._marks[mark % len(self._marks)] = mark

    def forget(self, repository: bytes) -> None:
        """Take nothing in a repository for sound any more, nor in those few that share its count."""
        self._rounds[hash(repository) % ROUNDS] += 1

    def _mark(self, repository: bytes, oid: bytes) -> int:
        # Python's hash of bytes is keyed, and of 64 bits: that two are the same by chance does not happen.
        return hash(repository + oid) ^ self._rounds[hash(repository) % ROUNDS] or 1  # 0 is an empty place


class OpenRepository:
    """One thread's hold on one repository and the packs that are in it. `git` is libgit2's, for what reads no objects.

    `sound` knows the objects that were found whole.
    """

    def __init__(self, folder: Path, sound: Sound) -> None:
        self.folder = folder
        self.name = folder.name.encode()
        self._objects = str(folder / "objects")
        self._packs = self._packs_changed()
        self.git = pygit2.Repository(str(folder))
        self._sound = sound

    @property
    def is_current(self) -> bool:
        """Say whether its packs are still those that there are.

        libgit2 finds new packs by itself, but keeps those that were replaced, open and mapped, for as long as it is.
        """
        return self._packs == self._packs_changed()

    def let_go(self) -> None:
        """Close its packs now: it is part of a circle of pygit2's, which may be found much later.

        Whoever still uses it opens them anew.
        """
        self.git.free()

    def _packs_changed(self) -> int:
        try:
            return os.stat(f"{self._objects}/pack").st_mtime_ns  # noqa: PTH116 - with each request, and twice as quick
        except OSError:
            return 0  # whoever reads will be told

    def commit(self, oid: pygit2.Oid) -> pygit2.Commit:
        """Return a commit. Raises `KeyError`, `ValueError` for another kind of object, `Damaged`."""
        self.check(oid)
        found = self.git[oid]
        if isinstance(found, pygit2.Tag):
            return self.commit(found.target)
        return found.peel(pygit2.Commit)

    def tree(self, oid: pygit2.Oid) -> pygit2.Tree:
        """Return a directory. Raises as `commit` does."""
        self.check(oid)
        return self.git[oid].peel(pygit2.Tree)

    def size(self, oid: pygit2.Oid) -> int:
        """Return the length of a blob's content, without reading that."""
        head = self._inflated(oid, HEAD_LIMIT)
        if head is None:
            return self.git.odb.read_header(oid)[1]
        return _head(oid, head)[1]

    def content(self, oid: pygit2.Oid) -> bytes:
        """Return a blob's content."""
        whole = self._inflated(oid)
        if whole is None:
            return self.git.odb.read(oid)[1]
        start, size = _head(oid, whole)
        if len(whole) - start != size or hashlib.sha1(whole, usedforsecurity=False).digest() != oid.raw:
            raise _damaged(oid)
        return whole[start:]

    def check(self, oid: pygit2.Oid) -> None:
        """Refuse a loose object that is not whole. Raises `Damaged`."""
        raw = oid.raw
        if self._sound.knows(self.name, raw):
            return
        self._inflated(oid)
        self._sound.add(self.name, raw)

    def check_all(self, oids: Iterable[pygit2.Oid]) -> None:
        """Refuse where one of the objects is not whole. Raises `Damaged`."""
        for oid in oids:
            self.check(oid)

    def _inflated(self, oid: pygit2.Oid, limit: int = 0) -> bytes | None:
        """Return what is in the file of a loose object, from its start up to `limit`; None when it has no file."""
        name = str(oid)
        try:
            with open(f"{self._objects}/{name[:2]}/{name[2:]}", "rb") as file:  # noqa: PTH123 - in the walk's inner loop
                deflated = file.read(HEAD_DEFLATED) if limit else file.read()
        except FileNotFoundError:
            return None
        inflate = zlib.decompressobj()
        try:
            found = inflate.decompress(deflated, limit)
        except zlib.error:
            raise _damaged(oid) from None
        if not limit and not inflate.eof:
            raise _damaged(oid)
        return found


def _head(oid: pygit2.Oid, start: bytes) -> tuple[int, int]:
    """Return where a blob's content begins, and its length."""
    end = start.find(b"\0", 0, HEAD_LIMIT)
    kind, _, digits = start[:end].partition(b" ")
    if end < 0 or kind != b"blob" or not digits.isdigit():
        raise _damaged(oid)
    return end + 1, int(digits)


def _damaged(oid: pygit2.Oid) -> Damaged:
    return Damaged(f"the git object {oid} is damaged: its file is not what git wrote")
