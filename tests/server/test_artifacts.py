"""Job artifacts: the archive and its entries, by job and by ref."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.server.ci import FILES, ZIP, Ci
from tests.zips import STORED, archive

if TYPE_CHECKING:
    from tests.harness import RunningVault


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


class TestArchiveByJob:
    def test_is_sent_as_it_came(self, ci: Ci) -> None:
        job = ci.job()

        down = ci.vault.root.get(ci.archive(job))

        assert (down.status, down.body) == (200, ZIP)
        assert down.headers["Content-Type"] == "application/octet-stream"
        assert down.headers["Content-Disposition"] == 'attachment; filename="artifacts.zip"'
        assert down.headers["Content-Transfer-Encoding"] == "binary"
        assert down.headers["Content-Length"] == str(len(ZIP))
        assert down.headers["ETag"] == f'"{hashlib.sha256(ZIP).hexdigest()}"'

    @pytest.mark.parametrize("status", ["running", "success", "failed"])
    def test_is_there_whatever_the_jobs_status(self, ci: Ci, status: str) -> None:
        assert ci.vault.root.get(ci.archive(ci.job(status))).body == ZIP

    def test_has_the_name_the_runner_sent(self, ci: Ci) -> None:
        job, client = ci.running()
        ci.send(client, job, name="folder/my build.zip")

        down = ci.vault.root.get(ci.archive(job))

        assert down.headers["Content-Disposition"] == 'attachment; filename="my_build.zip"'

    def test_is_answered_in_part_and_not_again(self, ci: Ci) -> None:
        path = ci.archive(ci.job())
        tag = ci.vault.root("HEAD", path).headers["ETag"]

        part = ci.vault.root.get(path, headers={"Range": "bytes=2-5"})

        assert (part.status, part.body) == (206, ZIP[2:6])
        assert ci.vault.root.get(path, headers={"If-None-Match": tag}).status == 304
        assert ci.vault.root.get(path, headers={"Range": f"bytes={len(ZIP)}-"}).status == 416

    @pytest.mark.parametrize(
        ("job", "status", "body"),
        [
            ("999999", 404, {"message": "404 Not found - there is no job 999999 in this project"}),
            ("0", 404, {"message": "404 Not found"}),
            ("x", 400, {"error": "job_id is invalid"}),
            ("-1", 400, {"error": "job_id is invalid"}),
        ],
    )
    def test_of_a_job_that_is_not_there(self, ci: Ci, job: str, status: int, body: object) -> None:
        for path in ("", "/a.txt"):
            answer = ci.vault.root.get(f"{ci.path}/jobs/{job}/artifacts{path}")

            assert (answer.status, answer.json) == (status, body)

    def test_of_a_job_of_another_project_is_not_there(self, ci: Ci) -> None:
        job = ci.job()

        assert ci.vault.root.get(Ci(ci.vault, ci.vault.project()).archive(job)).status == 404

    def test_of_a_job_that_left_only_a_report_is_not_there(self, ci: Ci) -> None:
        job = ci.job(query="?artifact_type=junit&artifact_format=gzip")

        answer = ci.vault.root.get(ci.archive(job))

        assert (answer.status, answer.json) == (404, {"message": f"404 Not found - job {job} has no artifacts"})

    def test_gives_way_to_another_file_that_is_asked_for(self, ci: Ci) -> None:
        """`file_type` is beyond GitLab's API: what a job reports could not be had otherwise."""
        job = ci.job(left=b"report", query="?artifact_type=junit&artifact_format=gzip")

        assert ci.vault.root.get(f"{ci.archive(job)}?file_type=junit").body == b"report"
        assert ci.vault.root.get(f"{ci.archive(job)}?file_type=sast").status == 404
        assert ci.vault.root.get(f"{ci.archive(job)}?file_type=x").status == 400


class TestArchiveByRef:
    @pytest.mark.parametrize("ref", ["main", "feature/x/y", "v1.0", "x/raw", "artifacts", "download", "ü ö", "a%2b"])
    def test_takes_every_ref_with_its_slashes_raw_or_not(self, ci: Ci, ref: str) -> None:
        ci.job(ref=ref)

        for safe in ("", "/"):
            down = ci.vault.root.get(f"{ci.path}/jobs/artifacts/{quote(ref, safe=safe)}/download?job=build")
            assert (down.status, down.body) == (200, ZIP)

    @pytest.mark.parametrize("name", ["build", "build 1/3", "test:ios [arm64]", "ü&=?"])
    def test_takes_every_name_of_a_job(self, ci: Ci, name: str) -> None:
        ci.job(name=name)

        assert ci.vault.root.get(f"{ci.path}/jobs/artifacts/main/download", params={"job": name}).body == ZIP

    @pytest.mark.parametrize(
        ("query", "error"),
        [("", "job is missing"), ("?job=", "job is empty"), ("?job=a&pipeline_id=x", "pipeline_id is invalid")],
    )
    def test_needs_a_job(self, ci: Ci, query: str, error: str) -> None:
        for path in ("download", "raw/a.txt"):
            answer = ci.vault.root.get(f"{ci.path}/jobs/artifacts/main/{path}{query}")

            assert (answer.status, answer.json) == (400, {"error": error})

    def test_says_which_step_failed(self, ci: Ci) -> None:
        sha = "a" * 40
        pipeline = ci.pipeline(sha=sha)
        job = ci.job(pipeline_id=pipeline, left=None)
        asked = {
            ("other", "build"): "no pipeline of other has succeeded",
            ("HEAD", "build"): "no pipeline of HEAD has succeeded",
            (sha, "build"): f"no pipeline of {sha} has succeeded",
            ("main", "other"): f"pipeline {pipeline} has no job other",
            ("main", "build"): f"job {job} has no artifacts",
        }
        for (ref, name), reason in asked.items():
            answer = ci.vault.root.get(f"{ci.path}/jobs/artifacts/{ref}/download?job={name}")

            assert (answer.status, answer.json) == (404, {"message": f"404 Not found - {reason}"})

    def test_goes_back_when_it_is_told_to(self, ci: Ci) -> None:
        ci.job()
        ci.job(name="other")
        path = f"{ci.path}/jobs/artifacts/main/download?job=build"

        assert ci.vault.root.get(path).status == 404
        assert ci.vault.root.get(f"{path}&search_recent_successful_pipelines=true").body == ZIP

    def test_looks_into_the_pipeline_that_is_named(self, ci: Ci) -> None:
        """`pipeline_id` is beyond GitLab's API: a failed or a running pipeline cannot be named there."""
        failed = ci.pipeline()
        ci.job("failed", pipeline_id=failed)
        path = f"{ci.path}/jobs/artifacts/main/download?job=build"

        assert ci.vault.root.get(path).status == 404
        assert ci.vault.root.get(f"{path}&pipeline_id={failed}").body == ZIP
        assert ci.vault.root.get(f"{path}&pipeline_id={failed + 99}").status == 404


class TestEntry:
    @pytest.mark.parametrize("name", FILES)
    def test_is_sent_by_job_and_by_ref(self, ci: Ci, name: str) -> None:
        job = ci.job()

        for safe in ("", "/"):
            path = quote(name, safe=safe)
            by_job = ci.vault.root.get(f"{ci.archive(job)}/{path}")
            by_ref = ci.vault.root.get(f"{ci.path}/jobs/artifacts/main/raw/{path}?job=build")

            assert (by_job.status, by_job.body) == (200, FILES[name])
            assert (by_ref.status, by_ref.body) == (200, FILES[name])
            assert by_ref.headers["Content-Type"] == by_job.headers["Content-Type"]

    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("report.json", "application/json"),
            ("some/release/file.pdf", "application/pdf"),
            ("index.html", "application/octet-stream"),
            ("a b+c&d?.txt", "text/plain"),
            ("ü/鍵.bin", "application/octet-stream"),
        ],
    )
    def test_has_the_type_of_its_extension_and_is_to_be_saved(self, ci: Ci, name: str, content_type: str) -> None:
        down = ci.vault.root.get(f"{ci.archive(ci.job())}/{quote(name)}")

        assert down.headers["Content-Type"] == content_type
        assert down.headers["Content-Disposition"].startswith('attachment; filename="')
        assert down.headers["X-Content-Type-Options"] == "nosniff"
        assert down.headers["Content-Length"] == str(len(FILES[name]))

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("nix", "there is no such entry in the archive"),
            ("some/release", "there is no such entry in the archive"),
            ("SOME/release/file.pdf", "there is no such entry in the archive"),
            ("some//release/file.pdf", "there is no such entry in the archive"),
            ("..%2F..%2Fetc%2Fpasswd", "there is no such entry in the archive"),
            ("folder/", "the entry is a folder"),
        ],
    )
    def test_that_is_not_there_is_404_with_a_reason(self, ci: Ci, path: str, reason: str) -> None:
        job = ci.job(left=archive({**FILES, "folder/": b""}))

        for answer in (
            ci.vault.root.get(f"{ci.archive(job)}/{path}"),
            ci.vault.root.get(f"{ci.path}/jobs/artifacts/main/raw/{path}?job=build"),
        ):
            assert (answer.status, answer.json) == (404, {"message": f"404 Not found - {reason}"})

    @pytest.mark.parametrize("path", ["a%00b", "%00", "a%FF", "%C3%28", "a%ED%A0%80"])
    def test_whose_path_is_no_text_is_400(self, ci: Ci, path: str) -> None:
        job = ci.job()

        assert ci.vault.root.get(f"{ci.archive(job)}/{path}").status == 400
        assert ci.vault.root.get(f"{ci.path}/jobs/artifacts/main/raw/{path}?job=build").status == 400

    def test_takes_the_longest_ref_there_may_be(self, ci: Ci) -> None:
        """As GitLab reads `ref/raw/path` when either holds `/raw/`."""
        ci.job(ref="x/raw/y")

        down = ci.vault.root.get(f"{ci.path}/jobs/artifacts/x/raw/y/raw/report.json?job=build")

        assert down.body == FILES["report.json"]

    def test_is_not_sent_again_to_who_has_it(self, ci: Ci) -> None:
        path = f"{ci.archive(ci.job())}/report.json"
        first = ci.vault.root.get(path)

        again = ci.vault.root.get(path, headers={"If-None-Match": first.headers["ETag"]})

        assert (again.status, again.body) == (304, b"")
        assert first.headers["ETag"] != ci.vault.root.get(path.replace("report.json", "index.html")).headers["ETag"]

    def test_has_a_head(self, ci: Ci) -> None:
        path = f"{ci.archive(ci.job())}/report.json"

        head, got = ci.vault.root("HEAD", path), ci.vault.root.get(path)

        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
        assert head.headers["ETag"] == got.headers["ETag"]

    @pytest.mark.parametrize("method", [STORED, 8])
    def test_comes_in_part_where_that_can_be_had(self, ci: Ci, method: int) -> None:
        """GitLab sends the whole; here only what is deflated and large has no parts."""
        large = bytes(range(256)) * 65 * 1024
        job = ci.job(left=archive({"small": b"0123456789", "large": large}, method))

        small = ci.vault.root.get(f"{ci.archive(job)}/small", headers={"Range": "bytes=2-4"})
        part = ci.vault.root.get(f"{ci.archive(job)}/large", headers={"Range": "bytes=-5"})

        assert (small.status, small.body) == (206, b"234")
        expected = (206, large[-5:], "bytes") if method == STORED else (200, large, "none")
        assert (part.status, part.body, part.headers["Accept-Ranges"]) == expected


class TestTree:
    """A list of the archive, as GitLab has since 18.8, with size and CRC."""

    def test_lists_a_folder(self, ci: Ci) -> None:
        job = ci.job()

        top = ci.vault.root.get(f"{ci.archive(job)}/tree").json

        assert [(each["path"], each["type"]) for each in top][:3] == [
            ("some", "directory"),
            ("ü", "directory"),
            ("a b+c&d?.txt", "file"),
        ]
        report = next(each for each in top if each["name"] == "report.json")
        assert report == {
            "name": "report.json",
            "path": "report.json",
            "type": "file",
            "size": len(FILES["report.json"]),
            "mode": "000600",
            "crc32": report["crc32"],
        }
        assert int(report["crc32"], 16) == zlib.crc32(FILES["report.json"])

    def test_goes_deeper_when_told(self, ci: Ci) -> None:
        job = ci.job()

        below = ci.vault.root.get(f"{ci.archive(job)}/tree?path=some").json
        every = ci.vault.root.get(f"{ci.archive(job)}/tree?recursive=true").json

        assert [each["path"] for each in below] == ["some/release"]
        assert sorted(each["path"] for each in every) == sorted(FILES)

    def test_comes_in_pages(self, ci: Ci) -> None:
        job = ci.job(left=archive({f"{number:03}": b"" for number in range(25)}))

        second = ci.vault.root.get(f"{ci.archive(job)}/tree?page=2")

        assert [each["path"] for each in second.json] == [f"{number:03}" for number in range(20, 25)]
        assert (second.headers["X-Total"], second.headers["X-Total-Pages"]) == ("25", "2")

    def test_of_what_is_not_there_is_404(self, ci: Ci) -> None:
        assert ci.vault.root.get(f"{ci.archive(ci.job())}/tree?path=nix").status == 404
        assert ci.vault.root.get(f"{ci.archive(ci.job(left=None))}/tree").status == 404

    def test_of_no_archive_is_422(self, ci: Ci) -> None:
        assert ci.vault.root.get(f"{ci.archive(ci.job(left=b'no zip'))}/tree").status == 422


class TestJobs:
    """What a job's own fields tell of what it left."""

    def test_tell_files_and_end(self, ci: Ci) -> None:
        job = ci.job(query="?expire_in=1%20day")

        told = ci.vault.root.get(f"{ci.path}/jobs/{job}").json

        file = {"file_type": "archive", "size": len(ZIP), "filename": "artifacts.zip", "file_format": "zip"}
        assert told["artifacts"] == [file]
        assert told["artifacts_file"] == {"filename": "artifacts.zip", "size": len(ZIP)}
        assert told["artifacts_expire_at"] > told["finished_at"]
        assert told["duration"] >= 0
        assert ci.vault.root.get(f"{ci.path}/jobs").json[0]["artifacts"] == [file]

    def test_tell_nothing_where_there_is_nothing(self, ci: Ci) -> None:
        told = ci.vault.root.get(f"{ci.path}/jobs/{ci.job(left=None)}").json

        assert (told["artifacts"], told["artifacts_expire_at"]) == ([], None)
        assert "artifacts_file" not in told

    def test_tell_of_no_archive_once_its_time_is_over(self, ci: Ci) -> None:
        job = ci.job("failed", query="?expire_in=1%20day")
        ci.age(job)

        assert "artifacts_file" not in ci.vault.root.get(f"{ci.path}/jobs/{job}").json
