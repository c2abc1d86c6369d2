"""Pipelines and jobs: what artifacts hang on, and what job tokens live and die with."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from vault import clock
from vault.catalog import jobs as sql
from vault.errors import Forbidden, Invalid, NotFound
from vault.models import Job, Listing, Page, Pipeline, Principal
from vault.tokens import JOB, job_of, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from vault.catalog.database import Database, Row, Transaction

STATUSES = (
    "created",
    "waiting_for_resource",
    "preparing",
    "pending",
    "running",
    "success",
    "failed",
    "canceling",
    "canceled",
    "skipped",
    "manual",
    "scheduled",
)
# Columns of a pipeline that queries need and nobody is told of.
CATALOG_ONLY = frozenset(("fixed_status", "root_id"))
ENDED = frozenset(("success", "failed", "canceled", "skipped"))


class Pipelines:
    """Pipelines and jobs of all projects."""

    def __init__(self, database: Database, digest: Callable[[str], str]) -> None:
        self._db = database
        self._digest = digest

    def create(
        self, caller: Principal, project_id: int, ref: str, sha: str, *, parent_id: int | None, status: str | None
    ) -> Pipeline:
        """Register a pipeline; without `status` it follows its jobs. Raises `Invalid`, `NotFound` for its parent."""
        _check_status(status)
        if parent_id is not None:
            self.get(project_id, parent_id)

        def work(tx: Transaction) -> Pipeline:
            return self._add(tx, caller, project_id, ref, sha, parent_id=parent_id, status=status)

        return self._db.write(work)

    def get(self, project_id: int, pipeline_id: int) -> Pipeline:
        """Return a pipeline of the project. Raises `NotFound`."""
        rows = self._db.query(sql.PIPELINE, id=pipeline_id, project=project_id)
        if not rows:
            raise NotFound("Pipeline")
        return _pipeline(rows[0])

    def of_project(self, project_id: int, page: Page) -> Listing[Pipeline]:
        """Return the project's pipelines, newest first."""
        total = self._db.query(sql.PIPELINES_COUNT, project=project_id, most=page.most)[0]["n"]
        rows = self._db.query(sql.PIPELINES_OF_PROJECT, project=project_id, size=page.size, offset=page.offset)
        return Listing([_pipeline(row) for row in rows], total)

    def _add(
        self,
        tx: Transaction,
        caller: Principal,
        project_id: int,
        ref: str,
        sha: str,
        *,
        parent_id: int | None,
        status: str | None,
    ) -> Pipeline:
        values: dict[str, Any] = {
            "project": project_id,
            "ref": ref,
            "sha": sha,
            "status": status or "pending",
            "fixed": int(status is not None),
            "parent": parent_id,
            "user": caller.user.id,
        }
        return _pipeline(tx.query(sql.ADD_PIPELINE, **values, now=clock.now())[0])

    def create_job(
        self,
        caller: Principal,
        project_id: int,
        name: str,
        ref: str,
        *,
        status: str | None = None,
        pipeline_id: int | None = None,
        stage: str = "test",
    ) -> tuple[Job, str]:
        """Register a job acting as the caller and return it with its token; without a pipeline one is made.

        Raises `Invalid` for a blank name or an unknown status, `NotFound` for a pipeline of another project.
        """
        status = status or "running"
        _check_status(status)
        if not name.strip():
            raise Invalid("name", "can't be blank")
        if pipeline_id is not None:
            self.get(project_id, pipeline_id)
        secret = new_secret(JOB)
        now = clock.now()
        values: dict[str, Any] = {
            "project": project_id,
            "name": name,
            "stage": stage,
            "ref": ref,
            "status": status,
            "user": caller.user.id,
            "digest": self._digest(secret),
            "now": now,
            "started_at": now if status == "running" or status in ENDED else None,
            "finished_at": now if status in ENDED else None,
        }

        def work(tx: Transaction) -> Job:
            pipeline = pipeline_id
            if pipeline is None:
                pipeline = self._add(tx, caller, project_id, ref, "", parent_id=None, status=None).id
            job = job_of(tx.query(sql.ADD_JOB, **values, pipeline=pipeline)[0])
            _follow_jobs(tx, pipeline)
            return job

        return self._db.write(work), secret

    def job(self, project_id: int, job_id: int) -> Job:
        """Return a job of the project. Raises `NotFound`."""
        rows = self._db.query(sql.JOB, id=job_id, project=project_id)
        if not rows:
            raise NotFound("Job")
        return job_of(rows[0])

    def any_job(self, job_id: int) -> Job:
        """Return a job of whatever project. Raises `NotFound`."""
        rows = self._db.query(sql.JOB_BY_ID, id=job_id)
        if not rows:
            raise NotFound("Job")
        return job_of(rows[0])

    def of_runner(self, job_id: int, secret: str) -> Job:
        """Return the job with this id whose own token the secret is, whatever its state.

        Raises `Forbidden` in every other case: a runner is not told whether there is such a job.
        """
        rows = self._db.query(sql.JOB_BY_ID, id=job_id)
        if not rows or not hmac.compare_digest(rows[0]["token_digest"], self._digest(secret)):
            raise Forbidden
        return job_of(rows[0])

    def jobs(self, project_id: int, page: Page, scope: Collection[str] = ()) -> Listing[Job]:
        """Return the project's jobs, newest first, only those in the statuses of `scope` when any are given."""
        where = {"project": project_id, "scope": f",{','.join(scope)}," if scope else None}
        total = self._db.query(sql.JOBS_COUNT, **where, most=page.most)[0]["n"]
        rows = self._db.query(sql.JOBS_OF_PROJECT, **where, size=page.size, offset=page.offset)
        return Listing([job_of(row) for row in rows], total)

    def set_status(self, job: Job, status: str, reason: str | None = None) -> Job:
        """Move a job to another status; its token ends with it. Raises `Invalid` for an unknown status."""
        _check_status(status)
        finished = clock.now() if status in ENDED else None

        def work(tx: Transaction) -> Job:
            rows = tx.query(sql.SET_JOB_STATUS, id=job.id, status=status, reason=reason, finished_at=finished)
            if not rows:  # deleted meanwhile
                raise NotFound("Job")
            _follow_jobs(tx, job.pipeline_id)
            return job_of(rows[0])

        return self._db.write(work)

    @staticmethod
    def forget_project(tx: Transaction, project_id: int) -> None:
        """Remove the project's jobs and pipelines."""
        tx.query(sql.DELETE_JOBS_OF_PROJECT, project=project_id)
        tx.query(sql.DELETE_PIPELINES_OF_PROJECT, project=project_id)


def _follow_jobs(tx: Transaction, pipeline_id: int) -> None:
    # Of two jobs that end at once, the one that comes second has to see the other's end.
    tx.lock("pipelines", pipeline_id)
    states = [row["status"] for row in tx.query(sql.PIPELINE_JOB_STATES, pipeline=pipeline_id)]
    tx.query(sql.SET_PIPELINE_STATUS, pipeline=pipeline_id, status=status_of(states), now=clock.now())


def status_of(states: Collection[str]) -> str:
    """Return the status of a pipeline whose own jobs have these: success when all are, failed when one is and all
    have ended, else running or pending.
    """
    if states and all(state == "success" for state in states):
        return "success"
    if states and ENDED.issuperset(states):
        return "failed" if "failed" in states else "canceled" if "canceled" in states else "success"
    return "running" if "running" in states or ENDED.intersection(states) else "pending"


def _check_status(status: str | None) -> None:
    if status is not None and status not in STATUSES:
        raise Invalid("status", "is not included in the list")


def _pipeline(row: Row) -> Pipeline:
    return Pipeline(**{key: value for key, value in row.items() if key not in CATALOG_ONLY})
