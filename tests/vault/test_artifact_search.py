"""Which job's artifacts a ref and a name mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.ci import Ci, ci_of
from vault.errors import NotFound

if TYPE_CHECKING:
    from tests.vault.core import Core


@pytest.fixture
def ci(core: Core) -> Ci:
    return ci_of(core)


def newest(ci: Ci, ref: str = "main", name: str = "build", *, recent: bool = False) -> int:
    return ci.artifacts.search.newest(ci.project.id, ref, name, recent=recent)[0].id


def why_not(ci: Ci, ref: str = "main", name: str = "build", *, recent: bool = False) -> str:
    with pytest.raises(NotFound) as caught:
        newest(ci, ref, name, recent=recent)
    return caught.value.reason


class TestNewest:
    def test_is_of_the_successful_pipeline_with_the_greatest_id(self, ci: Ci) -> None:
        ci.job(ci.pipeline())
        job = ci.job(ci.pipeline())

        assert newest(ci) == job.id

    def test_does_not_go_by_the_time_a_pipeline_ended(self, ci: Ci) -> None:
        first, second = ci.pipeline(), ci.pipeline()
        late = ci.job(second)
        ci.job(first)

        assert newest(ci) == late.id

    @pytest.mark.parametrize("status", ["failed", "running", "canceled", "pending"])
    def test_passes_over_pipelines_that_did_not_succeed(self, ci: Ci, status: str) -> None:
        good = ci.job(ci.pipeline())
        ci.job(ci.pipeline(), status=status)

        assert newest(ci) == good.id

    def test_is_of_the_ref_exactly(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline("feature/x"))

        assert newest(ci, "feature/x") == job.id
        for ref in ("main", "feature", "FEATURE/X", "HEAD", "refs/heads/feature/x", ""):
            assert why_not(ci, ref) == f"no pipeline of {ref} has succeeded"

    def test_is_of_the_project(self, ci: Ci, core: Core) -> None:
        other = ci_of(core)
        other.job(other.pipeline())

        assert why_not(ci) == "no pipeline of main has succeeded"

    def test_does_not_fall_back_to_an_older_pipeline(self, ci: Ci) -> None:
        ci.job(ci.pipeline())
        skipped = ci.pipeline()
        ci.job(skipped, "other")

        assert why_not(ci) == f"pipeline {skipped.id} has no job build"

    def test_needs_artifacts(self, ci: Ci) -> None:
        ci.job(ci.pipeline())
        job = ci.job(ci.pipeline(), left=None)
        ci.leave(job, file_type="junit", file_format="gzip")

        assert why_not(ci) == f"job {job.id} has no artifacts"

    def test_needs_the_job_itself_to_have_succeeded(self, ci: Ci) -> None:
        pipeline = ci.pipeline(status="success")
        job = ci.job(pipeline, status="failed")

        assert why_not(ci) == f"job {job.id} of pipeline {pipeline.id} did not succeed, it is failed"

    def test_is_served_though_its_time_is_over(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        ci.age(job)

        assert newest(ci) == job.id

    def test_is_the_last_try_of_a_job(self, ci: Ci) -> None:
        pipeline = ci.pipeline()
        ci.job(pipeline, status="failed", left=b"first")
        again = ci.job(pipeline, left=b"second")

        assert newest(ci) == again.id

    def test_is_not_a_try_that_was_repeated(self, ci: Ci) -> None:
        pipeline = ci.pipeline()
        ci.job(pipeline)
        again = ci.job(pipeline, left=None)

        assert why_not(ci) == f"job {again.id} has no artifacts"


class TestFamilies:
    def test_parents_go_before_children_and_these_before_theirs(self, ci: Ci) -> None:
        parent = ci.pipeline()
        child = ci.pipeline(parent=parent)
        grandchild = ci.pipeline(parent=child)
        jobs = {name: {} for name in ("all", "below", "last")}  # type: dict[str, dict[str, int]]
        for depth, pipeline in enumerate((grandchild, child, parent)):
            for name in list(jobs)[: 3 - depth][::-1]:
                jobs[name][str(pipeline.id)] = ci.job(pipeline, name).id

        assert newest(ci, name="all") == jobs["all"][str(parent.id)]
        assert newest(ci, name="below") == jobs["below"][str(child.id)]
        assert newest(ci, name="last") == jobs["last"][str(grandchild.id)]

    def test_a_parents_job_without_artifacts_gives_way(self, ci: Ci) -> None:
        parent = ci.pipeline()
        child = ci.pipeline(parent=parent)
        ci.job(parent, left=None)
        job = ci.job(child)

        assert newest(ci) == job.id

    def test_children_are_no_candidates_themselves(self, ci: Ci) -> None:
        parent = ci.pipeline()
        ci.job(parent, status="failed")
        ci.job(ci.pipeline(parent=parent))

        assert why_not(ci) == "no pipeline of main has succeeded"

    def test_a_child_may_have_failed(self, ci: Ci) -> None:
        parent = ci.pipeline()
        ci.job(parent, "other")
        child = ci.pipeline(parent=parent)
        ci.job(child, "third", status="failed")
        job = ci.job(child)

        assert newest(ci) == job.id

    def test_a_younger_child_of_an_older_pipeline_does_not_win(self, ci: Ci) -> None:
        old, new = ci.pipeline(), ci.pipeline()
        ci.job(old, "other")
        job = ci.job(new)
        ci.job(ci.pipeline(parent=old))

        assert newest(ci) == job.id


class TestRecent:
    """`search_recent_successful_pipelines`: the newest success that has what is asked for."""

    def test_goes_back_to_where_the_job_left_something(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        ci.job(ci.pipeline(), left=None)
        ci.job(ci.pipeline(), "other")
        ci.job(ci.pipeline(), status="failed")

        assert newest(ci, recent=True) == job.id

    def test_finds_nothing_that_has_expired(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline())
        newer = ci.job(ci.pipeline(), left=None)
        ci.age(job)

        assert why_not(ci, recent=True) == f"job {newer.id} has no artifacts"


class TestOfPipeline:
    def test_takes_any_pipeline_however_it_ended(self, ci: Ci) -> None:
        pipeline = ci.pipeline()
        job = ci.job(pipeline, status="failed")
        ci.job(ci.pipeline())

        assert ci.artifacts.search.of_pipeline(pipeline, "main", "build")[0].id == job.id

    def test_has_to_be_one_of_the_ref(self, ci: Ci) -> None:
        pipeline = ci.pipeline("other")

        with pytest.raises(NotFound) as caught:
            ci.artifacts.search.of_pipeline(pipeline, "main", "build")
        assert caught.value.reason == f"pipeline {pipeline.id} is not one of main"
