"""`pull` brings a project's secure files into a job: which, where to, and from where."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cli.between import Asked, Between, Reply
from tests.cli.pipeline import Job, between, files, job
from tests.cli.runner import PATIENCE, command, environment, run
from tests.harness import ROOT_TOKEN, unique

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["between", "job"]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


class TestInAJob:
    def test_all_files_come_without_a_word_of_configuration(self, job: Job) -> None:
        job.put("upload.jks", b"\0keystore")
        job.put("certs/distribution/X 1.cer", b"")

        outcome = run("pull")

        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == ".secure_files/certs/distribution/X 1.cer\n.secure_files/upload.jks\n"
        assert files(job.folder / ".secure_files") == {"upload.jks": b"\0keystore", "certs/distribution/X 1.cer": b""}

    @pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
    def test_files_are_for_their_owner_alone_whatever_the_umask(self, job: Job, umask: int) -> None:
        job.put("a.jks")
        job.put("certs/a.cer")
        (job.folder / ".secure_files").mkdir()
        (job.folder / ".secure_files/certs").mkdir()
        before = os.umask(umask)
        try:
            run("pull")
        finally:
            os.umask(before)

        assert mode(job.folder / ".secure_files/a.jks") == 0o600
        assert mode(job.folder / ".secure_files/certs/a.cer") == 0o600

    def test_so_are_the_folders_made(self, job: Job) -> None:
        job.put("certs/a.cer")
        run("pull", "--path", "new/folder")

        assert mode(job.folder / "new/folder") == 0o700
        assert mode(job.folder / "new/folder/certs") == 0o700

    def test_the_project_may_be_a_path(self, job: Job) -> None:
        job.put("a.jks")
        for name in ("CI_PROJECT_ID", "CI_PROJECT_PATH"):
            job.set(**{"CI_PROJECT_ID": None, name: job.project["path_with_namespace"]})
            assert run("pull").status == 0

    def test_the_path_may_be_a_former_one(self, job: Job) -> None:
        job.put("a.jks")
        job.vault.root.put(f"/projects/{job.id}", json={"path": unique("renamed")})
        job.set(CI_PROJECT_ID=None, CI_PROJECT_PATH=job.project["path_with_namespace"])

        assert run("pull").status == 0
        assert files(job.folder / ".secure_files") == {"a.jks": b"content"}

    def test_the_folder_is_the_one_that_gitlabs_tools_are_told(self, job: Job) -> None:
        job.put("a.jks", b"1")
        job.set(SECURE_FILES_DOWNLOAD_PATH="signing/files")

        assert run("pull").out == "signing/files/a.jks\n"
        assert run("pull", "--path", "here").out == "here/a.jks\n"

    def test_private_token_is_taken_as_gitlabs_tool_takes_it(self, job: Job) -> None:
        job.put("a.jks")
        job.set(CI_JOB_TOKEN=None, PRIVATE_TOKEN=ROOT_TOKEN)

        assert run("pull").status == 0

    def test_a_job_that_has_ended_is_refused(self, job: Job) -> None:
        made, client = job.vault.job(job.vault.root, job.id)
        assert client.token
        job.set(CI_JOB_TOKEN=client.token)
        assert run("pull").status == 0
        job.vault.root.put(f"/jobs/{made['id']}", json={"token": client.token, "state": "success"})

        assert run("pull").status == 6

    def test_an_empty_project_is_no_mistake(self, job: Job) -> None:
        outcome = run("pull")

        assert (outcome.status, outcome.out) == (0, "")
        assert outcome.err == f"secure-files: {job.id} has no secure files\n"
        assert list(job.folder.iterdir()) == []

    def test_what_came_before_is_replaced(self, job: Job) -> None:
        old = job.folder / ".secure_files/a.jks"
        old.parent.mkdir()
        old.write_bytes(b"older and longer")
        old.chmod(0o644)
        job.put("a.jks", b"new")

        assert run("pull").status == 0
        assert (old.read_bytes(), mode(old)) == (b"new", 0o600)

    def test_a_job_needs_python_for_it_and_no_package(self, job: Job) -> None:
        job.put("a.jks", b"1")
        bare = [sys.executable, "-S", "-m", "cli.main"]  # without site-packages
        for argv in (["pull"], ["push", ".secure_files/a.jks"]):
            subprocess.run([*bare, *argv], cwd=job.folder, env=environment(**job.variables()), check=True)

        assert files(job.folder) == {".secure_files/a.jks": b"1"}


class TestElsewhere:
    def test_everything_is_given_by_options(self, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        job.put("a.jks")
        job.set(CI_API_V4_URL=None, CI_PROJECT_ID=None, CI_JOB_TOKEN=None)
        monkeypatch.setenv("VAULT_TOKEN", f"{ROOT_TOKEN}\n")  # as `$(cat file)` in another tool may leave it

        path = job.project["path_with_namespace"]
        assert run("pull", "--url", job.vault.url, "--project", path, "--token-env", "VAULT_TOKEN").status == 0

    def test_or_by_variables(self, job: Job) -> None:
        job.put("a.jks")
        job.set(CI_API_V4_URL="https://gitlab.invalid/api/v4", CI_PROJECT_ID="1", CI_JOB_TOKEN="of-another-server")
        job.set(SECURE_FILES_URL=job.vault.url, SECURE_FILES_PROJECT=str(job.id), SECURE_FILES_TOKEN=ROOT_TOKEN)

        assert run("pull").status == 0

    def test_a_jobs_token_is_not_sent_to_another_server(self, job: Job) -> None:
        with Between(job.vault.url) as other:
            job.set(PRIVATE_TOKEN=ROOT_TOKEN)
            outcome = run("pull", "--url", other.url, "--project", str(job.id))

            assert outcome.status == 2
            assert "token is missing" in outcome.err
            assert other.seen == []

    def test_nor_is_its_project_looked_for_there(self, job: Job) -> None:
        job.set(SECURE_FILES_TOKEN=ROOT_TOKEN)
        outcome = run("pull", "--url", "http://127.0.0.1:1")

        assert outcome.status == 2
        assert "--project is missing" in outcome.err


class TestNames:
    @pytest.fixture
    def full(self, job: Job) -> Job:
        for name in ("a.cer", "a.p12", "certs/a.cer", "certs/b.p12", "[a].cer", "a*.cer"):
            job.put(name, name.encode())
        return job

    @pytest.mark.parametrize(
        ("asked", "come"),
        [
            (["a.cer"], ["a.cer"]),
            (["certs/b.p12", "a.cer", "a.cer"], ["a.cer", "certs/b.p12"]),
            (["*.p12"], ["a.p12", "certs/b.p12"]),
            (["certs/*"], ["certs/a.cer", "certs/b.p12"]),
            (["?.cer"], ["a.cer"]),
            (["[a].cer"], ["[a].cer"]),
            (["a*.cer"], ["a*.cer"]),
            (["[ab].p12"], ["a.p12"]),
        ],
    )
    def test_choose_by_the_whole_name_first_and_as_a_pattern_then(
        self, full: Job, asked: list[str], come: list[str]
    ) -> None:
        outcome = run("pull", *asked)

        assert outcome.status == 0
        assert files(full.folder / ".secure_files") == {name: name.encode() for name in come}

    @pytest.mark.parametrize("asked", ["b.cer", "A.cer", "*.jks", "", "certs"])
    def test_one_that_nothing_has_ends_with_1_and_writes_nothing(self, full: Job, asked: str) -> None:
        outcome = run("pull", "a.cer", asked)

        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err == f"secure-files: the project has no secure file {asked!r}\n"
        assert list(full.folder.iterdir()) == []

    def test_lists_of_many_pages_are_read_to_their_end(self, full: Job, between: Between) -> None:
        def small_pages(asked: Asked, pass_on: Callable[[Asked], Reply]) -> Reply:
            found = pass_on(replace(asked, path=asked.path.replace("per_page=100", "per_page=2")))
            # As behind a proxy that nobody told the outer address.
            found.headers["Link"] = re.sub(r"http://[^/]+", "http://inside.invalid", found.headers.get("Link", ""))
            return found

        between.interfere = small_pages

        assert run("pull").status == 0
        assert len(files(full.folder / ".secure_files")) == 6
        assert between.count("page=") == 3

    def test_are_told_as_json(self, full: Job) -> None:
        (row,) = json.loads(run("pull", "certs/a.cer", "--format", "json").out)

        assert row["name"] == "certs/a.cer"
        assert row["path"] == ".secure_files/certs/a.cer"
        assert re.fullmatch(r"[0-9a-f]{64}", row["checksum"])


class TestProgress:
    def seen_on_a_terminal(self, job: Job, *argv: str) -> str:
        ours, theirs = pty.openpty()
        done = subprocess.run(
            command("pull", *argv),
            cwd=job.folder,
            env=environment(**job.variables(), COLUMNS="60"),
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=PATIENCE,
            check=True,
        )
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # what Linux says when nobody is left at the other side
            while more := os.read(ours, 4096):
                shown += more
        os.close(ours)
        assert done.stdout == b".secure_files/a.jks\n.secure_files/b.jks\n"
        return shown.decode()

    def test_is_shown_on_a_terminal_and_gone_at_the_end(self, job: Job) -> None:
        job.put("a.jks")
        job.put("b.jks")
        shown = self.seen_on_a_terminal(job).split("\r")

        assert [line.rstrip() for line in shown] == [
            "",
            "pulling [##########..........] 1/2 a.jks",
            "pulling [####################] 2/2 b.jks",
            "",
            "",
        ]
        assert max(map(len, shown)) < 60
