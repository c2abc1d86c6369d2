"""SQL of secure files."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from vault.models import SecureFile

if TYPE_CHECKING:
    from vault.catalog.database import Row

# Ids only grow, so newest first is by id: two files of one millisecond keep their order.
FILTERED = """FROM secure_files WHERE project_id = :project AND (CAST(:name AS TEXT) IS NULL OR name = :name)
    AND (CAST(:before AS TEXT) IS NULL OR expires_at < :before)"""
DOCUMENTS = f"SELECT id, document {FILTERED} ORDER BY id DESC LIMIT :size OFFSET :offset"
COUNT_FILTERED = f"SELECT COUNT(*) AS n {FILTERED}"
PAGE = f"SELECT * {FILTERED} ORDER BY id DESC LIMIT :size OFFSET :offset"
FILE = "SELECT * FROM secure_files WHERE id = :id AND project_id = :project"
# What a new file's place depends on, in one question. `ADD` asks the same, and adds nothing where there is none.
PLACE = """SELECT (SELECT COUNT(*) FROM projects WHERE id = :project) AS projects,
    (SELECT COUNT(*) FROM secure_files WHERE project_id = :project AND name = :name) AS of_that_name,
    (SELECT COUNT(*) FROM secure_files WHERE project_id = :project) AS files"""
ADD = """INSERT INTO secure_files
    (project_id, name, blob_id, checksum, size, expires_at, metadata_error, kind, created_at, updated_at, document)
    SELECT id, :name, :blob_id, :checksum, :size, :expires_at, :metadata_error, :kind, :now, :now, :document
    FROM projects WHERE id = :project
    AND (SELECT COUNT(*) FROM secure_files f WHERE f.project_id = :project) < :limit
    ON CONFLICT (project_id, name) DO NOTHING RETURNING *"""
REPLACE = """UPDATE secure_files SET blob_id = :blob_id, checksum = :checksum, size = :size, expires_at = :expires_at,
    metadata_error = :metadata_error, kind = :kind, updated_at = :now, document = :document
    WHERE id = :id AND project_id = :project RETURNING *"""
# Only while the content is the one that was read.
READ_AGAIN = """UPDATE secure_files SET expires_at = :expires_at, metadata_error = :metadata_error, kind = :kind,
    updated_at = :now, document = :document WHERE id = :id AND blob_id = :blob_id RETURNING *"""
DELETE = "DELETE FROM secure_files WHERE id = :id AND project_id = :project RETURNING blob_id"
DELETE_ALL = "DELETE FROM secure_files WHERE project_id = :project RETURNING blob_id"
QUEUED = """SELECT id, project_id FROM secure_files WHERE metadata_error = 'queued' ORDER BY id LIMIT :limit"""
UNREADABLE = "SELECT COUNT(*) AS n FROM secure_files WHERE metadata_error IS NOT NULL"
EXPIRY_WINDOWS = """SELECT COUNT(*) AS every, COUNT(expires_at) AS dated,
    SUM(CASE WHEN expires_at < :now THEN 1 ELSE 0 END) AS expired,
    SUM(CASE WHEN expires_at < :week THEN 1 ELSE 0 END) AS week,
    SUM(CASE WHEN expires_at < :month THEN 1 ELSE 0 END) AS month,
    SUM(CASE WHEN expires_at < :quarter THEN 1 ELSE 0 END) AS quarter
    FROM secure_files"""
# Asked for each row, and not joined: for some rows an engine would read all projects.
PROJECT_PATH = "(SELECT p.full_path FROM projects p WHERE p.id = f.project_id) AS project"
_EXPIRING = f"""SELECT f.id, f.project_id, {PROJECT_PATH}, f.name, f.kind, f.expires_at, f.metadata_error
    FROM secure_files f WHERE f.expires_at <= :before"""  # noqa: S608 - made of constants
EXPIRING = f"{_EXPIRING} ORDER BY f.expires_at, f.id"
EXPIRING_OF_PROJECT = f"{_EXPIRING} AND f.project_id = :project ORDER BY f.expires_at, f.id"
OF_PROJECT = "SELECT id FROM secure_files WHERE project_id = :project ORDER BY id"
PROJECTS = """SELECT p.id, p.full_path FROM projects p
    WHERE EXISTS (SELECT 1 FROM secure_files f WHERE f.project_id = p.id) ORDER BY p.full_path"""

COLUMNS = tuple(field.name for field in fields(SecureFile))


def secure_file(row: Row) -> SecureFile:
    """Return the secure file in a row of `secure_files`."""
    return SecureFile(**{key: row[key] for key in COLUMNS})
