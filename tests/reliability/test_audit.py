"""The audit log of a real server: no answer without its line, whoever is killed, whatever the disk says."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.harness import ROOT_TOKEN, Client, unique
from tests.reliability.failing_disk import FailingDisk
from tests.reliability.processes import ROOT, Server
from vault.audit.files import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 3


def lines(data: Path) -> list[dict[str, Any]]:
    """Return the whole lines of every chain, as they are at this moment."""
    raw = [raw for file in files_of(data / "audit") for raw in file.path.read_bytes().splitlines(keepends=True)]
    return [json.loads(line) for line in raw if line.endswith(b"\n")]


def verified(data: Path, *options: str) -> dict[str, Any]:
    """Return what the command says of the log; its exit status has to fit."""
    command = [sys.executable, "-m", "cli.main", "audit", "verify", "--data", str(data), "--format", "json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 1), done.stderr
    return told


class Callers:
    """Clients that upload, read and delete at one time, and remember the id of every answer that they got whole."""

    def __init__(self, server: Server, count: int = 6) -> None:
        self._url = server.url
        self._project = server.project()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]
        self.answered: set[str] = set()

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def until(self, count: int) -> None:
        """Wait for so many answers."""
        deadline = time.monotonic() + 60
        while len(self.answered) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _work(self) -> None:
        while not self._end.is_set():
            with suppress(requests.RequestException):
                client = Client(self._url, ROOT_TOKEN)  # a new connection: to any worker
                made = client.upload(self._project, unique("file"), b"x" * 500)
                self.answered.add(made.headers["X-Request-Id"])
                file = f"/projects/{self._project}/secure_files/{made.json.get('id', 0)}"
                for path in (f"{file}/download", f"{file}0/download"):
                    self.answered.add(client.get(path).headers["X-Request-Id"])
                self.answered.add(client.delete(file).headers["X-Request-Id"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", workers=2) as server:
        yield server


class TestTwoWorkers:
    def test_give_no_answer_without_its_line(self, server: Server) -> None:
        with Callers(server) as callers:
            callers.until(400)
            answered = set(callers.answered)
            written = [line["request_id"] for line in lines(server.data)]
            assert answered <= set(written)

        report = verified(server.data)
        assert report["ok"]
        assert len([chain for chain in report["chains"] if chain["lines"] > 20]) == 2
        ids = [line["request_id"] for line in lines(server.data) if line["action"].startswith("secure_file.")]
        assert len(ids) == len(set(ids)), "one line each"
        assert set(ids) >= callers.answered

    def test_that_are_killed_leave_chains_that_verify_and_go_on(self, server: Server) -> None:
        answered: set[str] = set()
        for number in range(ROUNDS):
            with Callers(server) as callers:
                callers.until(40 + 13 * number)
                server.kill_all()
            answered |= callers.answered
            assert verified(server.data)["ok"]
            server.start()

        report = verified(server.data)
        assert (report["ok"], len(report["chains"])) == (True, 2)  # each start goes on with those of the last
        assert answered <= {line["request_id"] for line in lines(server.data)}

    def test_show_a_line_that_somebody_removes_meanwhile(self, server: Server) -> None:
        with Callers(server) as callers:
            callers.until(40)
        server.kill_all()
        newest = max((file.path for file in files_of(server.data / "audit")), key=lambda path: path.stat().st_size)
        whole = newest.read_bytes().splitlines(keepends=True)
        newest.write_bytes(b"".join(whole[:9] + whole[10:]))

        (fault,) = [chain["fault"] for chain in verified(server.data)["chains"] if chain["fault"]]
        assert (fault["file"], fault["line"], fault["seq"], fault["kind"]) == (newest.name, 10, 10, "deleted")


class TestTokens:
    """What ends a token ends it in every process: a new connection may reach any of them."""

    @staticmethod
    def statuses(server: Server, token: str, path: str = "/user", header: str = "PRIVATE-TOKEN") -> set[int]:
        return {Client(server.url, token, header).get(path).status for _ in range(24)}

    def test_that_are_revoked_are_refused_by_every_worker(self, server: Server) -> None:
        client = server.client_with_new_token()
        token = client.token or ""
        before = self.statuses(server, token)
        client.delete("/personal_access_tokens/self")

        assert (before, self.statuses(server, token)) == ({200}, {401})

    def test_of_a_job_end_with_it_in_every_worker(self, server: Server) -> None:
        project = server.project()
        job = server.root.post(f"/projects/{project}/jobs", json={"name": "build", "ref": "main"}).json
        path = f"/projects/{project}/secure_files"
        before = self.statuses(server, job["token"], path, "JOB-TOKEN")
        Client(server.url, job["token"], "JOB-TOKEN").put(f"/jobs/{job['id']}", json={"state": "success"})

        assert (before, self.statuses(server, job["token"], path, "JOB-TOKEN")) == ({200}, {401})


class TestADiskThatRefusesTheLog:
    @pytest.mark.parametrize(
        ("error", "status"),
        [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 503), (errno.EROFS, 503)],
        ids=["ENOSPC", "EDQUOT", "EIO", "EROFS"],
    )
    def test_keeps_content_and_changes_back_until_it_works_again(self, tmp_path: Path, error: int, status: int) -> None:
        log = tmp_path / "log"
        with (
            FailingDisk(tmp_path, log) as disk,
            Server(tmp_path / "data", workers=1, environment=disk.environment, audit=log) as server,
        ):
            path = f"/projects/{server.project()}/secure_files"
            made = server.root.upload(path.split("/")[2], "a", b"content").json
            disk.refuse(1, error, lasting=True)

            read = server.root.get(f"{path}/{made['id']}/download")
            removed = server.root.delete(f"{path}/{made['id']}")
            ready = server.root.get("/-/readiness")
            disk.mend()

            assert (read.status, b"content" in read.body) == (status, False)
            assert removed.status == status
            assert ready.status == 503
            assert "the audit log cannot be written" in ready.json["master_check"][0]["message"]
            assert server.root.get(f"{path}/{made['id']}/download").body == b"content"
            assert server.is_ready()
            actions = [json.loads(raw)["action"] for file in files_of(log) for raw in file.lines()]
            assert actions[-2:] == ["audit.gap", "secure_file.download"]
