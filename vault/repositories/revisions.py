"""From a ref as a client writes it to a commit.

Of git's revision language there is what names one commit by branch, tag, id or its place behind one of them; ranges,
paths, searches and reflogs name no file's state.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vault.errors import NotFound
from vault.repositories.lending import lend

if TYPE_CHECKING:
    import pygit2

    from vault.repositories.opened import OpenRepository
else:
    from vault.repositories.libgit2 import pygit2

REFUSED = re.compile(r"\A-|[:\\\s\x00-\x1f\x7f]")
STEP = re.compile(r"[~^][0-9]{0,7}|\^\{(?:commit)?\}")
REVISION = re.compile(rf"(?P<base>[^~^]+)(?P<steps>(?:{STEP.pattern})*)")
FULL_ID = re.compile(r"[0-9a-fA-F]{40}")
SHORT_ID = re.compile(r"[0-9a-fA-F]{4,39}")
# Where git looks for a name (gitrevisions(7)); a name that says it all begins with the first.
PLACES = ("refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}")
LONGEST = 1000


def resolve(opened: OpenRepository, revision: str, default_branch: str) -> pygit2.Commit:
    """Return the commit that a branch, a tag, an id or `main~1` names; `HEAD` is the project's default branch.

    Raises `NotFound("Commit")` for what names none.
    """
    found = REVISION.fullmatch(revision)
    if found is None or len(revision) > LONGEST or REFUSED.search(revision):
        raise NotFound("Commit")
    try:
        commit = opened.commit(_base(opened, found["base"], default_branch))
        for step in STEP.findall(found["steps"]):
            commit = _step(opened, commit, step)
    except (KeyError, ValueError, IndexError):
        raise NotFound("Commit") from None
    return commit


def _base(opened: OpenRepository, name: str, default_branch: str) -> pygit2.Oid:
    """Return the object that a name without steps means. Raises `KeyError`, `ValueError` where there is none."""
    if FULL_ID.fullmatch(name):
        return pygit2.Oid(hex=name.lower())
    if name in {"HEAD", "@"}:
        name = f"refs/heads/{default_branch}"
    for place in ("{}", *PLACES) if name.startswith("refs/") else PLACES:
        target = ref_target(opened, place.format(name))
        if target is not None:
            return target
    if SHORT_ID.fullmatch(name):
        return opened.git.expand_id(name.lower())
    raise KeyError(name)


def _step(opened: OpenRepository, commit: pygit2.Commit, step: str) -> pygit2.Commit:
    """Go from a commit to its ancestor. Raises `IndexError` where it has none such."""
    if step.startswith("^{"):
        return commit
    number = int(step[1:] or 1)
    if step[0] == "^":
        return opened.commit(commit.parent_ids[number - 1]) if number else commit
    for _ in range(number):
        commit = opened.commit(commit.parent_ids[0])
    return commit


def ref_target(opened: OpenRepository, name: str) -> pygit2.Oid | None:
    """Return the object that a ref, by its whole name, leads to; None when there is no such ref."""
    try:
        reference = lend(opened.git.lookup_reference, name)
    except (KeyError, pygit2.InvalidSpecError):
        return None
    return pygit2.Oid(hex=str(reference.resolve().target))


def branch_tip(opened: OpenRepository, branch: str) -> pygit2.Commit | None:
    """Return the commit at the tip of a branch, None when there is no such branch."""
    if len(branch) > LONGEST or REFUSED.search(branch):
        return None
    target = ref_target(opened, f"refs/heads/{branch}")
    return None if target is None else opened.commit(target)


def branches(opened: OpenRepository) -> list[str]:
    """Return the names of all branches, sorted."""
    names = (name.decode("utf-8", "surrogateescape") for name in opened.git.raw_listall_branches())
    return sorted(names)


def tips(opened: OpenRepository) -> dict[str, str]:
    """Return what every branch and tag leads to, by the whole name of its ref."""
    names = (name for name in opened.git.references if name.startswith(("refs/heads/", "refs/tags/")))
    return {name: str(target) for name in names if (target := ref_target(opened, name)) is not None}
