"""Pipelines follow their jobs; a job's token lives as long as the job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.vault.core import as_caller
from vault.errors import Invalid, NotFound, Unauthenticated
from vault.models import Page
from vault.pipelines import ENDED, STATUSES, status_of

if TYPE_CHECKING:
    from tests.vault.core import Core
    from vault.models import Pipeline, Principal, Project

ALL = Page(1, 100)


@pytest.fixture
def caller(core: Core) -> Principal:
    return as_caller(core.user())


@pytest.fixture
def project(core: Core, caller: Principal) -> Project:
    return core.project(caller.user)


class TestStatusOf:
    @pytest.mark.parametrize(
        ("states", "status"),
        [
            ([], "pending"),
            (["created"], "pending"),
            (["pending", "manual"], "pending"),
            (["running"], "running"),
            (["pending", "running"], "running"),
            (["success", "pending"], "running"),
            (["failed", "running"], "running"),
            (["failed", "pending"], "running"),
            (["success"], "success"),
            (["success", "success"], "success"),
            (["success", "skipped"], "success"),
            (["success", "failed"], "failed"),
            (["failed", "canceled"], "failed"),
            (["success", "canceled"], "canceled"),
            (["skipped", "canceled"], "canceled"),
        ],
    )
    def test_follows_from_the_jobs_in_any_order(self, states: list[str], status: str) -> None:
        assert status_of(states) == status
        assert status_of(states[::-1]) == status

    @pytest.mark.parametrize("state", STATUSES)
    def test_is_never_an_end_while_a_job_has_none(self, state: str) -> None:
        assert (status_of(["success", state]) in ENDED) is (state in ENDED)


class TestPipelines:
    def make(self, core: Core, caller: Principal, project: Project, **values: Any) -> Pipeline:
        return core.pipelines.create(caller, project.id, "main", "abc", **{"parent_id": None, "status": None, **values})

    def test_one_without_a_status_follows_its_jobs(self, core: Core, caller: Principal, project: Project) -> None:
        pipeline = self.make(core, caller, project)
        assert (pipeline.status, pipeline.ref, pipeline.sha, pipeline.user_id) == (
            "pending",
            "main",
            "abc",
            caller.user.id,
        )
        job, _ = core.pipelines.create_job(caller, project.id, "build", "main", pipeline_id=pipeline.id)
        assert core.pipelines.get(project.id, pipeline.id).status == "running"
        core.pipelines.set_status(job, "failed", "script_failure")
        assert core.pipelines.get(project.id, pipeline.id).status == "failed"

    def test_one_with_a_status_keeps_it(self, core: Core, caller: Principal, project: Project) -> None:
        pipeline = self.make(core, caller, project, status="success")
        core.pipelines.create_job(caller, project.id, "build", "main", pipeline_id=pipeline.id, status="failed")

        assert core.pipelines.get(project.id, pipeline.id).status == "success"

    def test_a_parent_has_to_be_of_the_project(self, core: Core, caller: Principal, project: Project) -> None:
        parent = self.make(core, caller, project)
        theirs = self.make(core, caller, core.project(caller.user))

        assert self.make(core, caller, project, parent_id=parent.id).parent_id == parent.id
        with pytest.raises(NotFound, match="Pipeline"):
            self.make(core, caller, project, parent_id=theirs.id)

    def test_an_unknown_status_is_refused(self, core: Core, caller: Principal, project: Project) -> None:
        with pytest.raises(Invalid, match="status is not included in the list"):
            self.make(core, caller, project, status="done")

    def test_the_newest_come_first_and_only_the_projects_own(
        self, core: Core, caller: Principal, project: Project
    ) -> None:
        made = [self.make(core, caller, project) for _ in range(3)]
        theirs = self.make(core, caller, core.project(caller.user))

        assert core.pipelines.of_project(project.id, Page(1, 2)).rows == made[:0:-1]
        assert core.pipelines.of_project(project.id, ALL).total == 3
        with pytest.raises(NotFound):
            core.pipelines.get(project.id, theirs.id)


class TestJobs:
    def test_one_without_a_pipeline_gets_one(self, core: Core, caller: Principal, project: Project) -> None:
        job, _ = core.pipelines.create_job(caller, project.id, "build", "main")

        assert (job.status, job.stage, job.failure_reason, job.finished_at) == ("running", "test", None, None)
        assert job.started_at == job.created_at
        assert core.pipelines.get(project.id, job.pipeline_id).status == "running"
        assert core.pipelines.job(project.id, job.id) == job

    def test_a_pipeline_of_another_project_is_not_found(self, core: Core, caller: Principal, project: Project) -> None:
        theirs, _ = core.pipelines.create_job(caller, core.project(caller.user).id, "build", "main")

        with pytest.raises(NotFound, match="Pipeline"):
            core.pipelines.create_job(caller, project.id, "build", "main", pipeline_id=theirs.pipeline_id)
        with pytest.raises(NotFound, match="Job"):
            core.pipelines.job(project.id, theirs.id)

    @pytest.mark.parametrize(
        ("values", "field"), [({"name": " "}, "name"), ({"name": "a", "status": "done"}, "status")]
    )
    def test_a_blank_name_and_an_unknown_status_are_refused(
        self, core: Core, caller: Principal, project: Project, values: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(Invalid) as raised:
            core.pipelines.create_job(caller, project.id, ref="main", **values)
        assert raised.value.field == field
        assert core.pipelines.of_project(project.id, ALL).total == 0

    def test_one_that_ended_has_its_times(self, core: Core, caller: Principal, project: Project) -> None:
        job, _ = core.pipelines.create_job(caller, project.id, "build", "main", status="success")
        waiting, _ = core.pipelines.create_job(caller, project.id, "build", "main", status="pending")

        assert job.started_at == job.finished_at == job.created_at
        assert (waiting.started_at, waiting.finished_at) == (None, None)

    def test_the_newest_come_first_in_the_statuses_asked_for(
        self, core: Core, caller: Principal, project: Project
    ) -> None:
        made = [
            core.pipelines.create_job(caller, project.id, status, "main", status=status)[0]
            for status in ("success", "failed", "success", "running")
        ]

        listed = core.pipelines.jobs(project.id, Page(1, 2))
        assert (listed.rows, listed.total) == (made[:1:-1], 4)
        listed = core.pipelines.jobs(project.id, Page(2, 1), scope=("success",))
        assert (listed.rows, listed.total) == ([made[0]], 2)


class TestSetStatus:
    @pytest.mark.parametrize("status", sorted(ENDED))
    def test_an_end_has_a_time_and_ends_the_token(
        self, core: Core, caller: Principal, project: Project, status: str
    ) -> None:
        job, secret = core.pipelines.create_job(caller, project.id, "build", "main")
        assert core.tokens.job(secret).job == job
        ended = core.pipelines.set_status(job, status, "a reason")

        assert (ended.status, ended.failure_reason) == (status, "a reason")
        assert ended.finished_at is not None
        with pytest.raises(Unauthenticated):
            core.tokens.job(secret)

    def test_a_job_that_runs_again_has_no_end(self, core: Core, caller: Principal, project: Project) -> None:
        job, secret = core.pipelines.create_job(caller, project.id, "build", "main")
        core.pipelines.set_status(job, "failed")
        again = core.pipelines.set_status(job, "running")

        assert again.finished_at is None
        assert core.tokens.job(secret).job == again

    def test_an_unknown_status_changes_nothing(self, core: Core, caller: Principal, project: Project) -> None:
        job, _ = core.pipelines.create_job(caller, project.id, "build", "main")

        with pytest.raises(Invalid):
            core.pipelines.set_status(job, "done")
        assert core.pipelines.job(project.id, job.id) == job
