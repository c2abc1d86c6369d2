"""SQL of Markdown uploads."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from vault.models import Upload

if TYPE_CHECKING:
    from vault.catalog.database import Row

SELECT = """SELECT u.*, p.name AS uploader_name, p.username AS uploader_username
    FROM uploads u LEFT JOIN users p ON p.id = u.uploader_id"""
# Ids only grow, so newest first is by id: two uploads of one millisecond keep their order.
PAGE = f"{SELECT} WHERE u.project_id = :project ORDER BY u.id DESC LIMIT :size OFFSET :offset"
COUNT = """SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM uploads WHERE project_id = :project LIMIT :most)
    AS counted"""
UPLOAD = f"{SELECT} WHERE u.id = :id AND u.project_id = :project"
UPLOAD_BY_SECRET = f"{SELECT} WHERE u.secret_digest = :digest AND u.filename = :filename AND u.project_id = :project"
ADD = """INSERT INTO uploads (project_id, secret_digest, filename, blob_id, size, checksum, uploader_id, created_at)
    VALUES (:project, :digest, :filename, :blob_id, :size, :checksum, :uploader, :now) RETURNING id"""
DELETE = "DELETE FROM uploads WHERE id = :id AND project_id = :project RETURNING blob_id"
DELETE_ALL = "DELETE FROM uploads WHERE project_id = :project RETURNING blob_id"

COLUMNS = tuple(field.name for field in fields(Upload))


def upload(row: Row) -> Upload:
    """Return the upload in a row of `SELECT`."""
    return Upload(**{key: row[key] for key in COLUMNS})
