"""Git LFS objects: what a repository's pointers stand for, kept sealed for the project that the repository is of.

An object is known by the SHA-256 of its content. It is made once and never changes; it goes with its project.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import access as access_sql
from vault.catalog import lfs as sql
from vault.contents import Content
from vault.errors import Invalid, NotFound
from vault.storage import Owner

if TYPE_CHECKING:
    from vault.catalog.database import Database, Transaction
    from vault.models import LfsObject
    from vault.storage import BlobWriter, SealedBlob, SealedStorage

FAMILY = "lfs_objects"


class LfsObjects:
    """The objects of all projects. One that two projects have is kept twice: neither can tell of the other's."""

    def __init__(self, database: Database, storage: SealedStorage) -> None:
        self._db = database
        self._storage = storage

    def find(self, project_id: int, oid: str) -> LfsObject:
        """Return the project's object of this SHA-256, in lower-case hex. Raises `NotFound`."""
        found = self.get(project_id, oid)
        if found is None:
            raise NotFound("LFS Object")
        return found

    def get(self, project_id: int, oid: str) -> LfsObject | None:
        """Return the same, None where the project does not have it."""
        rows = self._db.query(sql.OBJECT, project=project_id, oid=oid)
        return sql.lfs_object(rows[0]) if rows else None

    def writer(self, project_id: int) -> BlobWriter:
        """Return what takes the bytes of an object, for a `with` block; `add` finishes it."""
        return self._storage.writer(FAMILY, project_id)

    def add(self, project_id: int, oid: str, size: int, writer: BlobWriter) -> None:
        """Keep what was written as the project's object `oid`, durable on return; one that is there already stays.

        Raises `Invalid` when it has another SHA-256 or size, `NotFound` when the project is gone: then nothing is kept.
        """
        sealed = writer.finish()
        try:
            if (sealed.checksum, sealed.size) != (oid, size):
                raise Invalid("oid", f"is not that of the {sealed.size} bytes that came: {sealed.checksum}")
            added = self._db.write(lambda tx: self._insert(tx, project_id, sealed))
        except (Invalid, NotFound):
            self._storage.abandon(sealed)
            raise
        if not added:
            self._storage.abandon(sealed)

    def _insert(self, tx: Transaction, project_id: int, sealed: SealedBlob) -> bool:
        """Add the row, and say whether there was none before."""
        tx.lock("projects", project_id)
        if not tx.query(access_sql.PROJECT, id=project_id):
            raise NotFound("Project")
        if tx.query(sql.OBJECT, project=project_id, oid=sealed.checksum):
            return False
        self._storage.insert(tx, sealed)
        oid, size, blob_id = sealed.checksum, sealed.size, sealed.id
        tx.query(sql.ADD, project=project_id, oid=oid, size=size, blob_id=blob_id, now=clock.now())
        return True

    def keep(self, project_id: int, content: bytes) -> None:
        """Keep content that is at hand as an object of the project, durable on return. Raises `NotFound`."""
        oid = hashlib.sha256(content).hexdigest()
        if self.get(project_id, oid) is not None:
            return
        with self.writer(project_id) as writer:
            writer.write(content)
            self.add(project_id, oid, len(content), writer)

    def content(self, found: LfsObject) -> Content:
        """Return the way to an object's bytes."""
        owner = Owner(f"Git LFS object {found.id}", FAMILY, found.project_id, found.size, found.oid)
        return Content(self._storage, found.blob_id, owner, found.id)

    def forget_project(self, tx: Transaction, project_id: int) -> None:
        """Delete all objects of a project that is being deleted."""
        for row in tx.query(sql.DELETE_ALL, project=project_id):
            self._storage.discard(tx, row["blob_id"])
