"""How long artifacts stay: keep, delete, expiry, locks and the sweep, while the server runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.ci import LONG_AGO, ZIP, Ci

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import RunningVault


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestKeep:
    def test_answers_with_the_job_that_has_no_end_now(self, ci: Ci) -> None:
        job = ci.job("failed", query="?expire_in=1%20day")

        answer = ci.vault.root.post(f"{ci.archive(job)}/keep")

        assert answer.status == 200
        assert answer.json == ci.vault.root.get(f"{ci.path}/jobs/{job}").json
        assert answer.json["artifacts_expire_at"] is None
        documented = {
            "commit", "coverage", "allow_failure", "id", "name", "ref", "artifacts", "runner", "stage", "created_at",
            "started_at", "finished_at", "duration", "status", "failure_reason", "tag", "web_url", "user",
        }  # fmt: skip
        assert documented <= set(answer.json)

    def test_needs_no_body_whatever_its_type_says(self, ci: Ci) -> None:
        job = ci.job()

        for body in ({"data": b""}, {"json": {}}):
            answer = ci.vault.root.post(f"{ci.archive(job)}/keep", headers={"Content-Type": "application/json"}, **body)
            assert answer.status == 200

    def test_refuses_where_nothing_is_left(self, ci: Ci) -> None:
        job = ci.job(left=None)

        answer = ci.vault.root.post(f"{ci.archive(job)}/keep")

        assert (answer.status, answer.json) == (404, {"message": f"404 Not found - job {job} has no artifacts"})

    def test_refuses_when_the_time_is_over(self, ci: Ci) -> None:
        job = ci.job()
        ci.age(job)

        answer = ci.vault.root.post(f"{ci.archive(job)}/keep")

        reason = f"the artifacts of job {job} expired at {LONG_AGO}"
        assert (answer.status, answer.json) == (404, {"message": f"404 Not found - {reason}"})


class TestDeleteOne:
    def test_takes_what_a_job_left_at_once(self, ci: Ci) -> None:
        job = ci.job()

        deleted = ci.vault.root.delete(ci.archive(job))

        assert (deleted.status, deleted.body) == (204, b"")
        assert ci.vault.root.get(ci.archive(job)).status == 404
        assert ci.vault.root.get(f"{ci.archive(job)}/report.json").status == 404
        assert ci.vault.root.get(f"{ci.path}/jobs/{job}").json["artifacts"] == []

    def test_is_done_where_there_is_nothing_and_not_where_there_is_no_job(self, ci: Ci) -> None:
        job = ci.job(left=None)

        assert ci.vault.root.delete(ci.archive(job)).status == 204
        assert ci.vault.root.delete(ci.archive(job + 999)).status == 404
        assert ci.vault.root.delete(f"{ci.path}/jobs/x/artifacts").status == 400

    def test_leaves_the_log(self, ci: Ci) -> None:
        job = ci.job(query="?artifact_type=trace&artifact_format=raw", left=b"log")

        ci.vault.root.delete(ci.archive(job))

        assert ci.vault.root.get(f"{ci.archive(job)}?file_type=trace").body == b"log"


class TestDeleteAll:
    def test_gives_up_what_is_not_locked_and_counts(self, ci: Ci) -> None:
        old, new, branch = ci.job(), ci.job(), ci.job(ref="branch")
        failed = ci.job("failed")
        ci.vault.root.post(f"{ci.archive(old)}/keep")

        answer = ci.vault.root.delete(f"{ci.path}/artifacts")

        assert (answer.status, answer.json) == (202, {"message": "202 Accepted"})
        assert (answer.headers["X-Artifacts-Expired"], answer.headers["X-Artifacts-Locked"]) == ("2", "2")
        wait_until(lambda: [ci.vault.root.get(ci.archive(job)).status for job in (old, failed)] == [404, 404])
        assert [ci.vault.root.get(ci.archive(job)).status for job in (new, branch)] == [200, 200]

    def test_is_accepted_where_there_is_nothing(self, ci: Ci) -> None:
        assert ci.vault.root.delete(f"{ci.path}/artifacts").status == 202


class TestExpiry:
    def test_takes_entries_at_once_and_the_archive_with_the_sweep(self, ci: Ci) -> None:
        job = ci.job("failed", query="?expire_in=1")
        archive = ci.archive(job)
        wait_until(lambda: ci.vault.root.get(f"{archive}/report.json").status == 404)

        wait_until(lambda: ci.vault.root.get(archive).status == 404)

    def test_is_told_to_who_comes_too_late_for_an_entry(self, ci: Ci) -> None:
        job = ci.job("failed")
        ci.age(job)

        answer = ci.vault.root.get(f"{ci.archive(job)}/report.json")

        if "has no artifacts" not in answer.json["message"]:  # the sweep may have been quicker
            assert answer.json == {"message": f"404 Not found - the artifacts of job {job} expired at {LONG_AGO}"}
        assert answer.status == 404

    def test_does_not_touch_what_is_locked(self, ci: Ci) -> None:
        job = ci.job()
        ci.age(job)
        ci.vault.services.retention.sweep()

        assert ci.vault.root.get(ci.archive(job)).body == ZIP
        assert ci.vault.root.get(f"{ci.archive(job)}/report.json").status == 200
        assert ci.vault.root.get(f"{ci.path}/jobs/artifacts/main/download?job=build").body == ZIP

    def test_ends_the_bytes_in_the_store_while_the_server_runs(self, ci: Ci) -> None:
        before = blobs(ci)
        jobs = [ci.job("failed", left=b"x" * 70_000) for _ in range(5)]
        assert len(blobs(ci) - before) == 5

        ci.age(*jobs)

        wait_until(lambda: not blobs(ci) - before)


def blobs(ci: Ci) -> set[str]:
    return set(ci.vault.services.blobs.ids())
