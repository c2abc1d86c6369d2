"""The keyring file is private, whole and never overwritten; what is wrong with one is said, and what to do."""

from __future__ import annotations

import base64
import json
import os
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from vault.crypto.keyring import Keyring
from vault.errors import BadKeyring

if TYPE_CHECKING:
    from pathlib import Path

FOREIGN_KEY = base64.b64encode(b"\x07" * 32).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "keyring.json"
    Keyring.create(path)
    return path


class TestCreation:
    def test_folder_and_file_are_closed_to_others_whatever_the_umask(self, tmp_path: Path) -> None:
        path = tmp_path / "keys" / "keyring.json"
        before = os.umask(0)
        try:
            Keyring.create(path)
        finally:
            os.umask(before)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600

    def test_holds_the_documented_fields(self, path: Path) -> None:
        document = json.loads(path.read_text())
        assert list(document) == ["version", "instance", "primary", "pepper", "keys"]
        assert document["version"] == 1
        assert [list(key) for key in document["keys"]] == [["id", "alg", "key", "check", "created_at", "state"]]
        assert document["keys"][0]["alg"] == "A256GCM"
        assert document["keys"][0]["created_at"].endswith("Z")

    @pytest.mark.parametrize("present", ["a keyring", "a damaged keyring", "a dangling link"])
    def test_never_replaces_what_is_there(self, path: Path, tmp_path: Path, present: str) -> None:
        if present == "a damaged keyring":
            path.write_text("")
        elif present == "a dangling link":
            path.unlink()
            path.symlink_to(tmp_path / "not-mounted")
        before = path.readlink() if path.is_symlink() else path.read_text()
        with pytest.raises(BadKeyring, match=r"is a keyring at .* already"):
            Keyring.create(path)
        assert (path.readlink() if path.is_symlink() else path.read_text()) == before

    def test_leaves_nothing_else_in_the_folder(self, path: Path) -> None:
        Keyring.load(path).rotate()
        with pytest.raises(BadKeyring):
            Keyring.create(path)
        assert list(path.parent.iterdir()) == [path]

    def test_a_file_left_by_a_killed_process_does_not_disturb(self, path: Path) -> None:
        path.with_name(".keyring.json.new").write_text("half a keyr")
        Keyring.load(path).rotate()
        assert Keyring.load(path).primary == "k2"
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(BadKeyring, match=r"cannot create the keyring .*: File exists"):
            Keyring.create(tmp_path / "file" / "keyring.json")


class TestChange:
    def test_a_change_that_fails_leaves_the_file_as_it_was(self, path: Path) -> None:
        before = path.read_bytes()
        path.with_name(".keyring.json.new").mkdir()  # where the new file would be written
        with pytest.raises(BadKeyring, match="cannot change the keyring"):
            Keyring.load(path).rotate()
        assert path.read_bytes() == before

    def test_a_link_to_the_file_stays_one(self, path: Path, tmp_path: Path) -> None:
        link = tmp_path / "keyring.json"
        link.symlink_to(path)
        Keyring.load(link).rotate()
        assert link.is_symlink()
        assert Keyring.load(path).primary == "k2"


class TestPermissions:
    @pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o644, 0o660, 0o601])
    def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        with pytest.raises(BadKeyring, match=rf"mode {mode:04o}\); run: chmod 600 {path}"):
            Keyring.load(path)
        path.chmod(0o600)
        Keyring.load(path)

    @pytest.mark.parametrize("mode", [0o600, 0o400])
    def test_a_private_file_is_taken(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        Keyring.load(path)

    @pytest.mark.parametrize("mode", [0o770, 0o777, 0o702])
    def test_a_folder_in_which_others_could_exchange_the_file_is_refused(self, path: Path, mode: int) -> None:
        path.parent.chmod(mode)
        with pytest.raises(BadKeyring, match=f"run: chmod go-w {path.parent}"):
            Keyring.load(path)

    @pytest.mark.parametrize("mode", [0o755, 0o1777])
    def test_a_folder_in_which_they_could_not_is_taken(self, path: Path, mode: int) -> None:
        path.parent.chmod(mode)
        Keyring.load(path)

    def test_a_missing_file_is_no_reason_to_make_one(self, path: Path) -> None:
        path.unlink()
        with pytest.raises(BadKeyring, match=r"there is no keyring at .*restore it from your backup"):
            Keyring.load(path)
        assert not path.exists()


Spoil = Callable[[dict[str, Any]], object]

SPOILED: dict[str, tuple[Spoil, str]] = {
    "unknown version": (lambda ring: ring.update(version=2), "version 1"),
    "no version": (lambda ring: ring.pop("version"), "version 1"),
    "no instance": (lambda ring: ring.pop("instance"), 'has no "instance"'),
    "instance is not hex": (lambda ring: ring.update(instance="X" * 32), "32 lower-case hex digits"),
    "instance is no text": (lambda ring: ring.update(instance=7), '"instance"'),
    "no primary": (lambda ring: ring.pop("primary"), 'has no "primary"'),
    "primary is missing": (lambda ring: ring.update(primary="k9"), '"primary"'),
    "primary is no text": (lambda ring: ring.update(primary=["k1"]), '"primary"'),
    "no keys": (lambda ring: ring.update(keys=[]), '"primary"'),
    "keys is no list": (lambda ring: ring.update(keys={}), 'list of "keys"'),
    "a key is no object": (lambda ring: ring["keys"].append("k3"), "not an object"),
    "a misspelt field": (lambda ring: ring.update(peper=ring.pop("pepper")), "remove them"),
    "no pepper": (lambda ring: ring.pop("pepper"), '"pepper"'),
    "a short pepper": (lambda ring: ring.update(pepper="AAAA"), '"pepper" is not the base64'),
    "two keys of one id": (lambda ring: ring["keys"].append(ring["keys"][0]), 'two keys called "k1"'),
    "another key's check": (lambda ring: ring["keys"][0].update(key=FOREIGN_KEY), '"k1" does not fit its "check"'),
    "no check": (lambda ring: ring["keys"][0].pop("check"), 'has no "check"'),
    "check is no text": (lambda ring: ring["keys"][0].update(check=None), '"check"'),
    "a short key": (lambda ring: ring["keys"][0].update(key="AAAA"), '"k1" is not the base64'),
    "a key that is not base64": (lambda ring: ring["keys"][0].update(key="ä" * 44), '"k1" is not the base64'),
    "a key that is no text": (lambda ring: ring["keys"][0].update(key=1), '"k1" is not the base64'),
    "unknown algorithm": (lambda ring: ring["keys"][0].update(alg="ROT13"), '"alg"'),
    "unknown state": (lambda ring: ring["keys"][0].update(state="lost"), '"state"'),
    "state is no text": (lambda ring: ring["keys"][0].update(state=[]), '"state"'),
    "two active keys": (lambda ring: ring["keys"][0].update(state="active"), "the states"),
    "no active key": (lambda ring: ring["keys"][1].update(state="decrypt-only"), "the states"),
    "an id with a space": (lambda ring: ring["keys"][0].update(id="k 1"), "an id that"),
    "a field too many in a key": (lambda ring: ring["keys"][0].update(comment="mine"), "remove them"),
}


class TestContent:
    @pytest.mark.parametrize("case", SPOILED)
    def test_what_is_wrong_is_said_with_the_path_and_without_a_key(self, path: Path, case: str) -> None:
        Keyring.load(path).rotate()
        document = json.loads(path.read_text())
        secrets = {document["pepper"], FOREIGN_KEY, *(key["key"] for key in document["keys"])}
        spoil, complaint = SPOILED[case]
        spoil(document)
        path.write_text(json.dumps(document))
        with pytest.raises(BadKeyring) as caught:
            Keyring.load(path)
        assert str(path) in str(caught.value)
        assert complaint in str(caught.value)
        told = "".join(traceback.format_exception(caught.value))
        assert not [secret for secret in secrets if secret in told]

    @pytest.mark.parametrize("text", ["", "{", "[]", '"keyring"', "null", "\ufffd\x00", "[" * 100_000])
    def test_what_is_not_a_keyring_at_all_is_refused(self, path: Path, text: str) -> None:
        path.write_text(text)
        with pytest.raises(BadKeyring, match=r"not (JSON|a JSON object)"):
            Keyring.load(path)

    def test_a_cut_file_is_refused_at_every_length(self, path: Path) -> None:
        text = path.read_text().rstrip()
        for length in range(len(text)):
            path.write_text(text[:length])
            with pytest.raises(BadKeyring, match="not JSON"):
                Keyring.load(path)
