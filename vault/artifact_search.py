"""Which job's artifacts a ref and a job's name mean.

https://docs.gitlab.com/api/job_artifacts/#download-job-artifacts-by-reference-name

The newest successful pipeline of the ref answers, and no older one unless it is asked for: within it the jobs of the
pipeline itself before those of its children, and theirs. What is not found is told step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.catalog import jobs as sql
from vault.errors import NotFound
from vault.tokens import job_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.catalog.database import Database
    from vault.models import Artifact, Job, Pipeline

RECENT = 100
"""As many successful pipelines are looked into when more than the newest is asked for."""


class ArtifactSearch:
    """Finds artifacts by ref and job name; `available` returns a job's archive, or raises `NotFound`."""

    def __init__(self, database: Database, available: Callable[[Job], Artifact]) -> None:
        self._db = database
        self._available = available

    def newest(self, project_id: int, ref: str, name: str, *, recent: bool = False) -> tuple[Job, Artifact]:
        """Return what the successful job `name` of the newest successful pipeline of the branch or tag left.

        With `recent`, of the newest one in which there is such a thing. Raises `NotFound` with the step that failed.
        """
        rows = self._db.query(sql.RECENT_SUCCESSFUL, project=project_id, ref=ref, limit=RECENT if recent else 1)
        missing = NotFound(reason=f"no pipeline of {ref} has succeeded")
        for row in rows:
            try:
                return self._in_family(row["id"], name, needs_success=True)
            except NotFound as error:
                missing = missing if missing.reason and row is not rows[0] else error
        raise missing

    def of_pipeline(self, pipeline: Pipeline, ref: str, name: str) -> tuple[Job, Artifact]:
        """Return what the job `name` of this pipeline left, however both ended. Raises `NotFound`."""
        if pipeline.ref != ref:
            raise NotFound(reason=f"pipeline {pipeline.id} is not one of {ref}")
        return self._in_family(pipeline.id, name, needs_success=False)

    def _in_family(self, pipeline_id: int, name: str, *, needs_success: bool) -> tuple[Job, Artifact]:
        missing = NotFound(reason=f"pipeline {pipeline_id} has no job {name}")
        jobs = [job_of(row) for row in self._db.query(sql.JOBS_OF_FAMILY, root=pipeline_id, name=name)]
        for job in jobs:
            try:
                if needs_success and job.status != "success":
                    reason = f"job {job.id} of pipeline {job.pipeline_id} did not succeed, it is {job.status}"
                    raise NotFound(reason=reason)
                return job, self._available(job)
            except NotFound as error:
                missing = missing if job is not jobs[0] else error
        raise missing
