"""`serve`: what the first start makes, what it says, how it ends, and what keeps it from starting."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import Serving, obey_modes, start
from tests.engines import files
from tests.harness import ROOT_TOKEN
from tests.vault.core import LARGE, opened

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_LINE = r"the administrator's token, shown only now: (glpat-[0-9A-Za-z]{38})\n"


def modes_below(folder: Path) -> dict[str, int]:
    """Return the modes of a folder and of everything in it, by path."""
    return {str(path): stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}


class TestFirstStart:
    @files
    def test_makes_a_vault_that_is_closed_to_others_whatever_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            with Serving("--data", "a/vault", cwd=tmp_path) as serving:
                assert serving.end() == 0
        finally:
            os.umask(before)
        data = tmp_path / "a" / "vault"

        assert {path.name for path in data.iterdir()} >= {"catalog.sqlite", "blobs", "keys", "lock"}
        assert not {path: oct(mode) for path, mode in modes_below(data).items() if mode & 0o077}
        assert stat.S_IMODE((data / "keys").stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "keys" / "keyring.json").stat().st_mode) == 0o600

    def test_a_folder_that_is_there_already_is_taken_and_closed(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data").chmod(0o755)
        with Serving("--data", "data", cwd=tmp_path):
            assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700

    def test_says_the_token_once_where_the_vault_is_and_what_to_back_up(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as serving:
            secret = serving.wait_for(TOKEN_LINE)[1]
            assert f"made a new vault in {tmp_path / 'data'}\n" in serving.said
            assert f"back up the keyring, apart from the data: {tmp_path}/data/keys/keyring.json\n" in serving.said

            answer = serving.get("/api/v4/user", secret)
            assert (answer.status_code, answer.json()["username"], answer.json()["is_admin"]) == (200, "root", True)
            serving.end()

        with Serving("--data", "data", cwd=tmp_path) as again:
            assert again.get("/api/v4/user", secret).status_code == 200
            again.end()
            assert "administrator's token" not in again.said
            assert "made a new vault" not in again.said
            assert secret not in again.said

    def test_takes_the_token_it_is_given_and_does_not_show_it(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path, env={"SECURE_FILES_ROOT_TOKEN": ROOT_TOKEN}) as serving:
            assert serving.get("/api/v4/user", ROOT_TOKEN).status_code == 200
            assert serving.get("/api/v4/user", ROOT_TOKEN + "x").status_code == 401
            serving.end()
            assert ROOT_TOKEN not in serving.said
            assert "administrator's token" not in serving.said

    def test_what_it_says_goes_to_stderr_and_nothing_to_stdout(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as serving:
            serving.end()
            assert serving.process.stdout is not None
            assert serving.process.stdout.read() == ""

    def test_keys_from_the_environment_leave_no_keyring_behind(self, tmp_path: Path) -> None:
        key = {"SECURE_FILES_MASTER_KEY": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}
        with Serving("--data", "data", cwd=tmp_path, env=key) as serving:
            serving.end()
            assert "back up the keyring" not in serving.said
            assert key["SECURE_FILES_MASTER_KEY"] not in serving.said
        assert not (tmp_path / "data" / "keys").exists()


class TestRunning:
    def test_is_ready_when_it_says_that_it_listens(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as serving:
            for path in ("/-/readiness", "/-/liveness"):
                assert (serving.get(path).status_code, serving.get(path).json()["status"]) == (200, "ok")

    def test_listens_on_this_machine_alone_unless_told_otherwise(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as serving:
            assert serving.url.startswith("http://127.0.0.1:")

    def test_takes_its_settings_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "vault.toml").write_text('data = "from-the-file"\nlog = "json"\n')
        with Serving("--config", "vault.toml", cwd=tmp_path) as serving:
            serving.get("/-/liveness")
            serving.wait_for(r'\n\{"time": "[^"]+", "level": "INFO", "logger": "secure_files\.access"')
        assert (tmp_path / "from-the-file" / "catalog.sqlite").exists()

    def test_no_token_gets_into_the_log(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path, env={"SECURE_FILES_ROOT_TOKEN": ROOT_TOKEN}) as serving:
            assert serving.get(f"/api/v4/user?private_token={ROOT_TOKEN}").status_code == 200
            assert serving.get("/api/v4/projects", ROOT_TOKEN).status_code == 200
            serving.wait_for(r"/api/v4/user\?private_token=\[FILTERED\]")
            serving.wait_for(r"/api/v4/projects")
            assert ROOT_TOKEN not in serving.said

    @files
    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_what_a_crash_left_is_removed_at_the_next_start(self, tmp_path: Path, workers: str) -> None:
        with opened(tmp_path / "data") as core:
            kept = core.keep(bytes(LARGE))
            core.storage.put("secure_files", 1, bytes(LARGE))
        with Serving("--data", "data", "--workers", workers, cwd=tmp_path) as serving:
            serving.wait_for("removed 1 unfinished object that a crash left; nothing is lost")
        with opened(tmp_path / "data") as core:
            assert list(core.blobs.ids()) == [kept.id]


class TestEnding:
    @pytest.mark.parametrize("workers", ["1", "2"])
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_with_0_and_without_a_word(self, tmp_path: Path, number: int, workers: str) -> None:
        with Serving("--data", "data", "--workers", workers, cwd=tmp_path) as serving:
            assert serving.get("/-/readiness").status_code == 200
            assert serving.end(number) == 0
            assert "Traceback" not in serving.said
            assert "ERROR" not in serving.said

    def test_the_log_of_the_catalog_is_moved_into_its_file(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as serving:
            serving.end()
        assert not list((tmp_path / "data").glob("catalog.sqlite-wal"))

    def test_the_folder_is_free_at_once_also_after_a_kill(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as serving:
            assert serving.end(signal.SIGKILL) == -signal.SIGKILL
        with Serving("--data", "data", cwd=tmp_path) as again:
            assert again.end() == 0


class TestRefused:
    """Each of these ends at once, with its own status and one line that says what to do."""

    def refused(self, status: int, *argv: str | Path, cwd: Path, **env: str) -> str:
        outcome = start("serve", *argv, cwd=cwd, env=env)
        assert (outcome.status, outcome.out) == (status, ""), outcome.err
        assert outcome.err.startswith("secure-files: ")
        assert outcome.err.count("\n") == 1
        return outcome.err

    def test_4_when_another_server_has_the_folder(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as first:
            text = self.refused(4, "--data", "data", "--port", "0", cwd=tmp_path)

            assert f"in use by another server (process {first.process.pid})" in text
            assert first.get("/-/readiness").status_code == 200

    def test_5_when_the_port_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            text = self.refused(5, "--data", "data", "--port", port, cwd=tmp_path)
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use; " in text
        assert "choose another --port" in text

    def test_5_when_the_address_is_not_this_machines(self, tmp_path: Path) -> None:
        text = self.refused(5, "--data", "data", "--host", "192.0.2.1", "--port", "0", "--insecure-http", cwd=tmp_path)

        assert "cannot listen on 192.0.2.1:0: Cannot assign requested address" in text

    @pytest.mark.parametrize(
        ("argv", "text"),
        [
            (("--port", "many"), "port has to be a whole number"),
            (("--port", "70000"), "port has to be a whole number, at least 0 and at most 65535"),
            (("--workers", "0"), "workers has to be"),
            (("--log", "xml"), "log has to be text or json"),
            (("--data", ""), "data has to be the name of a folder"),
            (("--trusted-proxy", "proxy.example.com"), "trusted_proxy has to be a list of addresses or networks"),
            (("--tls-key", "key.pem"), "tls_key is of no use without tls_certificate"),
            (("--tls-certificate", "absent.pem"), "absent.pem with the key absent.pem: No such file or directory"),
            (("--config", "absent.toml"), "config cannot be read: absent.toml: No such file or directory"),
        ],
    )
    def test_2_when_a_setting_is_wrong(self, tmp_path: Path, argv: tuple[str, str], text: str) -> None:
        assert text in self.refused(2, *argv, cwd=tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("host", ["0.0.0.0", "::"])
    def test_2_when_others_could_reach_it_in_clear(self, tmp_path: Path, host: str) -> None:
        text = self.refused(2, "--data", "data", "--host", host, "--port", "0", cwd=tmp_path)

        assert f"host {host} can be reached by others" in text
        assert all(flag in text for flag in ("--tls-certificate", "--trusted-proxy", "--insecure-http"))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("meant", [("--insecure-http",), ("--trusted-proxy", "10.0.0.2")])
    def test_nothing_when_it_is_said_that_this_is_meant(self, tmp_path: Path, meant: tuple[str, ...]) -> None:
        with Serving("--data", "data", "--host", "0.0.0.0", *meant, cwd=tmp_path) as serving:
            assert "listening on http://0.0.0.0:" in serving.said

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
    def test_nothing_when_only_this_machine_can_reach_it(self, tmp_path: Path, host: str) -> None:
        with Serving("--data", "data", "--host", host, cwd=tmp_path) as serving:
            assert serving.end() == 0

    def test_2_when_a_variable_is_wrong(self, tmp_path: Path) -> None:
        assert "port has to be" in self.refused(2, cwd=tmp_path, SECURE_FILES_PORT="many")

    def test_2_when_the_file_of_settings_has_an_unknown_line(self, tmp_path: Path) -> None:
        (tmp_path / "vault.toml").write_text("prot = 1\n")

        assert "prot is not a setting" in self.refused(2, "--config", "vault.toml", cwd=tmp_path)

    def test_3_when_the_keyring_is_lost(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data") as core:
            blob = core.keep(b"content")
        keyring = tmp_path / "data" / "keys" / "keyring.json"
        keyring.rename(tmp_path / "backup")

        text = self.refused(3, "--data", "data", "--port", "0", cwd=tmp_path)
        assert re.search(r'needs the key "k1" \(check [0-9a-f]{8}\).*restore the keyring from your backup', text)
        assert not keyring.exists()
        (tmp_path / "backup").rename(keyring)
        with opened(tmp_path / "data") as core:
            assert core.content(blob.id) == b"content"

    def test_5_when_a_file_is_in_the_way_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("not a folder")

        assert "data" in self.refused(5, "--data", "data", cwd=tmp_path)
        assert "data/vault" in self.refused(5, "--data", "data/vault", cwd=tmp_path)
        assert (tmp_path / "data").read_text() == "not a folder"

    def test_5_when_the_folder_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir(mode=0o500)
        outcome = start("serve", "--data", "data", "--port", "0", cwd=tmp_path, before=obey_modes)

        assert (outcome.status, outcome.out) == (5, "")
        assert outcome.err == "secure-files: data/lock: Permission denied\n"

    def test_5_when_the_folder_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "readable").mkdir(mode=0o500)
        outcome = start("serve", "--data", "readable/data", "--port", "0", cwd=tmp_path, before=obey_modes)

        assert (outcome.status, outcome.out) == (5, "")
        assert outcome.err == "secure-files: readable/data: Permission denied\n"

    @files
    def test_5_when_the_catalog_is_no_catalog(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data"):
            pass
        (tmp_path / "data" / "catalog.sqlite").write_bytes(b"no database at all" * 1000)

        assert "the catalog is damaged" in self.refused(5, "--data", "data", "--port", "0", cwd=tmp_path)

    @files
    def test_5_when_a_newer_program_made_the_catalog(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data") as core:
            core.sql(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('vault', '9999_later', 'x')"
            )

        text = self.refused(5, "--data", "data", "--port", "0", cwd=tmp_path)
        assert "made by a newer program" in text


class TestLostCatalog:
    @files
    def test_a_blob_store_with_files_and_no_catalog_is_not_taken_over(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data") as core:
            core.keep(bytes(LARGE))
        for file in (tmp_path / "data").glob("catalog.sqlite*"):
            file.unlink()
        stored = [path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file()]

        ended = start("serve", "--data", "data", "--port", "0", cwd=tmp_path)

        assert ended.status == 5
        assert "restore the catalog" in ended.err
        assert stored
        assert all(path.exists() for path in stored)
