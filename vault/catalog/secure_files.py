"""SQL of secure files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.models import SecureFile

if TYPE_CHECKING:
    from vault.catalog.database import Row

# Ids only grow, so newest first is by id: two files of one millisecond keep their order.
FILTERED = """FROM secure_files WHERE project_id = :project AND (CAST(:name AS TEXT) IS NULL OR name = :name)
    AND (CAST(:before AS TEXT) IS NULL OR expires_at < :before)"""
PAGE = f"SELECT * {FILTERED} ORDER BY id DESC LIMIT :size OFFSET :offset"
COUNT_FILTERED = f"SELECT COUNT(*) AS n {FILTERED}"
FILE = "SELECT * FROM secure_files WHERE id = :id AND project_id = :project"
COUNT = "SELECT COUNT(*) AS n FROM secure_files WHERE project_id = :project"
TAKEN = "SELECT id FROM secure_files WHERE project_id = :project AND name = :name"
ADD = """INSERT INTO secure_files
    (project_id, name, blob_id, checksum, size, file_extension, expires_at, metadata, metadata_error, kind,
     created_at, updated_at)
    VALUES (:project, :name, :blob_id, :checksum, :size, :file_extension, :expires_at, :metadata, :metadata_error,
     :kind, :now, :now) RETURNING *"""
DELETE = "DELETE FROM secure_files WHERE id = :id AND project_id = :project RETURNING blob_id"
DELETE_ALL = "DELETE FROM secure_files WHERE project_id = :project RETURNING blob_id"
UNREADABLE = "SELECT COUNT(*) AS n FROM secure_files WHERE metadata_error IS NOT NULL"
EXPIRING = """SELECT f.id, f.project_id, p.full_path AS project, f.name, f.kind, f.expires_at, f.metadata_error
    FROM secure_files f JOIN projects p ON p.id = f.project_id
    WHERE f.expires_at IS NOT NULL AND (CAST(:before AS TEXT) IS NULL OR f.expires_at <= :before)
    ORDER BY f.expires_at, f.id"""


def secure_file(row: Row) -> SecureFile:
    """Return the secure file in a row of `secure_files`."""
    return SecureFile(**row)
