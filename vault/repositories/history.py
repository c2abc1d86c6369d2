"""Which commit changed a file last, as `git log -1 -- path` says, without following renames.

git's own simplification, walked here: from a commit go on to the first parent that has the same entry, object and
mode, at the path; where no parent has it, the commit is the answer. After a while the git program is asked: it leaps
over commits by their filters of changed paths, and most files that are asked for were changed lately.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vault.repositories import program
from vault.repositories.lending import lend
from vault.repositories.modes import FileMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pygit2

    from vault.repositories.opened import OpenRepository
else:
    from vault.repositories.libgit2 import pygit2

# What is walked by then has taken less time than starting the git program does (25 us for a commit that was never read
# before, 2.5 ms for git), so that the whole never takes much longer than the better of the two.
LONGEST_WALK = 64

Trail = tuple[object, ...]


class LastCommit(NamedTuple):
    """The answer, and how many commits were read for it."""

    id: str
    walked: int


def last_commit(
    opened: OpenRepository,
    tip: pygit2.Commit,
    path: str,
    known: Mapping[str, str],
    ask_git: Callable[[str], str],
) -> LastCommit:
    """Return the commit at or before `tip` that changed `path` last, which has to be there in `tip`.

    `known` holds answers for earlier commits; `ask_git(commit)` is asked when the walk gets long.
    """
    segments = path.split("/")
    answers = {pygit2.Oid(hex=commit): answer for commit, answer in known.items()}
    commit, trail = tip, _trail(opened, tip.tree_id, segments, ())
    assert trail is not None, "the caller has found the file there"
    for walked in range(LONGEST_WALK):
        if commit.id in answers:
            return LastCommit(answers[commit.id], walked)
        found = _same_before(opened, commit, segments, trail)
        if found is None:
            return LastCommit(str(commit.id), walked)
        commit, trail = found
    return LastCommit(ask_git(str(commit.id)), LONGEST_WALK)


def ask_git(folder: Path, commit_id: str, path: str) -> str:
    """Return what the git program says: the commit at or before `commit_id` that changed `path` last."""
    # git of before 2.46 hashes other bytes than ASCII as the machine's C compiler likes it: filters that another kind
    # of machine wrote into this folder would hide commits.
    config = None if path.isascii() else {"commitGraph.readChangedPaths": "false"}
    return program.run(folder, "rev-list", "-1", commit_id, "--", path, config=config).decode("ascii").strip()


def _same_before(
    opened: OpenRepository, commit: pygit2.Commit, segments: Sequence[str], trail: Trail
) -> tuple[pygit2.Commit, Trail] | None:
    """Return the first parent whose entry at the path is the commit's own."""
    for parent_id in commit.parent_ids:
        parent = opened.commit(parent_id)
        theirs = _trail(opened, parent.tree_id, segments, trail)
        if theirs is not None and theirs[-1] == trail[-1]:
            return parent, theirs
    return None


def _trail(opened: OpenRepository, tree_id: pygit2.Oid, segments: Sequence[str], like: Trail) -> Trail | None:
    """Return the ids of the trees down to the entry, and the entry itself; None when there is none.

    Where a tree is the one in `like` at the same place, all below is taken from there: most commits change little.
    """
    trail: list[object] = []
    found, mode = tree_id, int(FileMode.TREE)
    for depth, segment in enumerate(segments):
        if depth < len(like) and like[depth] == found:
            return (*trail, *like[depth:])
        trail.append(found)
        tree = opened.tree(found) if mode == FileMode.TREE else None
        if tree is None or not lend(tree.__contains__, segment):
            return None
        entry = lend(tree.__getitem__, segment)
        found, mode = entry.id, entry.filemode
    return (*trail, (found, mode))
