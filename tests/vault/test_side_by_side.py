"""Rules that count or look before they write hold when works run side by side, as they do in PostgreSQL alone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from tests.engines import ENGINES
from tests.harness import unique
from tests.postgres import needs_postgres
from tests.vault.core import Core, as_caller, opened
from vault.artifact_types import ARCHIVE
from vault.artifacts import Artifacts, Label
from vault.catalog import artifacts as artifacts_sql
from vault.errors import Conflict, Invalid, VaultError
from vault.models import Visibility
from vault.retention import Retention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.postgres import PostgresServer
    from vault.catalog.database import Transaction

pytestmark = needs_postgres
ROUNDS = 12


@pytest.fixture
def core(postgres: PostgresServer, tmp_path: Path) -> Iterator[Core]:
    data = tmp_path / "data"
    with ENGINES.catalog_in_postgres(data), opened(data) as core:
        yield core


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Make the calls at the same moment, each in a thread; return what each returns or raises of ours."""
    together = Barrier(len(calls))

    def made(call: Callable[[], object]) -> object:
        together.wait(20)
        try:
            return call()
        except VaultError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result(60) for done in [pool.submit(made, call) for call in calls]]


class TestPipelines:
    def test_follow_jobs_that_end_at_the_same_moment(self, core: Core) -> None:
        user = core.user()
        project = core.project(user)
        for _ in range(ROUNDS):
            pipeline = core.pipelines.create(as_caller(user), project.id, "main", "", parent_id=None, status=None)
            jobs = [
                core.pipelines.create_job(as_caller(user), project.id, name, "main", pipeline_id=pipeline.id)[0]
                for name in ("a", "b", "c")
            ]
            at_once(*(lambda job=job: core.pipelines.set_status(job, "success") for job in jobs))  # type: ignore[misc]
            assert core.pipelines.get(project.id, pipeline.id).status == "success"


class TestNames:
    def test_are_given_once_to_a_group_or_a_project(self, core: Core) -> None:
        user = core.user(is_admin=True)
        above = core.group(user)
        for _ in range(ROUNDS):
            name = unique("both")
            made = at_once(
                lambda name=name: core.projects.create_group(  # type: ignore[misc]
                    as_caller(user), name, name, parent_id=above.id, visibility=Visibility.PRIVATE
                ),
                lambda name=name: core.projects.create(as_caller(user), name, name, namespace=above),  # type: ignore[misc]
            )
            assert sum(isinstance(each, Conflict | Invalid) for each in made) == 1

    def test_that_are_taken_at_the_same_moment_are_told_as_taken(self, core: Core) -> None:
        for _ in range(ROUNDS):
            name = unique("twin")
            made = at_once(*[lambda name=name: core.people.create(name, "Twin", "twin@example.com")] * 3)  # type: ignore[misc]
            refused = [str(each) for each in made if isinstance(each, Conflict)]
            assert refused == ["Username has already been taken"] * 2


class TestProjects:
    def test_that_are_deleted_take_what_is_being_uploaded_with_them(self, core: Core) -> None:
        user = core.user()
        for _ in range(ROUNDS):
            project = core.project(user)
            _, deleted, _ = at_once(
                lambda project=project: core.secure_files.add(project.id, "a", b"1"),  # type: ignore[misc]
                lambda project=project: core.projects.delete(project.id),  # type: ignore[misc]
                lambda project=project: core.secure_files.add(project.id, "b", b"2"),  # type: ignore[misc]
            )
            assert deleted is None
        assert core.sql("SELECT * FROM secure_files") == []
        assert core.sql("SELECT id FROM blobs") == []


class TestArtifacts:
    def test_that_are_asked_to_be_kept_are_not_swept(self, core: Core) -> None:
        user = core.user()
        project = core.project(user)
        artifacts = Artifacts(core.database, core.storage, None)
        job, _ = core.pipelines.create_job(as_caller(user), project.id, "build", "main")
        with core.storage.writer("artifacts", project.id) as writer:
            writer.write(b"an archive")
            artifacts.add(job, Label(ARCHIVE, "zip", "1 day"), "artifacts.zip", writer)
        core.sql("UPDATE artifacts SET expires_at = '2001-01-01T00:00:00.000Z'")
        retention = Retention(core.database, core.storage)

        with ThreadPoolExecutor(1) as elsewhere:

            def keep(tx: Transaction) -> Future[int]:
                tx.query(artifacts_sql.KEEP, job=job.id)
                sweep = elsewhere.submit(retention.sweep)
                _until_somebody_waits(core)
                return sweep

            assert core.database.write(keep).result(30) == 0
        assert artifacts.of_type(job).expires_at is None


def _until_somebody_waits(core: Core) -> None:
    waiting = "SELECT COUNT(*) AS n FROM pg_locks WHERE NOT granted"
    deadline = time.monotonic() + 20
    while not _read_elsewhere(core, waiting):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _read_elsewhere(core: Core, statement: str) -> int:
    with ThreadPoolExecutor(1) as other:
        return int(other.submit(core.database.query, statement).result(20)[0]["n"])
