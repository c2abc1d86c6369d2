"""What is swept, what stays, and what is said of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.vault.ci import Ci, ci_of
from tests.vault.core import LARGE, opened
from vault.retention import Retention

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.core import Core


@pytest.fixture
def ci(core: Core) -> Ci:
    return ci_of(core)


class TestSweep:
    def test_removes_what_has_expired_with_its_bytes(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), status="failed", left=b"x" * LARGE)
        ci.age(job)

        assert ci.retention.sweep() == 1
        assert ci.left(job) == []
        assert list(ci.core.blobs.ids()) == []
        assert ci.core.sql("SELECT * FROM blobs") == []

    def test_leaves_what_has_time_what_is_kept_and_logs(self, ci: Ci) -> None:
        job, kept = ci.job(ci.pipeline(), status="failed", left=None), ci.job(ci.pipeline(), status="failed")
        ci.leave(job, expire_in="1 day")
        ci.leave(job, file_type="trace", file_format="raw")
        ci.core.sql("UPDATE artifacts SET expires_at = '2020' WHERE file_type = 'trace'")

        assert ci.retention.sweep() == 0
        assert (ci.left(job), ci.left(kept)) == (["archive", "trace"], ["archive"])

    def test_does_many_in_one_go(self, ci: Ci) -> None:
        pipeline = ci.pipeline(status="failed")
        jobs = [ci.job(pipeline, f"job {number}", status="failed") for number in range(110)]
        ci.age(*jobs)

        assert ci.retention.sweep(seconds=60) == 110

    def test_ends_when_its_time_is_over_and_goes_on_the_next_time(self, ci: Ci) -> None:
        pipeline = ci.pipeline(status="failed")
        jobs = [ci.job(pipeline, f"job {number}", status="failed") for number in range(110)]
        ci.age(*jobs)

        assert ci.retention.sweep(seconds=0) == 0
        assert ci.retention.sweep(seconds=60) == 110

    def test_beside_others_removes_each_artifact_once(self, core: Core, ci: Ci, tmp_path: Path) -> None:
        pipeline = ci.pipeline(status="failed")
        jobs = [ci.job(pipeline, f"job {number}", status="failed", left=b"x" * LARGE) for number in range(60)]
        ci.age(*jobs)
        removed: list[int] = []

        with opened(core.folder) as neighbour:
            sweeps = [ci.retention, Retention(neighbour.database, neighbour.storage), ci.retention]
            threads = [threading.Thread(target=lambda each=each: removed.append(each.sweep(60))) for each in sweeps]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert sum(removed) == 60
        assert list(core.blobs.ids()) == []


class TestLocks:
    def test_the_newest_success_of_each_ref_stays(self, ci: Ci) -> None:
        old, new, branch = ci.job(ci.pipeline()), ci.job(ci.pipeline()), ci.job(ci.pipeline("branch"))
        ci.job(ci.pipeline(), status="failed")
        ci.age(old, new, branch)

        ci.retention.sweep()

        assert [ci.left(job) for job in (old, new, branch)] == [[], ["archive"], ["archive"]]

    def test_all_jobs_of_its_family_stay(self, ci: Ci) -> None:
        parent = ci.pipeline()
        child = ci.pipeline(parent=parent)
        jobs = [ci.job(parent), ci.job(child), ci.job(ci.pipeline(parent=child), status="failed")]
        ci.age(*jobs)

        ci.retention.sweep()

        assert [ci.left(job) for job in jobs] == [["archive"]] * 3

    def test_a_newer_success_unlocks_the_older_with_its_children(self, ci: Ci) -> None:
        parent = ci.pipeline()
        jobs = [ci.job(parent), ci.job(ci.pipeline(parent=parent))]
        ci.age(*jobs)
        ci.job(ci.pipeline(), left=None)

        ci.retention.sweep()

        assert [ci.left(job) for job in jobs] == [[], []]

    def test_a_child_never_unlocks_its_parent(self, ci: Ci) -> None:
        parent = ci.pipeline()
        job = ci.job(parent)
        ci.job(ci.pipeline(parent=parent))
        ci.age(job)

        ci.retention.sweep()

        assert ci.left(job) == ["archive"]

    def test_end_with_the_success(self, ci: Ci) -> None:
        pipeline = ci.pipeline()
        job = ci.job(pipeline)
        ci.age(job)
        ci.job(pipeline, "another", status="failed")

        assert ci.retention.sweep() == 1

    def test_let_expired_artifacts_be_had_and_kept_from_the_sweep(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        ci.age(job)

        assert ci.artifacts.available(job).locked


class TestReport:
    def test_says_of_each_artifact_what_becomes_of_it_and_why(self, ci: Ci) -> None:
        locked, kept = ci.job(ci.pipeline()), ci.job(ci.pipeline("a"), status="failed")
        expiring, expired = (ci.job(ci.pipeline("b"), status="failed", left=None) for _ in range(2))
        ci.leave(expiring, expire_in="1 day")
        ci.leave(expired, expire_in="1 day")
        ci.leave(kept, file_type="trace", file_format="raw")
        ci.age(locked, expired)

        found = {(fate.job_id, fate.file_type): (fate.fate, fate.reason) for fate in ci.retention.report()}

        end = ci.artifacts.of_type(expiring).expires_at
        assert found == {
            (locked.id, "archive"): ("locked", "of the newest successful pipeline of main"),
            (kept.id, "archive"): ("kept", "it has no end: it was asked to be kept, or none was set"),
            (kept.id, "trace"): ("kept", "job logs are never removed"),
            (expiring.id, "archive"): ("expiring", f"until {end}"),
            (expired.id, "archive"): ("expired", "the next sweep removes it"),
        }

    def test_may_be_of_one_project(self, core: Core, ci: Ci) -> None:
        other = ci_of(core)
        job = ci.job(ci.pipeline())
        other.job(other.pipeline())

        found = list(ci.retention.report(ci.project.full_path.upper()))

        assert [(fate.job_id, fate.project) for fate in found] == [(job.id, ci.project.full_path)]
        assert len(list(ci.retention.report())) == 2
