"""Facts of git objects that are costly to find out: kept in the catalog, never stale as objects never change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.catalog import repositories as sql
from vault.repositories.history import LONGEST_WALK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vault.catalog.database import Database, Transaction

# What a shorter walk found is not kept. A later walk ends at the next row behind it, so rows stay few.
WORTH_KEEPING = LONGEST_WALK
# What an engine can index; a longer path is walked each time.
LONGEST_PATH = 1000


BlobFacts = tuple[str, int, str]
"""A blob's id, its size and its SHA-256."""


class Facts:
    """What one vault knows of its projects' objects. What is told is written soon, and nobody waits for it."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def sha256(self, project_id: int, blob_id: str) -> str | None:
        """Return the SHA-256 of a blob's content, None when it is not known yet."""
        rows = self._db.query(sql.BLOB_FACTS, project=project_id, blob=blob_id)
        return str(rows[0]["sha256"]) if rows else None

    def tell_sha256(self, project_id: int, blob_id: str, size: int, sha256: str) -> None:
        """Remember a blob's size and SHA-256."""
        self._db.submit(_adding(project_id, [(blob_id, size, sha256)]))

    def tell_blobs(self, project_id: int, found: Sequence[BlobFacts]) -> None:
        """Remember what was found out of many blobs. Raises `Conflict` when the project is gone."""
        if found:
            self._db.write(_adding(project_id, found))

    def last_commits(self, project_id: int, path: str) -> dict[str, str]:
        """Return the commits for which it is known which one changed the path last, with that."""
        rows = self._db.query(sql.LAST_COMMITS, project=project_id, path=path)
        return {row["commit_id"]: row["last_commit_id"] for row in rows}

    def tell_last_commit(self, project_id: int, path: str, commit_id: str, last: str, walked: int) -> None:
        """Remember which commit changed the path last as of `commit_id`, when that took a long walk."""
        if walked < WORTH_KEEPING or len(path.encode()) > LONGEST_PATH:
            return

        def work(tx: Transaction) -> None:
            tx.query(sql.ADD_LAST_COMMIT, project=project_id, path=path, commit=commit_id, last=last)

        self._db.submit(work)


def _adding(project_id: int, found: Sequence[BlobFacts]) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        for blob_id, size, sha256 in found:
            tx.query(sql.ADD_BLOB_FACTS, project=project_id, blob=blob_id, size=size, sha256=sha256)

    return work
