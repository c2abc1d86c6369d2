"""What lies at a path of a commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pygit2.enums import FileMode

if TYPE_CHECKING:
    import pygit2


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a symlink or a submodule: `id` is the blob's, a submodule's is a commit elsewhere."""

    id: pygit2.Oid
    mode: int

    @property
    def submodule(self) -> bool:
        """Say whether another repository's commit stands here, with no content of its own."""
        return self.mode == FileMode.COMMIT

    @property
    def symlink(self) -> bool:
        """Say whether the content is a path to elsewhere, which is told and never followed."""
        return self.mode == FileMode.LINK

    @property
    def executable(self) -> bool:
        """Say whether a checkout makes it a program."""
        return self.mode == FileMode.BLOB_EXECUTABLE


def entry_at(commit: pygit2.Commit, path: str) -> Entry | None:
    """Return what a file's path leads to; None when there is nothing, or a directory."""
    try:
        found = commit.tree[path]
    except KeyError:
        return None
    if found.filemode == FileMode.TREE or path.endswith("/"):
        return None
    return Entry(found.id, found.filemode)
