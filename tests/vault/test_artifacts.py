"""The rules of job artifacts: taking in, keeping and giving up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.vault.ci import Ci, ci_of
from tests.vault.core import LARGE
from vault.artifacts import ACCESS_LEVELS, Label, check_access
from vault.errors import Conflict, Forbidden, Invalid, NotFound
from vault.models import Role

if TYPE_CHECKING:
    from tests.vault.core import Core


@pytest.fixture
def ci(core: Core) -> Ci:
    return ci_of(core, timedelta(days=30))


def away(days: float, end: str | None) -> bool:
    """Say whether an end is so many days from now, give or take a minute."""
    assert end is not None
    left = datetime.fromisoformat(end) - datetime.now(UTC) - timedelta(days=days)
    return abs(left) < timedelta(minutes=1)


class TestAdd:
    def test_keeps_bytes_name_size_and_checksum(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), left=None)

        kept = ci.leave(job, b"zip", name="my.zip")

        assert (kept.filename, kept.size, kept.file_type, kept.file_format) == ("my.zip", 3, "archive", "zip")
        assert ci.artifacts.content(kept).read(0, 3) == b"zip"

    @pytest.mark.parametrize(("expire_in", "days"), [("", 30), ("  ", 30), ("1 day", 1), ("86400", 1), ("2 mos", 60)])
    def test_counts_the_term_of_the_job_or_the_default(self, ci: Ci, expire_in: str, days: float) -> None:
        assert away(days, ci.leave(ci.job(ci.pipeline(), left=None), expire_in=expire_in).expires_at)

    def test_sets_no_end_where_there_is_never_one(self, ci: Ci, core: Core) -> None:
        forever = ci_of(core, None)

        assert ci.leave(ci.job(ci.pipeline(), left=None), expire_in="never").expires_at is None
        assert forever.leave(forever.job(forever.pipeline(), left=None)).expires_at is None

    def test_takes_one_of_each_type(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        ci.leave(job, file_type="junit", file_format="gzip")

        assert ci.left(job) == ["archive", "junit"]

    @pytest.mark.parametrize("size", [1, LARGE])
    def test_takes_the_same_bytes_again_as_a_success(self, ci: Ci, size: int) -> None:
        job = ci.job(ci.pipeline(), left=b"x" * size)

        again = ci.leave(job, b"x" * size, name="other.zip")

        assert (again.filename, len(ci.left(job))) == ("a.zip", 1)
        assert len(ci.core.sql("SELECT id FROM blobs")) == 1
        assert len(list(ci.core.blobs.ids())) == int(size == LARGE)

    def test_refuses_other_bytes_of_the_same_type_and_says_which_are_there(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), left=b"x" * LARGE)
        first = ci.artifacts.of_type(job)

        with pytest.raises(Conflict, match=f"another artifact of the same type already exists.*{first.checksum}"):
            ci.leave(job, b"y" * LARGE)

        assert ci.artifacts.of_type(job) == first
        assert list(ci.core.blobs.ids()) == [first.blob_id]

    @pytest.mark.parametrize(
        ("file_type", "file_format"), [("archive", "gzip"), ("junit", "raw"), ("sast", "zip"), ("trace", "gzip")]
    )
    def test_refuses_a_format_that_the_type_does_not_come_in(self, ci: Ci, file_type: str, file_format: str) -> None:
        with pytest.raises(Invalid, match="Invalid file format with specified file type"):
            ci.leave(ci.job(ci.pipeline(), left=None), file_type=file_type, file_format=file_format)

    def test_keeps_nothing_when_the_job_went_away_meanwhile(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), left=None)

        with ci.artifacts.writer(job.project_id) as writer:
            writer.write(b"x" * LARGE)
            ci.core.projects.delete(job.project_id)
            with pytest.raises(NotFound):
                ci.artifacts.add(job, Label(), "a.zip", writer)

        assert list(ci.core.blobs.ids()) == []


class TestKeep:
    def test_takes_the_end_away_from_all_that_the_job_left(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        ci.leave(job, file_type="junit", file_format="gzip")

        ci.artifacts.keep(job)

        assert [artifact.expires_at for artifact in ci.artifacts.of_job(job.id)] == [None, None]

    def test_refuses_where_there_is_no_archive(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), left=None)
        ci.leave(job, file_type="junit", file_format="gzip")

        with pytest.raises(NotFound) as caught:
            ci.artifacts.keep(job)
        assert caught.value.reason == f"job {job.id} has no artifacts"

    def test_refuses_when_the_time_is_over(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        ci.age(job)

        with pytest.raises(NotFound) as caught:
            ci.artifacts.keep(job)
        assert caught.value.reason == f"the artifacts of job {job.id} expired at 2020-01-01T00:00:00.000Z"


class TestRemove:
    def test_takes_all_but_the_log(self, ci: Ci) -> None:
        job, other = ci.job(ci.pipeline()), ci.job(ci.pipeline())
        ci.leave(job, file_type="trace", file_format="raw")
        ci.leave(job, file_type="junit", file_format="gzip")

        ci.artifacts.remove(job)

        assert (ci.left(job), ci.left(other)) == (["trace"], ["archive"])

    def test_is_silent_where_there_is_nothing(self, ci: Ci) -> None:
        ci.artifacts.remove(ci.job(ci.pipeline(), left=None))

    def test_takes_what_is_locked_too(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        assert ci.artifacts.of_type(job).locked

        ci.artifacts.remove(job)

        assert ci.left(job) == []


class TestExpireAll:
    def test_gives_up_what_is_not_locked_and_counts(self, ci: Ci) -> None:
        old, new = ci.job(ci.pipeline()), ci.job(ci.pipeline())
        failed = ci.job(ci.pipeline(), status="failed")
        ci.artifacts.keep(old)
        ci.leave(old, file_type="trace", file_format="raw")

        counts = ci.artifacts.expire_all(ci.project.id)

        assert counts == (2, 1)
        ci.retention.sweep()
        assert [ci.left(job) for job in (old, failed, new)] == [["trace"], [], ["archive"]]

    def test_leaves_other_projects_alone(self, ci: Ci, core: Core) -> None:
        other = ci_of(core)
        job = other.job(other.pipeline(), status="failed")

        assert ci.artifacts.expire_all(ci.project.id) == (0, 0)
        assert other.artifacts.of_type(job).expires_at is None

    def test_leaves_an_end_that_is_over_as_it_was(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), status="failed")
        ci.age(job)

        assert ci.artifacts.expire_all(ci.project.id) == (0, 0)


class TestForgetProject:
    def test_takes_all_with_jobs_and_pipelines(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), left=b"x" * LARGE)
        ci.leave(job, file_type="trace", file_format="raw")

        def work(tx: object) -> None:
            ci.artifacts.forget_project(tx, ci.project.id)  # type: ignore[arg-type]
            ci.core.pipelines.forget_project(tx, ci.project.id)  # type: ignore[arg-type]

        ci.core.database.write(work)

        assert ci.core.sql("SELECT * FROM artifacts") == []
        assert ci.core.sql("SELECT * FROM blobs") == []


class TestCheckAccess:
    @pytest.mark.parametrize(
        ("access", "least"),
        [("public", Role.NONE), ("private", Role.DEVELOPER), ("maintainer", Role.MAINTAINER), ("none", None)],
    )
    def test_asks_for_the_role_of_the_level(self, ci: Ci, access: str, least: Role | None) -> None:
        assert access in ACCESS_LEVELS
        artifact = ci.leave(ci.job(ci.pipeline(), left=None), access=access)
        for role in Role:
            if least is not None and role >= least:
                check_access(artifact, role)
            else:
                with pytest.raises(Forbidden):
                    check_access(artifact, role)
