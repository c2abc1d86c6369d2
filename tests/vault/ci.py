"""Pipelines, jobs and what they left, for tests of artifacts without a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.vault.core import as_caller
from vault.artifacts import Artifacts, Label
from vault.retention import Retention

if TYPE_CHECKING:
    from datetime import timedelta

    from tests.vault.core import Core
    from vault.models import Artifact, Job, Pipeline, Principal, Project

LONG_AGO = "2020-01-01T00:00:00.000Z"


@dataclass
class Ci:
    """One project and its CI; jobs end well and leave an archive unless told otherwise."""

    core: Core
    caller: Principal
    project: Project
    artifacts: Artifacts
    retention: Retention

    def pipeline(self, ref: str = "main", *, parent: Pipeline | None = None, status: str | None = None) -> Pipeline:
        parent_id = parent.id if parent else None
        return self.core.pipelines.create(self.caller, self.project.id, ref, "", parent_id=parent_id, status=status)

    def job(self, pipeline: Pipeline, name: str = "build", status: str = "success", left: bytes | None = b"1") -> Job:
        """Register a job in its last state; `left` is its archive, None for none."""
        job, _ = self.core.pipelines.create_job(
            self.caller, self.project.id, name, pipeline.ref, status=status, pipeline_id=pipeline.id
        )
        if left is not None:
            self.leave(job, left)
        return job

    def leave(self, job: Job, data: bytes = b"1", *, name: str = "a.zip", **label: str) -> Artifact:
        with self.artifacts.writer(job.project_id) as writer:
            writer.write(data)
            return self.artifacts.add(job, Label(**label), name, writer)

    def left(self, job: Job) -> list[str]:
        """Return the types of what is still there of a job."""
        return [artifact.file_type for artifact in self.artifacts.of_job(job.id)]

    def age(self, *jobs: Job) -> None:
        """Have the time of the jobs' artifacts be over."""
        for job in jobs:
            self.core.sql(
                "UPDATE artifacts SET expires_at = '2020-01-01T00:00:00.000Z' WHERE job_id = :job", job=job.id
            )


def ci_of(core: Core, default_term: timedelta | None = None) -> Ci:
    """Return the CI of a new project."""
    user = core.user()
    artifacts = Artifacts(core.database, core.storage, default_term)
    return Ci(core, as_caller(user), core.project(user), artifacts, Retention(core.database, core.storage))
