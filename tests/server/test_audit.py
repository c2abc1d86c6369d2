"""What leaves a line in the audit log, what stands in it, and what happens when none can be written."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from server.api import FAMILIES
from server.auditing import LOGIN_SECONDS, LOGINS_REMEMBERED, Logins
from server.web.pages import PAGES
from tests.engines import files
from tests.harness import ROOT_TOKEN, Client, RunningVault
from tests.server.support import exchange, files_of, request
from vault.audit.files import files_of as logs_of
from vault.audit.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDPOINTS = [*(endpoint for family in FAMILIES for endpoint in family.ENDPOINTS), *PAGES]


def lines(vault: RunningVault) -> list[dict[str, Any]]:
    """Return the lines of the log, in order."""
    folder = vault.settings.audit_path()
    return [json.loads(raw) for file in logs_of(folder) for raw in file.path.read_bytes().splitlines()]


def last(vault: RunningVault, action: str) -> dict[str, Any]:
    """Return the last line of an action."""
    return next(line for line in reversed(lines(vault)) if line["action"] == action)


class TestEveryRoute:
    @pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
    def test_has_an_action(self, endpoint: Any) -> None:
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", endpoint.action)

    def test_that_sends_the_content_of_files_leaves_a_line(self) -> None:
        sending = {each.action for each in ENDPOINTS if each.method == "GET" and "download" in each.handler.__module__}
        secret = {each.action for each in ENDPOINTS if each.secret}

        assert secret >= sending
        assert secret == {
            "artifact.download",
            "artifact.download_entry",
            "lfs_object.download",
            "repository_file.blame",
            "repository_file.download",
            "secure_file.download",
            "upload.download",
        }


class TestLines:
    def test_tell_of_a_write_who_what_and_which(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a.txt", b"a")

        line = last(vault, "secure_file.create")
        assert line["target"] == f"/projects/{project['id']}/secure_files/{made.json['id']}"
        assert (line["actor"], line["ip"], line["status"]) == ("root", "127.0.0.1", 201)
        assert line["request_id"] == made.headers["X-Request-Id"]
        assert isinstance(line["token_id"], int)

    def test_tell_of_a_read_and_name_the_project_by_its_number(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        made = vault.root.upload(project["id"], "a.txt", b"a").json
        path = project["path_with_namespace"].replace("/", "%2F")
        got = vault.root.get(f"/projects/{path}/secure_files/{made['id']}/download")

        line = last(vault, "secure_file.download")
        assert line["target"] == f"/projects/{project['id']}/secure_files/{made['id']}/download"
        assert (line["status"], line["request_id"]) == (200, got.headers["X-Request-Id"])

    def test_tell_of_a_job_whose_token_was_used(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a.txt", b"a").json
        job, client = vault.job(vault.root, project["id"])
        client.get(f"{files_of(project)}/{made['id']}/download")

        line = last(vault, "secure_file.download")
        assert (line["actor"], line["token_id"]) == ("root", f"job:{job['id']}")

    def test_tell_of_a_runner_in_its_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        job, client = vault.job(vault.root, project["id"])
        client.put(f"/jobs/{job['id']}", json={"state": "success"})

        line = last(vault, "job.report")
        assert (line["target"], line["actor"]) == (f"/projects/{project['id']}/jobs/{job['id']}", "root")

    def test_tell_of_git(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = f"/{project['path_with_namespace']}.git"
        basic = b64encode(f"x:{ROOT_TOKEN}".encode()).decode()
        refused = exchange(vault.url, request("GET", f"{path}/info/refs?service=git-upload-pack"))
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-git-upload-pack-request"}
        fetched = exchange(vault.url, request("POST", f"{path}/git-upload-pack", headers, b"0000"))

        assert refused.status == 401
        assert last(vault, "git.list_refs")["status"] == 401
        line = last(vault, "git.fetch")
        assert line["target"] == f"/projects/{project['id']}.git/git-upload-pack"
        assert (line["actor"], line["status"]) == ("root", fetched.status)

    @pytest.mark.parametrize(("level", "status"), [(None, 404), (20, 403)])
    def test_tell_of_refusals_of_what_would_leave_none(
        self, vault: RunningVault, project: dict[str, Any], level: int | None, status: int
    ) -> None:
        client = vault.member(project["id"], level) if level else vault.user()[1]
        before = len(lines(vault))
        answer = client.get(files_of(project))

        assert answer.status == status
        line = lines(vault)[-1]
        assert len(lines(vault)) == before + 1
        assert (line["action"], line["status"]) == ("secure_file.list", status)
        assert line["actor"] is not None

    def test_tell_of_wrong_tokens_and_of_none(self, vault: RunningVault) -> None:
        Client(vault.url, "glpat-nobody").get("/user")
        first = lines(vault)[-1]
        vault.nobody.get("/user")
        second = lines(vault)[-1]

        for line in (first, second):
            assert (line["action"], line["status"], line["actor"]) == ("user.show_own", 401, None)

    def test_tell_whose_a_token_was_that_is_revoked(self, vault: RunningVault) -> None:
        user_id, client = vault.user()
        token = client.get("/personal_access_tokens/self").json["id"]
        vault.root.delete(f"/personal_access_tokens/{token}")

        assert client.get("/user").status == 401
        line = lines(vault)[-1]
        assert (line["token_id"], line["status"]) == (token, 401)
        assert line["actor"] == vault.root.get(f"/users/{user_id}").json["username"]

    def test_tell_of_the_first_use_of_a_token_from_an_address(self, vault: RunningVault) -> None:
        user_id, client = vault.user()
        for _ in range(3):
            client.get("/user")

        logins = [line for line in lines(vault) if line["action"] == "login" and line["target"] == f"/users/{user_id}"]
        assert len(logins) == 1

    def test_are_not_written_of_lists_and_health(self, vault: RunningVault, project: dict[str, Any]) -> None:
        vault.root.get("/user")
        before = len(lines(vault))
        for path in (files_of(project), "/projects", "/version", "/-/readiness", "/-/health"):
            assert vault.root.get(path).status == 200

        assert len(lines(vault)) == before

    def test_tell_of_content_that_comes_in_pieces(self, vault: RunningVault, project: dict[str, Any]) -> None:
        content = bytes(17 * 1024 * 1024)
        made = vault.root.post(f"/projects/{project['id']}/uploads", files={"file": ("a.bin", content)}).json
        before = len(lines(vault))

        assert vault.root.get(f"/projects/{project['id']}{made['url']}").body == content
        (line,) = lines(vault)[before:]
        assert (line["action"], line["status"]) == ("upload.download", 200)
        assert line["target"] == f"/projects/{project['id']}/uploads/{made['id']}/a.bin"

    def test_are_one_chain_that_verifies(self, vault: RunningVault) -> None:
        audit = vault.services.audit

        report = verify([audit.folder], audit.sealer, audit.catalog.heads())

        assert report.ok
        assert report.lines == len(lines(vault))


class TestSecrets:
    def test_stand_in_no_line(self, vault: RunningVault, project: dict[str, Any]) -> None:
        upload = vault.root.post(f"/projects/{project['id']}/uploads", files={"file": ("a.txt", b"a")}).json["url"]
        secret = upload.split("/")[2]
        vault.root.get(f"/projects/{project['id']}{upload}")
        vault.root.get(f"/projects/{project['id']}{upload}x")
        vault.root.get(f"/projects/glpat-{'a' * 20}/secure_files")
        vault.nobody.get(f"/user?private_token={ROOT_TOKEN}&access_token=hidden-in-the-query")
        made = vault.root.post("/users/1/personal_access_tokens", json={"name": "t", "scopes": ["api"]}).json["token"]

        text = json.dumps(lines(vault))
        for hidden in (secret, "a" * 20, ROOT_TOKEN, "hidden-in-the-query", made):
            assert hidden not in text

    def test_of_an_address_are_hidden_where_nothing_was_found(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        vault.root.get(f"/projects/{project['id']}/uploads/{'0' * 32}/a.txt")

        assert last(vault, "upload.download")["target"] == f"/projects/{project['id']}/uploads/[FILTERED]/a.txt"


class TestLogins:
    def test_a_token_in_use_stays_known_beside_many_that_are_used_once(self) -> None:
        logins = Logins()
        logins.remember(1, "127.0.0.1")

        for job in range(3 * LOGINS_REMEMBERED):
            logins.remember(f"job:{job}", "127.0.0.1")
            assert not logins.is_new(1, "127.0.0.1")

    def test_so_many_are_remembered_and_no_more(self) -> None:
        logins = Logins()

        for job in range(3 * LOGINS_REMEMBERED):
            logins.remember(job, "127.0.0.1")

        assert sum(not logins.is_new(job, "127.0.0.1") for job in range(3 * LOGINS_REMEMBERED)) == LOGINS_REMEMBERED

    def test_a_use_counts_as_the_first_again_after_a_day(self) -> None:
        now = 0.0
        logins = Logins(lambda: now)
        logins.remember(1, "127.0.0.1")

        now = LOGIN_SECONDS - 1
        assert not logins.is_new(1, "127.0.0.1")
        now = LOGIN_SECONDS
        assert logins.is_new(1, "127.0.0.1")


class TestUnwritable:
    """Without a line nothing is done or shown that has to leave one; the rest goes on."""

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Iterator[tuple[RunningVault, str, Path]]:
        with RunningVault(tmp_path / "data") as vault:
            project = vault.project()
            made = vault.root.upload(project["id"], "a.txt", b"content").json
            (log,) = logs_of(vault.settings.audit_path())
            log.path.unlink()
            yield vault, f"{files_of(project)}/{made['id']}", log.path

    def test_refuses_reads_of_content_and_writes_with_503(self, broken: tuple[RunningVault, str, Path]) -> None:
        vault, file, _ = broken

        read = vault.root.get(f"{file}/download")
        written = vault.root.delete(file)

        assert (read.status, written.status) == (503, 503)
        assert read.headers["Retry-After"] == "5"
        assert b"content" not in read.body
        assert vault.root.get(file).status == 200

    def test_is_not_ready_and_says_why(self, broken: tuple[RunningVault, str, Path]) -> None:
        vault, _, log = broken

        answer = vault.nobody.get("/-/readiness")

        assert answer.status == 503
        assert answer.json["master_check"][0]["message"] == f"the audit log cannot be written: {log.name} was removed"
        assert vault.nobody.get("/-/liveness").status == 200

    def test_still_refuses_whom_it_would(self, broken: tuple[RunningVault, str, Path]) -> None:
        vault, file, _ = broken

        assert Client(vault.url, "wrong").get(f"{file}/download").status == 401

    @files
    def test_works_again_after_a_start(self, broken: tuple[RunningVault, str, Path]) -> None:
        vault, file, _ = broken
        again = shutil.copytree(vault.settings.data, vault.settings.data.with_name("again"))
        with RunningVault(again) as second:
            assert second.root.get(f"{file}/download").body == b"content"
            audit = second.services.audit
            (fault,) = verify([audit.folder], audit.sealer, audit.catalog.heads()).faults
            assert fault.kind == "missing"

    def test_streams_nothing(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data") as vault:
            project = vault.project()
            content = bytes(17 * 1024 * 1024)
            made = vault.root.post(f"/projects/{project['id']}/uploads", files={"file": ("a.bin", content)}).json
            check, vault.services.audit.check = vault.services.audit.check, lambda _=0: None  # type: ignore[method-assign]
            (log,) = logs_of(vault.settings.audit_path())
            log.path.unlink()

            answer = vault.root.get(f"/projects/{project['id']}{made['url']}")

            assert (answer.status, len(answer.body)) == (503, len(b'{"message":"503 Service Unavailable"}'))
            vault.services.audit.check = check  # type: ignore[method-assign]
