"""`keys`: the master keys of a vault, beside a server that goes on."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.runner import ROOT, Outcome, Serving, command, environment, run
from tests.engines import files
from tests.harness import ROOT_TOKEN, Client
from tests.vault.core import opened
from vault.crypto.keyring import Keyring

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A vault with three files."""
    with opened(tmp_path / "data") as core:
        project = core.project(core.user("root", is_admin=True))
        for name in ("a", "b", "c"):
            core.secure_files.add(project.id, name, name.encode())
    return tmp_path / "data"


def keys(data: Path, *more: str) -> Outcome:
    return run("keys", *more, "--data", data)


def listed(data: Path) -> dict[str, dict[str, Any]]:
    return {key["id"]: key for key in json.loads(keys(data, "list", "--format", "json").out)}


def contents(data: Path) -> list[bytes]:
    with opened(data) as core:
        return [bytes(core.secure_files.content(1, number)[1]) for number in (1, 2, 3)]


class TestList:
    def test_tells_how_many_files_each_key_has_and_no_key(self, data: Path) -> None:
        keys(data, "rotate")
        outcome = keys(data, "list")

        assert (outcome.status, outcome.err) == (0, "")
        head, k1, k2 = outcome.out.splitlines()
        assert head.split() == ["KEY", "STATE", "FILES", "CHECK", "MADE", "WHERE"]
        assert k1.split()[:3] == ["k1", "decrypt-only", "3"]
        assert k2.split()[:3] == ["k2", "active", "0"]
        assert k2.split()[-1] == str(data / "keys" / "keyring.json")
        document = json.loads((data / "keys" / "keyring.json").read_text())
        for secret in (document["pepper"], *(key["key"] for key in document["keys"])):
            assert secret not in outcome.out

    def test_is_json_for_a_program(self, data: Path) -> None:
        key = listed(data)["k1"]

        assert list(key) == ["id", "state", "files", "needed", "check", "created_at", "where"]
        assert (key["state"], key["files"], key["needed"]) == ("active", 3, True)
        assert key["check"] == Keyring.load(data / "keys" / "keyring.json").checks()["k1"]


class TestRotateRewrapRetire:
    def test_one_after_the_other_leave_one_key_and_every_file(self, data: Path) -> None:
        rotated = keys(data, "rotate")
        assert (rotated.status, rotated.out) == (0, '"k2" wraps new files from now on\n')
        assert f"back up the keyring, apart from the data: {data}/keys/keyring.json" in rotated.err
        assert "until `secure-files keys rewrap`" in rotated.err

        assert keys(data, "rewrap") == Outcome(0, 're-wrapped 3 files under "k2"\n', "")
        assert keys(data, "rewrap") == Outcome(0, 're-wrapped 0 files under "k2"\n', "")

        retired = keys(data, "retire", "k1")
        assert (retired.status, retired.out) == (0, 'retired "k1"\n')
        assert "a backup of the data from before needs this key" in retired.err
        assert list(listed(data)) == ["k2"]
        assert contents(data) == [b"a", b"b", b"c"]

    def test_speak_json_to_a_program(self, data: Path) -> None:
        assert json.loads(keys(data, "rotate", "--format", "json").out) == {"key": "k2"}
        done = json.loads(keys(data, "rewrap", "--format", "json").out)
        assert (done["key"], done["rewrapped"], done["failed"]) == ("k2", 3, [])
        assert done["seconds"] >= 0
        done = json.loads(keys(data, "rewrap", "--reencrypt", "--format", "json").out)
        assert (done["key"], done["reencrypted"], done["failed"]) == ("k2", 3, [])
        assert json.loads(keys(data, "retire", "k1", "--format", "json").out) == {"retired": "k1"}

    def test_reencrypt_seals_the_files_anew(self, data: Path) -> None:
        keys(data, "rotate")

        assert keys(data, "rewrap", "--reencrypt") == Outcome(0, 'sealed 3 files anew under "k2"\n', "")
        assert contents(data) == [b"a", b"b", b"c"]

    def test_a_rate_costs_time_and_nothing_else(self, data: Path) -> None:
        keys(data, "rotate")

        assert keys(data, "rewrap", "--rate", "100") == Outcome(0, 're-wrapped 3 files under "k2"\n', "")

    def test_a_file_that_cannot_be_moved_is_named_and_the_status_is_1(self, data: Path) -> None:
        with opened(data) as core:
            core.sql("UPDATE blobs SET size = 7 WHERE id = (SELECT blob_id FROM secure_files WHERE id = 2)")
        keys(data, "rotate")
        outcome = keys(data, "rewrap")

        assert (outcome.status, outcome.out) == (1, 're-wrapped 2 files under "k2"; 1 could not be\n')
        assert re.search(r"^secure-files: object [0-9a-f]{32} \(key k1\): ", outcome.err, re.MULTILINE)
        assert len(json.loads(keys(data, "rewrap", "--format", "json").out)["failed"]) == 1

    @files
    def test_whoever_waits_sees_how_far_it_is(self, data: Path) -> None:
        keys(data, "rotate")
        ours, theirs = pty.openpty()
        done = subprocess.run(
            command("keys", "rewrap", "--data", data), env=environment(), cwd=ROOT, stderr=theirs, check=False
        )
        os.close(theirs)

        assert b"re-wrapping [####################] 3/3" in os.read(ours, 10_000)
        assert done.returncode == 0
        os.close(ours)


class TestRefused:
    def test_1_for_a_key_that_files_need(self, data: Path) -> None:
        keys(data, "rotate")
        outcome = keys(data, "retire", "k1")

        assert outcome.status == 1
        assert '3 files are still wrapped under "k1": run `secure-files keys rewrap` first' in outcome.err
        assert list(listed(data)) == ["k1", "k2"]

    def test_1_for_the_primary_key(self, data: Path) -> None:
        outcome = keys(data, "retire", "k1")

        assert outcome.status == 1
        assert '"k1" is the primary key: run `secure-files keys rotate` first' in outcome.err

    @pytest.mark.parametrize(
        "words",
        [
            ("retire",),
            ("retire", "k9"),
            ("list", "k1"),
            ("rotate", "--reencrypt"),
            ("list", "--rate", "5"),
            ("rewrap", "--rate", "0"),
            ("rewrap", "--rate", "much"),
            ("rewrap", "--output", "x"),
            ("destroy",),
        ],
    )
    def test_2_for_what_means_nothing(self, data: Path, words: tuple[str, ...]) -> None:
        assert keys(data, *words).status == 2
        assert list(listed(data)) == ["k1"]

    @pytest.mark.parametrize("words", [("list",), ("rotate",), ("rewrap",), ("retire", "k1")])
    def test_3_for_a_lost_keyring_and_none_is_made(self, data: Path, words: tuple[str, ...]) -> None:
        (data / "keys" / "keyring.json").unlink()
        outcome = keys(data, *words)

        assert (outcome.status, outcome.out) == (3, "")
        assert 'needs the key "k1" (check ' in outcome.err
        assert list((data / "keys").iterdir()) == []

    @files
    def test_5_where_there_is_no_vault(self, tmp_path: Path) -> None:
        assert keys(tmp_path / "absent", "list").status == 5
        assert not (tmp_path / "absent").exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    @pytest.mark.parametrize("place", ["data", "data/keys/keyring.json"])
    @pytest.mark.parametrize("words", [("list",), ("rotate",), ("rewrap",), ("retire", "k1")])
    def test_5_for_another_user_than_the_owner(self, data: Path, place: str, words: tuple[str, ...]) -> None:
        """A `sudo keys rotate` would leave a keyring that the server cannot read."""
        owned = data.parent / place
        os.chown(owned, 65534, 65534)
        outcome = keys(data, *words)

        assert (outcome.status, outcome.out) == (5, "")
        assert f"{owned} belongs to nobody" in outcome.err
        assert "run this command as nobody" in outcome.err


class TestBesideAServer:
    def test_keys_change_while_it_serves(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        with Serving(
            "--data", "data", "--workers", "2", cwd=tmp_path, env={"SECURE_FILES_ROOT_TOKEN": ROOT_TOKEN}
        ) as vault:
            client = Client(vault.url, ROOT_TOKEN)
            project = client.post("/projects", json={"name": "app"}).json["id"]
            client.upload(project, "before", b"before")
            assert keys(data, "rotate").status == 0
            for number in range(8):  # to both workers
                assert client.upload(project, f"after-{number}", b"after").status == 201
            assert {key: row["files"] for key, row in listed(data).items()} == {"k1": 1, "k2": 8}

            assert keys(data, "rewrap").status == 0
            assert keys(data, "retire", "k1").status == 0
            for number in range(1, 10):
                down = client.get(f"/projects/{project}/secure_files/{number}/download")
                assert (down.status, down.body) == (200, b"before" if number == 1 else b"after")
            assert client.get("/user").status == 200


class TestAKeyringInASetting:
    """What is not in a file of ours cannot be changed by a command; the next one can be written."""

    @pytest.fixture(params=["json", "master key"])
    def elsewhere(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        made = tmp_path / "made.json"
        Keyring.create(made)
        if request.param == "json":
            monkeypatch.setenv("SECURE_FILES_KEYRING_JSON", made.read_text())
        else:
            monkeypatch.setenv("SECURE_FILES_MASTER_KEY", base64.b64encode(bytes(range(32))).decode())
        with Serving(
            "--data", "data", cwd=tmp_path, env={**os.environ, "SECURE_FILES_ROOT_TOKEN": ROOT_TOKEN}
        ) as vault:
            client = Client(vault.url, ROOT_TOKEN)
            client.post("/projects", json={"name": "app"})
            client.upload(1, "a", b"a")
            vault.end()
        return tmp_path / "data"

    def test_3_when_it_is_to_be_changed_in_place(self, elsewhere: Path) -> None:
        outcome = keys(elsewhere, "rotate")

        assert outcome.status == 3
        assert "change it where it is kept" in outcome.err
        assert "--output FILE" in outcome.err

    def test_is_rotated_by_way_of_a_file_and_tokens_stay_good(
        self, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new = tmp_path / "new.json"
        outcome = keys(elsewhere, "rotate", "--output", str(new))
        assert (outcome.status, new.stat().st_mode & 0o777) == (0, 0o600)
        assert f"wrote the new keyring to {new}" in outcome.err
        assert keys(elsewhere, "rotate", "--output", str(new)).status == 3

        monkeypatch.delenv("SECURE_FILES_MASTER_KEY", raising=False)
        monkeypatch.setenv("SECURE_FILES_KEYRING_JSON", new.read_text())
        assert keys(elsewhere, "rewrap").out == 're-wrapped 1 file under "k2"\n'
        retired = keys(elsewhere, "retire", "k1")
        assert (retired.status, retired.out) == (0, 'retired "k1"\n')
        assert 'the data need "k1" no more: take it out of the keyring' in retired.err
        without = json.loads(new.read_text())
        without["keys"] = without["keys"][1:]
        monkeypatch.setenv("SECURE_FILES_KEYRING_JSON", json.dumps(without))
        with Serving("--data", "data", cwd=tmp_path, env=dict(os.environ)) as vault:
            down = Client(vault.url, ROOT_TOKEN).get("/projects/1/secure_files/1/download")
            assert (down.status, down.body) == (200, b"a")
