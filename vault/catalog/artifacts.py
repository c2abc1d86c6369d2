"""SQL of job artifacts: what is kept, what is locked, and what has had its time."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from vault.models import Artifact

if TYPE_CHECKING:
    from vault.catalog.database import Row

# The newest successful pipeline of a ref locks its own artifacts and those of its descendants. Children never count.
LOCKED = """EXISTS (SELECT 1 FROM pipelines head WHERE head.id = COALESCE(p.root_id, p.id) AND head.status = 'success'
    AND NOT EXISTS (SELECT 1 FROM pipelines newer WHERE newer.project_id = head.project_id AND newer.ref = head.ref
        AND newer.status = 'success' AND newer.parent_id IS NULL AND newer.id > head.id))"""
JOINED = "FROM artifacts a JOIN jobs j ON j.id = a.job_id JOIN pipelines p ON p.id = j.pipeline_id"
SELECT = f"SELECT a.*, CASE WHEN {LOCKED} THEN 1 ELSE 0 END AS locked {JOINED}"
OF_JOB = f"{SELECT} WHERE a.job_id = :job ORDER BY a.id"
OF_TYPE = f"{SELECT} WHERE a.job_id = :job AND a.file_type = :file_type"
ADD = """INSERT INTO artifacts
    (project_id, job_id, file_type, file_format, filename, blob_id, size, checksum, access, expires_at, created_at)
    VALUES (:project, :job, :file_type, :file_format, :filename, :blob_id, :size, :checksum, :access, :expires_at, :now)
    RETURNING id"""
KEEP = "UPDATE artifacts SET expires_at = NULL WHERE job_id = :job RETURNING id"
# Logs are no artifacts to their readers: they stay.
DELETE_OF_JOB = "DELETE FROM artifacts WHERE job_id = :job AND file_type <> 'trace' RETURNING blob_id"
DELETE_ALL = "DELETE FROM artifacts WHERE project_id = :project RETURNING blob_id"
EXPIRE_UNLOCKED = f"""UPDATE artifacts SET expires_at = :now WHERE id IN (
    SELECT a.id {JOINED} WHERE a.project_id = :project AND a.file_type <> 'trace'
    AND (a.expires_at IS NULL OR a.expires_at > :now) AND NOT {LOCKED}) RETURNING id"""  # noqa: S608 - made of constants
COUNT_LOCKED = f"""SELECT COUNT(*) AS n {JOINED}
    WHERE a.project_id = :project AND a.file_type <> 'trace' AND {LOCKED}"""

HAS_EXPIRED = f"a.expires_at <= :now AND a.file_type <> 'trace' AND NOT {LOCKED}"
EXPIRED = f"SELECT a.id {JOINED} WHERE {HAS_EXPIRED} ORDER BY a.expires_at, a.id LIMIT :limit"
COUNT_EXPIRED = f"SELECT COUNT(*) AS n {JOINED} WHERE {HAS_EXPIRED}"
# Looked at again in the transaction: kept or locked meanwhile, it stays. The end is asked of the row itself as well:
# one that another transaction has in hand is looked at anew when that is done, what a subquery found is not.
DELETE_EXPIRED = f"""DELETE FROM artifacts WHERE id = :id AND expires_at <= :now
    AND id IN (SELECT a.id {JOINED} WHERE a.id = :id AND {HAS_EXPIRED}) RETURNING blob_id"""  # noqa: S608 - made of constants
REPORT = f"""SELECT a.id, a.project_id, q.full_path AS project, a.job_id, j.name AS job, p.id AS pipeline_id, j.ref,
    a.file_type, a.size, a.created_at, a.expires_at, CASE WHEN {LOCKED} THEN 1 ELSE 0 END AS locked
    {JOINED} JOIN projects q ON q.id = a.project_id
    WHERE (CAST(:project AS TEXT) IS NULL OR q.path_key = :project) ORDER BY a.project_id, a.id"""

COLUMNS = tuple(field.name for field in fields(Artifact) if field.name != "locked")


def artifact(row: Row) -> Artifact:
    """Return the artifact in a row of `SELECT`."""
    return Artifact(**{key: row[key] for key in COLUMNS}, locked=bool(row["locked"]))
