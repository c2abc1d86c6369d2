"""SQL of sealed objects: their envelopes, and those noted for removal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.catalog.families import FAMILIES
from vault.models import Blob

if TYPE_CHECKING:
    from vault.catalog.database import Row

BLOB = "SELECT * FROM blobs WHERE id = :id"
ANY_BLOB = "SELECT id FROM blobs LIMIT 1"
OBJECT_OF = {
    family: f"SELECT blob_id FROM {family} WHERE id = :id"  # noqa: S608 - made of constants
    for family in FAMILIES
}
STORED_BLOB_IDS = "SELECT id FROM blobs WHERE sealed IS NULL"
COUNT_SINCE = """SELECT COUNT(*) AS n FROM blobs
    WHERE CAST(:since AS TEXT) IS NULL OR created_at >= CAST(:since AS TEXT)"""
IDS_SINCE = """SELECT id FROM blobs WHERE id > :after
    AND (CAST(:since AS TEXT) IS NULL OR created_at >= CAST(:since AS TEXT)) ORDER BY id LIMIT :limit"""
STORED_BLOBS_AFTER = "SELECT id, size FROM blobs WHERE sealed IS NULL AND id > :after ORDER BY id LIMIT :most"
BLOBS_AFTER = "SELECT * FROM blobs WHERE id > :after ORDER BY id LIMIT :most"
BLOB_COUNTS = """SELECT COUNT(*) AS blobs, COALESCE(SUM(CASE WHEN sealed IS NULL THEN 1 ELSE 0 END), 0) AS stored
    FROM blobs"""
ADD_BLOB = """INSERT INTO blobs
    (id, family, project_id, size, sha256, alg, kek_id, first_kek_id, wrapped, commitment, sealed, created_at)
    VALUES (:id, :family, :project, :size, :sha256, :alg, :kek_id, :kek_id, :wrapped, :commitment, :sealed, :now)"""
# The wrapped key goes with the row: from the commit on nobody can open the object.
DELETE_BLOB = "DELETE FROM blobs WHERE id = :id RETURNING sealed IS NULL AS stored"
NOTE_REMOVAL = "INSERT INTO removals (blob_id, noted_at) VALUES (:id, :now)"
# What is noted for later waits for those who still read it; all waits for a backup that is under way. In one statement:
# what is noted before the backup begins is not in its copy of the catalog.
REMOVALS = """SELECT blob_id FROM removals WHERE noted_at <= :now
    AND NOT EXISTS (SELECT 1 FROM leases WHERE name = 'backup' AND until > :now) ORDER BY blob_id LIMIT :limit"""
ANY_REMOVAL_IDS = "SELECT blob_id FROM removals"
REMOVED = "DELETE FROM removals WHERE blob_id = :id"


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
        kek_id=row["kek_id"] or "",
        wrapped=bytes(row["wrapped"]),
        commitment=bytes(row["commitment"]),
        sealed=None if sealed is None else bytes(sealed),
        created_at=row["created_at"],
    )
