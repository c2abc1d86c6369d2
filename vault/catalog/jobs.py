"""SQL of pipelines, jobs and their tokens."""

from __future__ import annotations

PIPELINE = "SELECT * FROM pipelines WHERE id = :id AND project_id = :project"
PIPELINES_OF_PROJECT = "SELECT * FROM pipelines WHERE project_id = :project ORDER BY id DESC LIMIT :size OFFSET :offset"
PIPELINES_COUNT = """SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM pipelines WHERE project_id = :project LIMIT :most)
    AS counted"""
ADD_PIPELINE = """INSERT INTO pipelines
    (project_id, ref, sha, status, fixed_status, parent_id, root_id, user_id, created_at, updated_at)
    VALUES (:project, :ref, :sha, :status, :fixed, :parent,
     (SELECT COALESCE(root_id, id) FROM pipelines WHERE id = :parent), :user, :now, :now) RETURNING *"""
# A job of the same name in the same pipeline takes the place of the one before: that was retried.
NOT_RETRIED = """NOT EXISTS (SELECT 1 FROM jobs again
    WHERE again.pipeline_id = j.pipeline_id AND again.name = j.name AND again.id > j.id)"""
PIPELINE_JOB_STATES = f"SELECT j.status FROM jobs j WHERE j.pipeline_id = :pipeline AND {NOT_RETRIED}"  # noqa: S608 - made of constants
# Children of other pipelines are not asked for: their parents answer for them.
RECENT_SUCCESSFUL = """SELECT * FROM pipelines WHERE project_id = :project AND ref = :ref AND status = 'success'
    AND parent_id IS NULL ORDER BY id DESC LIMIT :limit"""
JOBS_OF_FAMILY = f"""SELECT j.* FROM jobs j JOIN pipelines p ON p.id = j.pipeline_id
    WHERE (p.id = :root OR p.root_id = :root) AND j.name = :name AND {NOT_RETRIED} ORDER BY p.id, j.id"""  # noqa: S608 - made of constants
SET_PIPELINE_STATUS = """UPDATE pipelines SET status = :status, updated_at = :now
    WHERE id = :pipeline AND fixed_status = 0"""

JOB = "SELECT * FROM jobs WHERE id = :id AND project_id = :project"
JOB_BY_ID = "SELECT * FROM jobs WHERE id = :id"
JOB_BY_TOKEN = "SELECT * FROM jobs WHERE token_digest = :digest"
# `:scope` is the statuses wanted, each between commas, or nothing for all.
JOBS_FILTERED = """FROM jobs WHERE project_id = :project
    AND (CAST(:scope AS TEXT) IS NULL OR CAST(:scope AS TEXT) LIKE '%,' || status || ',%')"""
JOBS_OF_PROJECT = f"SELECT * {JOBS_FILTERED} ORDER BY id DESC LIMIT :size OFFSET :offset"
JOBS_COUNT = f"SELECT COUNT(*) AS n FROM (SELECT 1 AS one {JOBS_FILTERED} LIMIT :most) AS counted"  # noqa: S608
ADD_JOB = """INSERT INTO jobs (project_id, pipeline_id, name, stage, ref, status, user_id, token_digest, created_at,
    started_at, finished_at)
    VALUES (:project, :pipeline, :name, :stage, :ref, :status, :user, :digest, :now, :started_at, :finished_at)
    RETURNING *"""
SET_JOB_STATUS = """UPDATE jobs SET status = :status, failure_reason = :reason, finished_at = :finished_at
    WHERE id = :id RETURNING *"""
DELETE_JOBS_OF_PROJECT = "DELETE FROM jobs WHERE project_id = :project"
DELETE_PIPELINES_OF_PROJECT = "DELETE FROM pipelines WHERE project_id = :project"
