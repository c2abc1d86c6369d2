"""The rules of Markdown uploads: https://docs.gitlab.com/api/project_markdown_uploads/."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from vault import clock
from vault.catalog import access as access_sql
from vault.catalog import uploads as sql
from vault.contents import Content
from vault.errors import NotFound
from vault.keeping import keeping
from vault.models import Listing
from vault.storage import Owner

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from vault.catalog.database import Database, Transaction
    from vault.models import Page, Principal, Upload
    from vault.storage import BlobWriter, SealedStorage

FAMILY = "uploads"
SECRET = re.compile(r"[0-9a-f]{32}")


class Uploads:
    """Files attached to text. Each is found by its id, or by a secret that only who sent it is told.

    `digest` makes of a secret what the catalog knows it by: who reads the catalog cannot address a file.
    """

    def __init__(self, database: Database, storage: SealedStorage, digest: Callable[[str], str]) -> None:
        self._db = database
        self._storage = storage
        self._digest = digest

    def writer(self, project_id: int) -> BlobWriter:
        """Return what takes the bytes of a new upload, for a `with` block; `add` finishes it."""
        return self._storage.writer(FAMILY, project_id)

    def add(self, caller: Principal, project_id: int, name: str, writer: BlobWriter) -> tuple[Upload, str]:
        """Keep what was written under a safe name and return it with its secret. Raises `NotFound` (project)."""
        return self.adding(caller, project_id, name, writer).result()

    def adds_quickly(self, writer: BlobWriter) -> bool:
        """Whether `adding` with `queued` waits for nobody, so that an event loop may call it."""
        return writer.is_small and self._storage.seals_quickly

    def adding(
        self, caller: Principal, project_id: int, name: str, writer: BlobWriter, *, queued: bool = False
    ) -> Future[tuple[Upload, str]]:
        """Do as `add` does, but for waiting for the commit, which with `queued` is never this thread's."""
        secret = secrets.token_hex(16)
        sealed = writer.finish()
        values: dict[str, Any] = {
            "project": project_id,
            "digest": self._digest(secret),
            "filename": name,
            "blob_id": sealed.id,
            "size": sealed.size,
            "checksum": sealed.checksum,
            "uploader": caller.user.id,
            "now": clock.now(),
        }

        def work(tx: Transaction) -> tuple[Upload, str]:
            tx.lock("projects", project_id)
            if not tx.query(access_sql.PROJECT, id=project_id):
                raise NotFound("Project")
            self._storage.insert(tx, sealed)
            made = tx.query(sql.ADD, **values)[0]["id"]
            return sql.upload(tx.query(sql.UPLOAD, id=made, project=project_id)[0]), secret

        return keeping(self._db, self._storage, sealed, work, queued=queued)

    def page(self, project_id: int, page: Page) -> Listing[Upload]:
        """Return the project's uploads, newest first."""
        total = self._db.query(sql.COUNT, project=project_id, most=page.most)[0]["n"]
        rows = self._db.query(sql.PAGE, project=project_id, size=page.size, offset=page.offset)
        return Listing([sql.upload(row) for row in rows], total)

    def get(self, project_id: int, upload_id: int) -> Upload:
        """Return an upload of the project. Raises `NotFound`."""
        rows = self._db.query(sql.UPLOAD, id=upload_id, project=project_id)
        if not rows:
            raise NotFound
        return sql.upload(rows[0])

    def find(self, project_id: int, secret: str, name: str) -> Upload:
        """Return the upload of the project with this secret and exactly this name. Raises `NotFound`."""
        rows = []
        if SECRET.fullmatch(secret):
            digest = self._digest(secret)
            rows = self._db.query(sql.UPLOAD_BY_SECRET, digest=digest, filename=name, project=project_id)
        if not rows:
            raise NotFound
        return sql.upload(rows[0])

    def content(self, upload: Upload) -> Content:
        """Return the way to an upload's bytes."""
        owner = Owner(f"upload {upload.id}", FAMILY, upload.project_id, upload.size, upload.checksum)
        return Content(self._storage, upload.blob_id, owner, upload.id)

    def remove(self, project_id: int, upload_id: int) -> None:
        """Delete an upload; its key is erased in the same transaction. Raises `NotFound`."""

        def work(tx: Transaction) -> None:
            rows = tx.query(sql.DELETE, id=upload_id, project=project_id)
            if not rows:
                raise NotFound
            self._storage.discard(tx, rows[0]["blob_id"])

        self._db.write(work)

    def forget_project(self, tx: Transaction, project_id: int) -> None:
        """Delete all uploads of a project that is being deleted."""
        for row in tx.query(sql.DELETE_ALL, project=project_id):
            self._storage.discard(tx, row["blob_id"])
