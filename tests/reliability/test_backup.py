"""Backups of a server under load, and what is left when they, or a restore, are killed."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import Outcome, command, environment
from tests.harness import ROOT_TOKEN
from tests.reliability.everything import Everything, Kept
from tests.reliability.processes import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

ROUNDS = int(os.environ.get("BACKUP_ROUNDS", "3"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("backups") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def kept(server: Server) -> Kept:
    return Kept(server.root)


def start(*argv: str | Path, cwd: Path) -> Outcome:
    """Run a command to its end, which may take long beside a load."""
    done = subprocess.run(
        command(*argv), check=False, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=300
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def backup(server: Server, target: Path, *argv: str) -> Outcome:
    return start("backup", "--data", server.data, target, *argv, cwd=target.parent)


def restore(source: Path, data: Path, keyring: Path | None) -> Outcome:
    if keyring is not None:
        (data / "keys").mkdir(0o700, parents=True)
        shutil.copy2(keyring, data / "keys" / "keyring.json")
    return start("restore", "--data", data, source, cwd=source.parent)


def keyring(server: Server) -> Path:
    return server.data / "keys" / "keyring.json"


class TestABackupUnderLoad:
    def test_restores_to_a_vault_that_verifies_clean_and_has_all_that_was_acknowledged(
        self, server: Server, kept: Kept, tmp_path: Path
    ) -> None:
        load = Everything(server.url, ROOT_TOKEN, server.project())
        load.start()
        target = tmp_path / "backups"
        try:
            load.work_for(20)
            for number in range(ROUNDS):
                mine = Kept(server.root)
                made = backup(server, target)
                assert made.status == 0, made
                load.work_for(5)
                restored = restore(target, tmp_path / f"restored-{number}", keyring(server))
                assert restored.status == 0, restored
                if number in {0, ROUNDS - 1}:
                    with Server(tmp_path / f"restored-{number}", workers=1) as other:
                        mine.check(other.root)
                        kept.check(other.root)
                shutil.rmtree(tmp_path / f"restored-{number}")
        finally:
            load.stop()
        log.info("%s changes acknowledged in %s backups", load.acknowledged, ROUNDS)


def killed(*argv: str | Path, cwd: Path, when: object) -> None:
    """Run a command and kill it once `when()` says so."""
    assert callable(when)
    process = subprocess.Popen(command(*argv), cwd=cwd, env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not when():
        assert process.poll() is None, "it was done before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()


class TestAKill:
    def test_of_a_backup_leaves_what_no_restore_takes_and_the_next_backup_clears_away(
        self, server: Server, kept: Kept, tmp_path: Path
    ) -> None:
        target = tmp_path / "backups"
        killed(
            "backup",
            "--data",
            server.data,
            target,
            cwd=tmp_path,
            when=lambda: list(target.glob("snapshots/*.unfinished")),
        )
        [left] = target.glob("snapshots/*")

        for source in (target, left):
            refused = restore(source, tmp_path / "restored", None)
            assert refused.status == 5
            assert "was cut short and is not whole" in refused.err
            assert not (tmp_path / "restored").exists()
        busy = backup(server, target)
        assert busy.status == 4
        assert "another backup is under way" in busy.err
        forget_the_mark(server)
        assert backup(server, target).status == 0
        assert not left.exists()
        assert restore(target, tmp_path / "restored", keyring(server)).status == 0

    def test_of_a_restore_leaves_what_no_server_takes_for_a_vault(
        self, server: Server, kept: Kept, tmp_path: Path
    ) -> None:
        target, data = tmp_path / "backups", tmp_path / "restored"
        assert backup(server, target, "--with-keyring").status == 0
        killed("restore", "--data", data, target, cwd=tmp_path, when=(data / "restoring").exists)

        for argv in (("serve", "--port", "0"), ("verify",)):
            refused = start(*argv, "--data", data, cwd=tmp_path)
            assert refused.status in {2, 5}
            assert "was cut short" in refused.err
        again = start("restore", "--data", data, target, cwd=tmp_path)
        assert (again.status, "was cut short" in again.err) == (5, True)
        shutil.rmtree(data)
        assert start("restore", "--data", data, target, cwd=tmp_path).status == 0

    def test_of_a_backup_keeps_a_server_from_removing_only_for_a_while(self, server: Server, tmp_path: Path) -> None:
        """What was deleted stays while the mark counts, and goes soon after."""
        target, project = tmp_path / "backups", server.project()
        made = server.root.upload(project, "large", bytes(100_000)).json
        killed(
            "backup",
            "--data",
            server.data,
            target,
            cwd=tmp_path,
            when=lambda: list(target.glob("snapshots/*.unfinished")),
        )
        assert server.root.delete(f"/projects/{project}/secure_files/{made['id']}").status == 204
        time.sleep(3)
        assert noted(server) > 0
        forget_the_mark(server)
        deadline = time.monotonic() + 20
        while noted(server):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def forget_the_mark(server: Server) -> None:
    """As time does."""
    from tests.reliability.stored import edit

    edit(server.data, "UPDATE leases SET until = '2020-01-01T00:00:00.000Z'")


def noted(server: Server) -> int:
    from tests.reliability.stored import rows

    return len(rows(server.data, "SELECT * FROM removals"))


def test_a_backup_as_json_tells_where_it_is(server: Server, tmp_path: Path) -> None:
    told = json.loads(backup(server, tmp_path / "backups", "--format", "json").out)

    assert Path(told["backup"]).parent == tmp_path / "backups" / "snapshots"
    assert (told["keyring"], told["damaged"]) == (False, [])
