"""`secure-files notify` and the server that tells by itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import run
from tests.harness import RunningVault
from tests.notify.support import put, written
from tests.receivers import Web, web_receiver
from tests.vault.core import Core, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parent.parent.parent / "sample_certs" / "files"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        core.project(core.user("ada"))
        put(core, "a.cer", 5.5)
        yield core


@pytest.fixture
def web() -> Iterator[Web]:
    with web_receiver() as web:
        yield web


@pytest.fixture
def file(tmp_path: Path, web: Web) -> Path:
    return written(tmp_path, f'[[recipient]]\nname = "team"\nkind = "webhook"\nurl = "{web.url}/sesame"\n')


class TestCommand:
    def test_tells_and_shows_what_it_told(self, core: Core, file: Path, web: Web) -> None:
        first = run("notify", "--data", core.folder, "--recipients", file)
        second = run("notify", "--data", core.folder, "--recipients", file)

        assert first.status == 0
        assert first.out.splitlines()[1].split()[0] == "team"
        assert "told" in first.out
        assert (second.status, second.out) == (0, "nothing is due\n")
        assert len(web.posted) == 1

    def test_exits_with_1_when_somebody_could_not_be_told_and_keeps_it(self, core: Core, file: Path, web: Web) -> None:
        web.status = 500

        failed = run("notify", "--data", core.folder, "--recipients", file, "--format", "json")
        waiting = run("notify", "--data", core.folder, "--status", "--format", "json")

        assert failed.status == 1
        assert json.loads(failed.out)[0]["error"] == "127.0.0.1 answered 500"
        assert json.loads(waiting.out)[0] | {"changed_at": "", "try_at": "", "expires_at": "", "project": ""} == {
            "recipient": "team",
            "project": "",
            "name": "a.cer",
            "expires_at": "",
            "days": 7,
            "state": "failed",
            "attempts": 1,
            "changed_at": "",
            "try_at": "",
            "error": "127.0.0.1 answered 500",
        }
        assert "sesame" not in failed.out + failed.err + waiting.out

    def test_dry_run_tells_nobody(self, core: Core, file: Path, web: Web) -> None:
        shown = run("notify", "--data", core.folder, "--recipients", file, "--dry-run")

        assert shown.status == 0
        assert "a.cer" in shown.out
        assert web.posted == []

    def test_test_sends_a_made_up_notice_and_notes_nothing(self, core: Core, file: Path, web: Web) -> None:
        tried = run("notify", "--data", core.folder, "--recipients", file, "--test")

        assert (tried.status, tried.err) == (0, "secure-files: team: told\n")
        assert web.posted[0].json["files"][0]["project"] == "example/app"
        assert core.sql("SELECT * FROM notices") == []

    def test_test_says_who_cannot_be_told(self, core: Core, file: Path, web: Web) -> None:
        web.status = 404

        tried = run("notify", "--data", core.folder, "--recipients", file, "--test")

        assert (tried.status, tried.err) == (1, "secure-files: team: 127.0.0.1 answered 404\n")

    def test_without_recipients_is_told_what_is_missing(self, core: Core) -> None:
        asked = run("notify", "--data", core.folder)

        assert asked.status == 2
        assert "recipients is missing" in asked.err


class TestServer:
    def test_tells_by_itself(self, tmp_path: Path, file: Path, web: Web) -> None:
        with RunningVault(tmp_path / "vault", recipients=str(file), notify_seconds=1.0) as vault:
            project = vault.project()
            vault.root.upload(project["id"], "sample.cer", (SAMPLES / "development-expired.CER").read_bytes())
            deadline = time.monotonic() + 30
            while not web.posted and time.monotonic() < deadline:
                time.sleep(0.05)

        assert [told["name"] for told in web.posted[0].json["files"]] == ["sample.cer"]
        assert len(web.posted) == 1

    def test_counts_who_is_not_reached(self, tmp_path: Path, file: Path, web: Web) -> None:
        web.status = 500
        with RunningVault(tmp_path / "vault", recipients=str(file), notify_seconds=1.0) as vault:
            project, deadline, page = vault.project(), time.monotonic() + 30, ""
            vault.root.upload(project["id"], "sample.cer", (SAMPLES / "development-expired.CER").read_bytes())
            while "notices_total{" not in page and time.monotonic() < deadline:
                time.sleep(0.05)
                page = vault.nobody.get("/metrics").body.decode()

        assert 'secure_files_notices_total{outcome="failed",recipient="team"} 1.0' in page
        assert 'secure_files_notices_pending{recipient="team"} 1.0' in page
        assert 'secure_files_notices_pending_since_seconds{recipient="team"} 1.' in page

    def test_with_a_bad_file_of_recipients_does_not_start(self, tmp_path: Path) -> None:
        bad = written(tmp_path, "[[recipient]]\n")

        started = run("serve", "--data", tmp_path / "vault", "--port", "0", "--recipients", bad)

        assert started.status == 2
        assert "a name is missing" in started.err
