"""One file's change: whether a commit takes it, and the tree with it. Only trees on the way to the file are rebuilt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vault.errors import CannotCommit
from vault.repositories.lending import lend
from vault.repositories.modes import FileMode
from vault.repositories.paths import check_writable_path
from vault.repositories.trees import Entry, child

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pygit2

    from vault.repositories.opened import OpenRepository

EXISTS = "A file with this name already exists"
MISSING = "A file with this name doesn't exist"


class Action(StrEnum):
    """What is done to a file. `PUT` updates it, or creates it where there is none."""

    CREATE = "create"
    UPDATE = "update"
    PUT = "put"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """What a client asks for. None: not said.

    `path` is clean. `executable` None keeps the mode that a file has. `last_commit_id` is the commit the client
    believes to have changed the file last.
    """

    action: Action
    path: str
    branch: str
    message: str
    content: bytes = b""
    start_branch: str | None = None
    author_name: str | None = None
    author_email: str | None = None
    last_commit_id: str | None = None
    executable: bool | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies in a commit's tree: the trees from the root down, None where there is none yet."""

    names: Sequence[str]
    trees: Sequence[pygit2.Tree | None]
    entry: Entry | None


def find_place(opened: OpenRepository, parent: pygit2.Commit | None, path: str) -> Place:
    """Return the place of a path. Raises `CannotCommit` where no file can be: below a file, or on a directory."""
    check_writable_path(path)
    names = path.split("/")
    tree = None if parent is None else opened.tree(parent.tree_id)
    trees = [tree]
    for depth, name in enumerate(names[:-1], 1):
        found = child(tree, name)
        if found is not None and found.filemode != FileMode.TREE:
            raise CannotCommit(f"'{'/'.join(names[:depth])}' is a file: nothing can lie below it")
        tree = None if found is None else opened.tree(found.id)
        trees.append(tree)
    found = child(tree, names[-1])
    if found is not None and found.filemode == FileMode.TREE:
        raise CannotCommit(f"'{path}' is a directory, not a file")
    return Place(names, trees, None if found is None else Entry(found.id, found.filemode))


def wanted_entry(change: Change, blob_id: pygit2.Oid | None, now: Entry | None) -> Entry | None:
    """Return what is to stand in the place of `now`, None for nothing. Raises `CannotCommit` when that cannot be."""
    if change.action is Action.CREATE and now is not None:
        raise CannotCommit(EXISTS)
    if change.action in {Action.UPDATE, Action.DELETE} and now is None:
        raise CannotCommit(MISSING)
    if change.action is Action.DELETE or blob_id is None:
        return None
    if now is not None and now.submodule:
        raise CannotCommit(f"'{change.path}' is a submodule, not a file")
    entry = Entry(blob_id, _mode(change, now))
    if entry == now:
        raise CannotCommit(f"'{change.path}' has this content already: the commit would be empty")
    return entry


def _mode(change: Change, now: Entry | None) -> int:
    if now is not None and (now.symlink or change.executable is None):
        return now.mode
    return FileMode.BLOB_EXECUTABLE if change.executable else FileMode.BLOB


def tree_with(opened: OpenRepository, place: Place, entry: Entry | None) -> pygit2.Oid:
    """Write the trees that have `entry` in the place, and return the root's id; directories left empty are gone."""
    for name, tree in zip(reversed(place.names), reversed(place.trees), strict=True):
        builder = opened.git.TreeBuilder() if tree is None else opened.git.TreeBuilder(tree)
        if entry is None:
            lend(builder.remove, name)
        else:
            opened.check(entry.id)
            builder.insert(name, entry.id, entry.mode)  # which loses no name
        written = builder.write()
        entry = Entry(written, FileMode.TREE) if len(builder) else None
    return written
