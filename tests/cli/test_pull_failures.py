"""When `pull` cannot do what it is for: its exit status, and that nothing half-written is left."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cli.between import Asked, Between, Reply
from tests.cli.pipeline import Job, between, files, job
from tests.cli.runner import PATIENCE, command, environment, run, start
from tests.harness import ROOT_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["between", "job"]


class TestMistakes:
    @pytest.mark.parametrize(
        ("variable", "said"),
        [
            ("CI_API_V4_URL", "--url is missing"),
            ("CI_PROJECT_ID", "--project is missing"),
            ("CI_JOB_TOKEN", "token is"),
        ],
    )
    def test_2_where_something_is_missing(self, job: Job, variable: str, said: str) -> None:
        job.set(**{variable: None})
        outcome = run("pull")

        assert (outcome.status, outcome.out) == (2, "")
        assert said in outcome.err

    @pytest.mark.parametrize("url", ["vault.example.com", "ftp://vault.example.com", "file:///etc/passwd"])
    def test_2_for_what_is_no_address(self, job: Job, url: str) -> None:
        job.set(SECURE_FILES_TOKEN=ROOT_TOKEN)
        assert run("pull", "--url", url, "--project", "1").status == 2

    @pytest.mark.parametrize("token", ["hunter\n2", "hunter2\x7f", "hünter2", ""])
    def test_2_for_what_is_no_token_and_it_is_not_shown(self, job: Job, token: str) -> None:
        job.set(MY_TOKEN=token)
        outcome = run("pull", "--token-env", "MY_TOKEN")

        assert (outcome.status, outcome.out) == (2, "")
        assert "nter" not in outcome.err

    def test_2_for_a_password_in_the_address_and_it_is_not_shown(self, job: Job) -> None:
        job.set(SECURE_FILES_TOKEN=ROOT_TOKEN)
        outcome = run("pull", "--url", "http://me:hunter2@127.0.0.1:1", "--project", "1")

        assert outcome.status == 2
        assert "hunter2" not in outcome.err

    @pytest.mark.parametrize(
        ("variables", "said"),
        [
            ({"CI_JOB_TOKEN": "glcbt-wrong"}, "answered 401"),
            ({"CI_PROJECT_ID": "999999"}, "answered 404"),
            ({"CI_PROJECT_ID": "no/such"}, "answered 404"),
        ],
    )
    def test_6_where_the_vault_refuses_and_once_is_enough(
        self, job: Job, between: Between, variables: dict[str, str], said: str
    ) -> None:
        job.set(**variables)
        outcome = run("pull")

        assert (outcome.status, outcome.out) == (6, "")
        assert said in outcome.err
        assert "glcbt" not in outcome.err
        assert len(between.seen) == 1

    def test_6_for_a_role_that_may_not_read(self, job: Job) -> None:
        guest = job.vault.member(job.id, 10)
        assert guest.token
        job.set(SECURE_FILES_TOKEN=guest.token)

        assert run("pull").status == 6

    def test_7_where_nobody_listens(self, job: Job) -> None:
        job.set(CI_API_V4_URL="http://127.0.0.1:1/api/v4")
        outcome = run("pull")

        assert (outcome.status, outcome.out) == (7, "")
        assert outcome.err.splitlines()[-1].startswith(
            "secure-files: no good answer from http://127.0.0.1:1/api/v4: Connection refused"
        )

    @pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"{}", b'[{"id": "1"}]', b"[1]", b"[[]]", b"\xff"])
    def test_7_for_a_server_that_is_no_vault(self, job: Job, between: Between, body: bytes) -> None:
        between.interfere = lambda asked, pass_on: Reply(200, body)
        outcome = run("pull")

        assert (outcome.status, outcome.out) == (7, "")
        assert "is it the address of a vault?" in outcome.err


class TestTryingAgain:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_what_may_pass_is_waited_for(self, job: Job, between: Between, status: int) -> None:
        job.put("a.jks", b"1")
        between.interfere = lambda asked, pass_on: Reply(status) if between.nth_time(asked) < 3 else pass_on(asked)

        outcome = run("pull")

        assert (outcome.status, files(job.folder / ".secure_files")) == (0, {"a.jks": b"1"})
        assert job.waits == [0.5, 1.0, 0.5, 1.0]  # the list, and the file
        assert f"the vault answered {status}" in outcome.err

    def test_as_long_as_the_server_asks(self, job: Job, between: Between) -> None:
        limited = Reply(429, b'{"message":"429 Too Many Requests"}', {"Retry-After": "17"})
        between.interfere = lambda asked, pass_on: limited if between.nth_time(asked) == 1 else pass_on(asked)

        assert "429 Too Many Requests; trying again in 17.0 s" in run("pull").err
        assert job.waits == [17.0]

    def test_after_a_line_that_broke(self, job: Job, between: Between) -> None:
        job.put("a.jks", b"0123456789")

        def break_off(asked: Asked, pass_on: Callable[[Asked], Reply]) -> Reply:
            time = between.nth_time(asked)
            return replace(pass_on(asked), dropped=time == 1, cut=time == 2)

        between.interfere = break_off

        assert run("pull").status == 0
        assert files(job.folder / ".secure_files") == {"a.jks": b"0123456789"}

    def test_five_times_at_most(self, job: Job, between: Between) -> None:
        between.interfere = lambda asked, pass_on: Reply(503, b'{"message":"503 Service Unavailable"}')
        outcome = run("pull")

        assert outcome.status == 7
        assert outcome.err.splitlines()[-1] == "secure-files: the vault answered 503: 503 Service Unavailable"
        assert len(between.seen) == 5
        assert job.waits == [0.5, 1.0, 2.0, 4.0]


class TestNothingHalfWritten:
    @pytest.fixture
    def old(self, job: Job) -> Path:
        """A file of an earlier pull, which the next would replace."""
        job.put("a.jks", b"0123456789")
        path = job.folder / ".secure_files" / "a.jks"
        path.parent.mkdir()
        path.write_bytes(b"old")
        return path

    def only(self, old: Path) -> bool:
        return files(old.parent) == {"a.jks": b"old"}

    def test_8_for_bytes_that_are_not_what_the_checksum_says(self, old: Path, between: Between) -> None:
        between.interfere = lambda asked, pass_on: Reply(200, b"forged") if asked.is_download else pass_on(asked)
        outcome = run("pull")

        assert (outcome.status, outcome.out) == (8, "")
        assert "a.jks: what came is not what its checksum says" in outcome.err
        assert self.only(old)

    def test_a_file_replaced_since_it_was_listed_comes_as_it_is_now(
        self, job: Job, old: Path, between: Between
    ) -> None:
        def late(asked: Asked, pass_on: Callable[[Asked], Reply]) -> Reply:
            found = pass_on(asked)
            return found.listing(checksum="0" * 64) if asked.path.endswith("per_page=100") and first(asked) else found

        def first(asked: Asked) -> bool:
            return between.nth_time(asked) == 1

        between.interfere = late

        assert run("pull").status == 0
        assert old.read_bytes() == b"0123456789"

    def test_7_for_a_body_that_always_ends_early(self, old: Path, between: Between) -> None:
        between.interfere = lambda asked, pass_on: replace(pass_on(asked), cut=asked.is_download)

        assert run("pull").status == 7
        assert self.only(old)

    def test_5_for_a_disk_that_takes_no_more(self, job: Job, old: Path) -> None:
        def no_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))

        outcome = start("pull", cwd=job.folder, env=job.variables(), before=no_room)

        assert (outcome.status, outcome.out) == (5, "")
        assert outcome.err == f"secure-files: .secure_files/a.jks: {os.strerror(errno.EFBIG)}\n"
        assert self.only(old)


class TestCancelled:
    def test_a_job_that_is_cancelled_leaves_nothing_behind(self, job: Job, between: Between) -> None:
        job.put("a.jks")
        asked_for = threading.Event()
        given_up = threading.Event()

        def hang(asked: Asked, pass_on: Callable[[Asked], Reply]) -> Reply:
            if asked.is_download:
                asked_for.set()
                given_up.wait(PATIENCE)
            return pass_on(asked)

        between.interfere = hang
        with subprocess.Popen(
            command("pull"), cwd=job.folder, env=environment(**job.variables()), stderr=subprocess.PIPE
        ) as pulling:
            assert asked_for.wait(PATIENCE)
            pulling.terminate()
            _, err = pulling.communicate(timeout=PATIENCE)
        given_up.set()

        assert (pulling.returncode, err) == (128 + signal.SIGTERM, b"")
        assert list(job.folder.iterdir()) == []
