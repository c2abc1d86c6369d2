"""Branches: moved by compare-and-swap, so that neither a writer of the vault nor a push is ever overwritten."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vault.errors import Unavailable
from vault.repositories import program
from vault.repositories.lending import lend
from vault.repositories.locks import git_at_work, is_stale, no_git_at_work
from vault.repositories.revisions import ref_target
from vault.repositories.store import sync

if TYPE_CHECKING:
    from pathlib import Path

    import pygit2

    from vault.repositories.opened import OpenRepository
else:
    from vault.repositories.libgit2 import pygit2

NOWHERE = "0" * 40


class Moved(Exception):
    """The branch is no longer where it was, or cannot be touched this moment: look again."""


def move_branch(opened: OpenRepository, branch: str, old: pygit2.Oid, new: pygit2.Oid) -> None:
    """Move a branch from `old` to `new`, durable on return, in the branch's queue. Raises `Moved`, `Unavailable`."""
    name = f"refs/heads/{branch}"
    try:
        reference = lend(opened.git.lookup_reference, name)
        if reference.target != old:
            raise Moved
        reference.set_target(new)
    except (pygit2.GitError, OSError) as error:
        found = ref_target(opened, name)
        if found == new:
            return
        if found != old or _locked(opened.folder, name) or _says_locked(error):
            raise Moved from error
        if isinstance(error, OSError):
            raise
        # libgit2 does not find the commit that it has just written: nothing is damaged, the disk did not take it.
        raise Unavailable("the disk did not take a commit; its branch is where it was") from error


def create_branch(folder: Path, branch: str, new: pygit2.Oid) -> None:
    """Make a branch that must not be there, durable on return. Raises `Moved` when it is, or another is in its way.

    By git itself: libgit2 looks before it takes the lock, and two could make the same branch.
    """
    name = f"refs/heads/{branch}"
    try:
        with git_at_work(folder) as share:
            program.run(folder, "update-ref", name, str(new), NOWHERE, inherit=(share,))
    except program.Failed as error:
        _locked(folder, name)
        raise Moved from error
    place = (folder / name).parent
    while place != folder:
        sync(place)
        place = place.parent


def point_head(folder: Path, branch: str) -> None:
    """Have `HEAD`, which a clone checks out, name a branch; when that cannot be now, the next clone tries again."""
    wanted = f"refs/heads/{branch}"
    if (folder / "HEAD").read_text("utf-8").strip() != f"ref: {wanted}":
        with suppress(program.Failed), git_at_work(folder) as share:
            program.run(folder, "symbolic-ref", "HEAD", wanted, inherit=(share,))


def _says_locked(error: Exception) -> bool:
    """Say whether libgit2 met a lock, which may be gone by now: git holds one for a moment while it packs refs."""
    return "failed to lock file" in str(error) or "File exists" in str(error)


def _locked(folder: Path, name: str) -> bool:
    """Say whether there is a lock of git's on a ref; one whose owner must be dead is taken away.

    The caller is in the branch's queue, so the owner is no writer of the vault; when no git program is at work either,
    it was killed.
    """
    lock = folder / f"{name}.lock"
    if not lock.exists():
        return False
    with no_git_at_work(folder) as alone:
        if alone and is_stale(folder, lock):
            with suppress(FileNotFoundError):
                lock.unlink()
    return True
