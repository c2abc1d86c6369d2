"""Bare git repositories: files read, blamed and written one commit at a time, and served to any git.

Objects, refs and last commits go through libgit2, in the thread that asks; the git program does blame, large blobs,
packing and the protocol. What was measured before this was decided is in `docs/decisions/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.repositories.blame import BlameRange, Lines
from vault.repositories.changes import Action, Change
from vault.repositories.committing import Writer, Written
from vault.repositories.digests import Digests
from vault.repositories.facts import Facts
from vault.repositories.housekeeping import Housekeeping
from vault.repositories.reading import File, Reader
from vault.repositories.serving import Serving
from vault.repositories.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from vault.catalog.database import Database, Transaction
    from vault.lfs import LfsObjects

__all__ = ["Action", "BlameRange", "Change", "File", "Lines", "Repositories", "Written"]


class Repositories:
    """The git repositories of all projects. A repository is made when something is first put into it."""

    def __init__(self, database: Database, root: Path, push_bytes: int, lfs: LfsObjects) -> None:
        self.store = Store(database, root)
        facts = Facts(database)
        self.reading = Reader(self.store, facts)
        self.housekeeping = Housekeeping(self.store)
        self.writing = Writer(self.store, facts, self.reading, self.housekeeping, lfs)
        self.digests = Digests(facts)
        self.serving = Serving(self.store, self.housekeeping, self.digests, push_bytes, lfs)

    def empty(self, project_id: int) -> bool:
        """Say whether the project's repository has no branch yet."""
        return self.store.empty(project_id)

    def forget_project(self, tx: Transaction, project_id: int) -> None:
        """Forget the repository of a project that is being deleted; its folder is removed soon after."""
        self.store.discard(tx, project_id)
