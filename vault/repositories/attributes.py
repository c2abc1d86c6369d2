"""What `.gitattributes` says of a file: whether its content belongs into Git LFS, as git itself finds it.

Asked of the git program, in a process of its own: somebody may push patterns that take minutes to match, and libgit2
would hold the interpreter's lock all the while.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING

from vault.errors import CannotCommit
from vault.repositories import program
from vault.repositories.modes import FileMode
from vault.repositories.trees import child

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pygit2

    from vault.repositories.changes import Place
    from vault.repositories.opened import OpenRepository

NAME = ".gitattributes"
FILES = frozenset((FileMode.BLOB, FileMode.BLOB_EXECUTABLE))
# A larger one is read by git alone.
READ_HERE = 64 * 1024
PATIENCE = 5.0
SLOW = "the patterns of .gitattributes take too long to be compared with '{}'"


def goes_into_lfs(opened: OpenRepository, place: Place) -> bool:
    """Say whether the commit that the place is of has `filter=lfs` for it.

    Quick where no `.gitattributes` on the way to it speaks of LFS. Raises `CannotCommit` when git finds no end.
    """
    sources = list(_sources(place))
    if not any(_may_speak_of_lfs(opened, oid) for _, oid in sources):
        return False
    path = "/".join(place.names)
    with os.fdopen(os.memfd_create("index"), "wb") as file:  # no folder may be there to write to
        file.write(index_of(sources))
        file.flush()
        try:
            told = program.run(
                opened.folder,
                *("check-attr", "--cached", "--stdin", "-z", "filter"),
                given=path.encode() + b"\0",
                inherit=(file.fileno(),),
                timeout=PATIENCE,
                config={"core.attributesFile": ""},
                variables={"GIT_INDEX_FILE": f"/dev/fd/{file.fileno()}"},
            )
        except program.TooLong:
            raise CannotCommit(SLOW.format(path)) from None
    return told.split(b"\0")[2:3] == [b"lfs"]


def _sources(place: Place) -> Iterable[tuple[str, pygit2.Oid]]:
    """Yield the files of attributes from the root down to the place, by path."""
    for depth, tree in enumerate(place.trees):
        found = child(tree, NAME)
        if found is not None and found.filemode in FILES:
            yield "/".join((*place.names[:depth], NAME)), found.id


def _may_speak_of_lfs(opened: OpenRepository, oid: pygit2.Oid) -> bool:
    return opened.size(oid) > READ_HERE or b"lfs" in opened.content(oid)


def index_of(files: Sequence[tuple[str, pygit2.Oid]]) -> bytes:
    """Return an index that has these files and nothing else: all that git looks for attributes in.

    https://git-scm.com/docs/index-format, version 2; nothing in it is of a file on a disk.
    """
    entries = sorted((path.encode(), oid.raw) for path, oid in files)
    index = struct.pack(">4sII", b"DIRC", 2, len(entries))
    for path, oid in entries:
        entry = struct.pack(">24xI12x20sH", FileMode.BLOB, oid, min(len(path), 0xFFF)) + path
        index += entry + bytes(8 - len(entry) % 8)
    return index + hashlib.sha1(index, usedforsecurity=False).digest()
