"""The runner's side of a job: what it sends, fetches and tells, and the answers it knows what to do with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import files
from tests.harness import ROOT_TOKEN, Client, RunningVault
from tests.server.ci import ZIP, Ci
from tests.server.support import MIB, MULTIPART, exchange, multipart, part, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.support import RawAnswer

LIMIT = 2 * MIB
FORBIDDEN = {"message": "403 Forbidden"}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A running vault that takes artifacts of up to 2 MiB."""
    with RunningVault(tmp_path_factory.mktemp("vault") / "data", artifact_bytes=LIMIT) as running:
        yield running


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


def send(ci: Ci, job: int, body: bytes, query: str = "", **headers: str) -> RawAnswer:
    """POST a body as it is to a job's artifacts."""
    lines = {**MULTIPART, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return exchange(ci.vault.url, request("POST", f"/api/v4/jobs/{job}/artifacts{query}", lines, body))


class TestUpload:
    def test_of_the_runner_has_chunks_and_no_length(self, ci: Ci) -> None:
        job, client = ci.running()
        body = multipart([part("file", ZIP, "default.zip", "Content-Type: application/octet-stream")])
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(body[at : at + 100]), body[at : at + 100]) for at in range(0, len(body), 100)
        )
        query = "?artifact_format=zip&artifact_type=archive&expire_in=1+hour"

        sent = send(
            ci, job, chunks + b"0\r\n\r\n", query, JOB_TOKEN=str(client.token), Transfer_Encoding="chunked",
            X_Request_Id="a-runner",
        )  # fmt: skip

        assert sent.status == 201
        assert sent.json["sha256"] == hashlib.sha256(ZIP).hexdigest()
        told = ci.vault.root.get(f"{ci.path}/jobs/{job}").json
        assert told["artifacts_file"] == {"filename": "default.zip", "size": len(ZIP)}
        assert told["artifacts_expire_at"] is not None

    @pytest.mark.parametrize("where", ["header", "query", "field"])
    def test_takes_the_token_in_three_places(self, ci: Ci, where: str) -> None:
        job, client = ci.running()
        token = str(client.token)
        parts = [part("token", token.encode())] if where == "field" else []
        body = multipart([*parts, part("file", ZIP, "a.zip")])
        query = f"?token={token}" if where == "query" else ""
        headers = {"JOB_TOKEN": token} if where == "header" else {}

        assert send(ci, job, body, query, **headers).status == 201

    def test_takes_a_token_only_before_the_file(self, ci: Ci) -> None:
        job, client = ci.running()
        parts = [part("file", ZIP, "a.zip"), part("token", str(client.token).encode())]

        answer = send(ci, job, multipart(parts))

        assert (answer.status, answer.json) == (403, FORBIDDEN)

    def test_again_is_a_success_when_it_is_the_same(self, ci: Ci) -> None:
        job, client = ci.running()

        first, again = ci.send(client, job), ci.send(client, job)

        assert (first.status, again.status) == (201, 201)
        assert len(ci.vault.root.get(f"{ci.path}/jobs/{job}").json["artifacts"]) == 1

    def test_again_with_other_bytes_says_which_are_kept(self, ci: Ci) -> None:
        job, client = ci.running()
        ci.send(client, job)

        again = ci.send(client, job, ZIP + b"more")

        assert again.status == 400
        assert again.json["message"].startswith("another artifact of the same type already exists")
        assert hashlib.sha256(ZIP).hexdigest() in again.json["message"]
        assert ci.vault.root.get(ci.archive(job)).body == ZIP

    def test_of_reports_stand_beside_the_archive(self, ci: Ci) -> None:
        job, client = ci.running()
        ci.send(client, job)

        sent = ci.send(client, job, b"gz", "?artifact_type=junit&artifact_format=gzip", "junit.xml.gz")

        assert sent.status == 201
        kinds = [each["file_type"] for each in ci.vault.root.get(f"{ci.path}/jobs/{job}").json["artifacts"]]
        assert kinds == ["archive", "junit"]

    @pytest.mark.parametrize(
        ("query", "body"),
        [
            (
                "?artifact_type=archive&artifact_format=gzip",
                {"message": "Invalid file format with specified file type"},
            ),
            ("?artifact_type=junit&artifact_format=raw", {"message": "Invalid file format with specified file type"}),
            ("?artifact_type=junit", {"message": "Invalid file format with specified file type"}),
            ("?artifact_type=nix", {"error": "artifact_type does not have a valid value"}),
            ("?artifact_format=tar", {"error": "artifact_format does not have a valid value"}),
            ("?accessibility=all", {"error": "accessibility does not have a valid value"}),
            ("?expire_in=soon", {"message": "expire_in is not a duration such as 30 days, 2h20min or never"}),
        ],
    )
    def test_with_a_label_that_does_not_fit_is_refused(self, ci: Ci, query: str, body: object) -> None:
        job, client = ci.running()

        answer = ci.send(client, job, query=query)

        assert (answer.status, answer.json) == (400, body)
        assert ci.vault.root.get(ci.archive(job)).status == 404

    def test_with_empty_parameters_has_the_defaults(self, ci: Ci) -> None:
        job, client = ci.running()

        assert ci.send(client, job, query="?artifact_type=&artifact_format=&expire_in=").status == 201

    @pytest.mark.parametrize(
        "parts",
        [
            [],
            [part("file", b"text")],
            [part("file.path", b"/etc/passwd"), part("file.name", b"a.zip")],
            [part("other", b"1", "a.zip")],
        ],
    )
    def test_without_a_file_is_refused(self, ci: Ci, parts: list[bytes]) -> None:
        job, client = ci.running()

        assert send(ci, job, multipart(parts), JOB_TOKEN=str(client.token)).status == 400

    def test_cut_off_keeps_nothing(self, ci: Ci) -> None:
        job, client = ci.running()
        body = multipart([part("file", b"x" * MIB, "a.zip")])[:-20]

        assert send(ci, job, body, JOB_TOKEN=str(client.token)).status == 400
        assert ci.vault.root.get(ci.archive(job)).status == 404


class TestLimit:
    def test_is_told_in_the_words_the_runner_shows(self, ci: Ci) -> None:
        job, client = ci.running()

        answer = ci.send(client, job, b"x" * (LIMIT + 1))

        assert answer.status == 413
        assert answer.json["message"].startswith(f"file size has reached maximum size limit: {LIMIT} bytes may be sent")

    def test_is_told_where_the_length_was_not(self, ci: Ci) -> None:
        job, client = ci.running()
        body = multipart([part("file", b"x" * (LIMIT + 1), "a.zip")])
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

        answer = send(ci, job, chunked, JOB_TOKEN=str(client.token), Transfer_Encoding="chunked")

        assert answer.status == 413
        assert f"more than {LIMIT} bytes came" in answer.json["message"]

    def test_is_not_passed_by_a_file_of_exactly_its_size(self, ci: Ci) -> None:
        job, client = ci.running()

        assert ci.send(client, job, b"x" * LIMIT).status == 201


def wrong_logins(ci: Ci, job: int) -> dict[str, tuple[int, dict[str, str]]]:
    """Every way to have no right to a job: the job that is named, and the headers that come along."""
    _, other = ci.running()
    maintainer = ci.vault.member(ci.project["id"], 40)
    return {
        "no token": (job, {}),
        "wrong token": (job, {"JOB_TOKEN": "glcbt-wrong"}),
        "token of another job": (job, {"JOB_TOKEN": str(other.token)}),
        "unknown job": (job + 1000, {"JOB_TOKEN": str(other.token)}),
        "no number": (job, {"JOB_TOKEN": "x" * 500}),
        "personal token as a job's": (job, {"JOB_TOKEN": ROOT_TOKEN}),
        "personal token": (job, {"PRIVATE_TOKEN": ROOT_TOKEN}),
        "bearer": (job, {"Authorization": f"Bearer {ROOT_TOKEN}"}),
        "token of a maintainer": (job, {"PRIVATE_TOKEN": str(maintainer.token)}),
    }


class TestRefusals:
    """403 in every case: a 404 could come from any proxy on the way, and the runner would try again."""

    def test_of_uploads(self, ci: Ci) -> None:
        job, _ = ci.running()
        body = multipart([part("file", ZIP, "a.zip")])

        answers = {name: send(ci, number, body, **headers) for name, (number, headers) in wrong_logins(ci, job).items()}

        assert {name: (answer.status, answer.json) for name, answer in answers.items()} == dict.fromkeys(
            answers, (403, FORBIDDEN)
        )

    def test_of_uploads_without_a_file_too(self, ci: Ci) -> None:
        job, _ = ci.running()

        assert send(ci, job, multipart([])).status == 403
        assert ci.vault.nobody.post(f"/jobs/{job}/artifacts").status == 403
        assert ci.vault.nobody.post(f"/jobs/{job}/artifacts", json={"file": "x"}).status == 403
        assert ci.vault.nobody.post("/jobs/x/artifacts", files={"file": ("a", b"1")}).status == 403

    def test_of_states(self, ci: Ci) -> None:
        job, _ = ci.running()

        answers = {
            name: ci.vault.nobody.put(
                f"/jobs/{number}",
                json={"state": "success"},
                headers={key.replace("_", "-"): value for key, value in headers.items()},
            )
            for name, (number, headers) in wrong_logins(ci, job).items()
        }

        assert {name: (answer.status, answer.json) for name, answer in answers.items()} == dict.fromkeys(
            answers, (403, FORBIDDEN)
        )
        assert ci.vault.root.get(f"{ci.path}/jobs/{job}").json["status"] == "running"

    @pytest.mark.parametrize("status", ["created", "pending", "success", "failed", "canceled", "manual"])
    def test_of_a_job_that_does_not_run_name_its_state(self, ci: Ci, status: str) -> None:
        job, client = ci.vault.job(ci.vault.root, ci.project["id"], status=status)

        answers = [
            ci.send(client, job["id"]),
            client.put(f"/jobs/{job['id']}", json={"token": client.token, "state": "success"}),
        ]

        for answer in answers:
            assert (answer.status, answer.json) == (403, {"message": "403 Forbidden - Job is not running"})
            assert answer.headers["Job-Status"] == status

    def test_of_what_only_a_front_server_asks(self, ci: Ci) -> None:
        job, client = ci.running()

        for caller in (client, ci.vault.root, ci.vault.nobody):
            assert caller.post(f"/jobs/{job}/artifacts/authorize").status == 403


@files
class TestStorage:
    def test_that_does_not_answer_is_503_which_a_runner_tries_again(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data") as vault:
            ci = Ci(vault, vault.project())
            job, client = ci.running()
            unfinished = vault.settings.data / "blobs" / "tmp"
            unfinished.rename(tmp_path / "gone")

            refused = ci.send(client, job, b"x" * 100_000)
            (tmp_path / "gone").rename(unfinished)
            again = ci.send(client, job, b"x" * 100_000)

        assert (refused.status, again.status) == (503, 201)
        assert refused.headers["Retry-After"] == "5"


class TestGuessing:
    def test_of_a_jobs_token_is_slowed_down(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data") as vault:
            ci = Ci(vault, vault.project())
            job, client = ci.running()
            guess = Client(vault.url, "glcbt-guess", "JOB-TOKEN")

            statuses = [guess.put(f"/jobs/{job}", json={"state": "success"}).status for _ in range(100)]

            assert (statuses[0], statuses[-1]) == (403, 429)
            assert client.put(f"/jobs/{job}", json={"state": "success"}).status == 200


class TestDownload:
    def test_is_for_every_running_job_of_the_project(self, ci: Ci) -> None:
        job = ci.job(status="success")
        _, other = ci.running()

        for query in ("", "?direct_download=true", "?direct_download=false"):
            down = other.get(f"/jobs/{job}/artifacts{query}")
            assert (down.status, down.body) == (200, ZIP)

    def test_takes_the_token_as_a_parameter(self, ci: Ci) -> None:
        job, client = ci.running()
        ci.send(client, job)

        assert ci.vault.nobody.get(f"/jobs/{job}/artifacts?token={client.token}").body == ZIP

    @pytest.mark.parametrize("token", [None, "glcbt-wrong", ROOT_TOKEN])
    def test_needs_a_jobs_token(self, ci: Ci, token: str | None) -> None:
        assert Client(ci.vault.url, token, "JOB-TOKEN").get(f"/jobs/{ci.job()}/artifacts").status == 401

    def test_ends_with_the_job(self, ci: Ci) -> None:
        job, client = ci.running()
        ci.send(client, job)
        client.put(f"/jobs/{job}", json={"token": client.token, "state": "success"})

        assert client.get(f"/jobs/{job}/artifacts").status == 401

    def test_of_an_unknown_job_is_forbidden(self, ci: Ci) -> None:
        _, client = ci.running()

        assert client.get("/jobs/999999/artifacts").status == 403
        assert client.get("/jobs/x/artifacts").status == 403

    def test_of_a_job_that_left_nothing_is_404(self, ci: Ci) -> None:
        job, client = ci.running()

        assert client.get(f"/jobs/{job}/artifacts").status == 404

    def test_stays_within_the_project(self, ci: Ci) -> None:
        """Another project would have to allow it: also for the job of an administrator, who sees both."""
        job = ci.job()
        _, of_root = Ci(ci.vault, ci.vault.project()).running()
        stranger = ci.vault.member((project := ci.vault.project())["id"], 40)
        _, of_stranger = ci.vault.job(stranger, project["id"])

        refused, hidden = of_root.get(f"/jobs/{job}/artifacts"), of_stranger.get(f"/jobs/{job}/artifacts")

        assert (refused.status, hidden.status) == (403, 403)
        assert "Authentication by CI/CD job token not allowed from" in refused.json["message"]
        assert hidden.json == FORBIDDEN

    def test_from_a_public_project_is_for_every_job(self, ci: Ci) -> None:
        public = Ci(ci.vault, ci.vault.project("public"))
        open_, private = public.job(), public.job(query="?accessibility=private")
        _, client = ci.running()

        assert client.get(f"/jobs/{open_}/artifacts").status == 200
        assert client.get(f"/jobs/{private}/artifacts").status == 403


class TestStates:
    @pytest.mark.parametrize("state", ["success", "failed"])
    def test_that_end_a_job_end_its_token(self, ci: Ci, state: str) -> None:
        job, client = ci.running()

        ended = client.put(
            f"/jobs/{job}", json={"token": client.token, "state": state, "failure_reason": "script_failure"}
        )

        assert (ended.status, ended.headers["Job-Status"]) == (200, state)
        told = ci.vault.root.get(f"{ci.path}/jobs/{job}").json
        assert (told["status"], told["pipeline"]["status"]) == (state, state)
        assert told["failure_reason"] == ("script_failure" if state == "failed" else None)
        assert client.get("/job").status == 401

    def test_that_only_tell_that_it_lives_change_nothing(self, ci: Ci) -> None:
        job, client = ci.running()

        answer = client.put(f"/jobs/{job}", json={"token": client.token, "state": "running"})

        assert (answer.status, answer.headers["Job-Status"]) == (200, "running")
        assert client.get("/job").json["id"] == job

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"state": "done"}, "state does not have a valid value"),
            ({"state": "canceled"}, "state does not have a valid value"),
        ],
    )
    def test_that_no_runner_tells_are_refused(self, ci: Ci, body: dict[str, Any], error: str) -> None:
        job, client = ci.running()

        answer = client.put(f"/jobs/{job}", json=body)

        assert (answer.status, answer.json) == (400, {"error": error})

    def test_may_come_as_a_form(self, ci: Ci) -> None:
        job, client = ci.running()

        assert ci.vault.nobody.put(f"/jobs/{job}", data={"token": client.token, "state": "success"}).status == 200
