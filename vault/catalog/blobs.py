"""SQL of sealed objects: their envelopes, and those noted for removal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.models import Blob

if TYPE_CHECKING:
    from vault.catalog.database import Row

BLOB = "SELECT * FROM blobs WHERE id = :id"
ANY_BLOB = "SELECT id FROM blobs LIMIT 1"
STORED_BLOB_IDS = "SELECT id FROM blobs WHERE sealed IS NULL"
ADD_BLOB = """INSERT INTO blobs
    (id, family, project_id, size, sha256, alg, kek_id, wrapped, commitment, sealed, created_at)
    VALUES (:id, :family, :project, :size, :sha256, :alg, :kek_id, :wrapped, :commitment, :sealed, :now)"""
# The wrapped key goes with the row: from the commit on nobody can open the object.
DELETE_BLOB = "DELETE FROM blobs WHERE id = :id RETURNING sealed IS NULL AS stored"
NOTE_REMOVAL = "INSERT INTO removals (blob_id, noted_at) VALUES (:id, :now)"
REMOVALS = "SELECT blob_id FROM removals ORDER BY blob_id LIMIT :limit"
REMOVED = "DELETE FROM removals WHERE blob_id = :id"
KEYS_IN_USE = "SELECT kek_id, COUNT(*) AS n FROM blobs GROUP BY kek_id"


def blob(row: Row) -> Blob:
    """Return the envelope in a row of `blobs`."""
    sealed = row["sealed"]
    return Blob(
        id=row["id"],
        family=row["family"],
        project_id=row["project_id"],
        size=row["size"],
        sha256=row["sha256"],
        alg=row["alg"],
        kek_id=row["kek_id"],
        wrapped=bytes(row["wrapped"]),
        commitment=bytes(row["commitment"]),
        sealed=None if sealed is None else bytes(sealed),
        created_at=row["created_at"],
    )
