"""SQL of Git LFS objects: a project's, by the SHA-256 of their content."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from vault.models import LfsObject

if TYPE_CHECKING:
    from vault.catalog.database import Row

OBJECT = "SELECT * FROM lfs_objects WHERE project_id = :project AND checksum = :oid"
ADD = """INSERT INTO lfs_objects (project_id, checksum, size, blob_id, created_at)
    VALUES (:project, :oid, :size, :blob_id, :now) RETURNING id"""
DELETE_ALL = "DELETE FROM lfs_objects WHERE project_id = :project RETURNING blob_id"

COLUMNS = {"oid": "checksum"}
NAMES = tuple(field.name for field in fields(LfsObject))


def lfs_object(row: Row) -> LfsObject:
    """Return the object in a row of `OBJECT`."""
    return LfsObject(**{name: row[COLUMNS.get(name, name)] for name in NAMES})
