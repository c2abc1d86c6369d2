"""From a ref as a client writes it to a commit."""

from __future__ import annotations

import re

import pygit2

from vault.errors import NotFound

# Ranges, paths and searches of git's revision language name no single commit here, and reflogs are not kept.
REFUSED = re.compile(r"\A-|[:\\\s\x00-\x1f\x7f]|@\{|\^\{/")
HEAD = re.compile(r"\A(?:HEAD|@)(?=\Z|[~^])")
LONGEST = 1000


def resolve(repository: pygit2.Repository, revision: str, default_branch: str) -> pygit2.Commit:
    """Return the commit that a branch, a tag, an id or `main~1` names; `HEAD` is the project's default branch.

    Raises `NotFound("Commit")` for what names none.
    """
    if not revision or len(revision) > LONGEST or REFUSED.search(revision):
        raise NotFound("Commit")
    try:
        found = repository.revparse_single(HEAD.sub(f"refs/heads/{default_branch}", revision, count=1))
        return found.peel(pygit2.Commit)
    except (KeyError, ValueError):  # not found, or no revision at all
        raise NotFound("Commit") from None


def branch_tip(repository: pygit2.Repository, branch: str) -> pygit2.Commit | None:
    """Return the commit at the tip of a branch, None when there is no such branch."""
    if len(branch) > LONGEST or REFUSED.search(branch):
        return None
    reference = repository.references.get(f"refs/heads/{branch}")
    return None if reference is None else reference.peel(pygit2.Commit)


def branches(repository: pygit2.Repository) -> list[str]:
    """Return the names of all branches, sorted."""
    names = (name.decode("utf-8", "surrogateescape") for name in repository.raw_listall_branches())
    return sorted(names)
