"""What lies at a path of a commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.repositories.lending import lend
from vault.repositories.modes import FileMode

if TYPE_CHECKING:
    import pygit2

    from vault.repositories.opened import OpenRepository


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


def entry_at(opened: OpenRepository, commit: pygit2.Commit, path: str) -> Entry | None:
    """Return what a file's path leads to; None when there is nothing, or a directory."""
    *folders, name = path.split("/")
    tree: pygit2.Tree | None = opened.tree(commit.tree_id)
    for folder in folders:
        tree = subtree(opened, tree, folder)
    found = child(tree, name)
    return None if found is None or found.filemode == FileMode.TREE else Entry(found.id, found.filemode)


def child(tree: pygit2.Tree | None, name: str) -> pygit2.Object | None:
    """Return the entry of that name, not yet read; None when there is none, or no directory."""
    there = tree is not None and name and lend(tree.__contains__, name)
    return lend(tree.__getitem__, name) if tree is not None and there else None


def subtree(opened: OpenRepository, tree: pygit2.Tree | None, name: str) -> pygit2.Tree | None:
    """Return the directory of that name, None when there is none."""
    found = child(tree, name)
    return opened.tree(found.id) if found is not None and found.filemode == FileMode.TREE else None
