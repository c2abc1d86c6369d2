"""SQL of pipelines, jobs and their tokens."""

from __future__ import annotations

PIPELINE = "SELECT * FROM pipelines WHERE id = :id AND project_id = :project"
PIPELINES_OF_PROJECT = "SELECT * FROM pipelines WHERE project_id = :project ORDER BY id DESC LIMIT :size OFFSET :offset"
PIPELINES_COUNT = "SELECT COUNT(*) AS n FROM pipelines WHERE project_id = :project"
ADD_PIPELINE = """INSERT INTO pipelines
    (project_id, ref, sha, status, fixed_status, parent_id, user_id, created_at, updated_at)
    VALUES (:project, :ref, :sha, :status, :fixed, :parent, :user, :now, :now) RETURNING *"""
PIPELINE_JOB_STATES = "SELECT status FROM jobs WHERE pipeline_id = :pipeline"
SET_PIPELINE_STATUS = """UPDATE pipelines SET status = :status, updated_at = :now
    WHERE id = :pipeline AND fixed_status = 0"""

JOB = "SELECT * FROM jobs WHERE id = :id AND project_id = :project"
JOB_BY_ID = "SELECT * FROM jobs WHERE id = :id"
JOB_BY_TOKEN = "SELECT * FROM jobs WHERE token_digest = :digest"
# `:scope` is the statuses wanted, each between commas, or nothing for all.
JOBS_FILTERED = """FROM jobs WHERE project_id = :project
    AND (CAST(:scope AS TEXT) IS NULL OR CAST(:scope AS TEXT) LIKE '%,' || status || ',%')"""
JOBS_OF_PROJECT = f"SELECT * {JOBS_FILTERED} ORDER BY id DESC LIMIT :size OFFSET :offset"
JOBS_COUNT = f"SELECT COUNT(*) AS n {JOBS_FILTERED}"
ADD_JOB = """INSERT INTO jobs (project_id, pipeline_id, name, stage, ref, status, user_id, token_digest, created_at,
    started_at, finished_at)
    VALUES (:project, :pipeline, :name, :stage, :ref, :status, :user, :digest, :now, :started_at, :finished_at)
    RETURNING *"""
SET_JOB_STATUS = """UPDATE jobs SET status = :status, failure_reason = :reason, finished_at = :finished_at
    WHERE id = :id RETURNING *"""
DELETE_JOBS_OF_PROJECT = "DELETE FROM jobs WHERE project_id = :project"
DELETE_PIPELINES_OF_PROJECT = "DELETE FROM pipelines WHERE project_id = :project"
