"""The keyring wraps with its primary key, unwraps with any, and follows its file."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING

import pytest

from vault.crypto import keyring_json
from vault.crypto.keyring import Keyring, new_data_key
from vault.crypto.keysource import WrappedKey
from vault.crypto.masterkeys import MasterKey, MasterKeys
from vault.errors import BadKeyring, Conflict, Tampered, UnknownKey

if TYPE_CHECKING:
    from pathlib import Path

MASTER = base64.b64encode(bytes(range(32))).decode()
INSTANCE = "000102030405060708090a0b0c0d0e0f"
AAD = b"row"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keyring.json"


@pytest.fixture
def keyring(path: Path) -> Keyring:
    return Keyring.create(path)


def another() -> Keyring:
    return Keyring(MasterKeys.new("2026-01-02T03:04:05.678Z"))


class TestWrapping:
    def test_a_wrapped_key_comes_back(self, keyring: Keyring) -> None:
        data_key = new_data_key()
        wrapped = keyring.wrap(data_key, AAD)
        assert wrapped.kek_id == "k1"
        assert len(wrapped.blob) == 60
        assert data_key not in wrapped.blob
        assert keyring.unwrap(wrapped, AAD) == data_key

    def test_is_never_the_same_twice(self, keyring: Keyring) -> None:
        assert keyring.wrap(bytes(32), AAD) != keyring.wrap(bytes(32), AAD)
        assert new_data_key() != new_data_key()

    def test_needs_the_same_associated_data(self, keyring: Keyring) -> None:
        with pytest.raises(Tampered) as caught:
            keyring.unwrap(keyring.wrap(bytes(32), AAD), b"other row")
        assert caught.value.key_id == "k1"

    def test_the_keyring_of_another_vault_opens_nothing(self, keyring: Keyring) -> None:
        with pytest.raises(Tampered, match='"k1"'):
            another().unwrap(keyring.wrap(bytes(32), AAD), AAD)

    def test_a_key_that_is_missing_is_named(self, keyring: Keyring) -> None:
        with pytest.raises(UnknownKey, match=r'"k7" is not in the keyring; restore') as caught:
            keyring.unwrap(WrappedKey("k7", bytes(60)), AAD)
        assert caught.value.key_id == "k7"

    def test_wraps_data_keys_only(self, keyring: Keyring) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            keyring.wrap(bytes(16), AAD)


class TestFile:
    def test_what_was_created_loads(self, keyring: Keyring, path: Path) -> None:
        wrapped = keyring.wrap(bytes(32), AAD)
        loaded = Keyring.load(path)
        assert loaded.unwrap(wrapped, AAD) == bytes(32)
        assert (loaded.instance, loaded.primary, loaded.checks()) == (keyring.instance, "k1", keyring.checks())
        assert loaded.keys == keyring.keys

    def test_every_vault_has_its_own_id_and_keys(self) -> None:
        assert another().instance != another().instance
        assert another().checks() != another().checks()

    def test_the_text_of_the_file_can_come_from_a_setting(self, keyring: Keyring, path: Path) -> None:
        wrapped = keyring.wrap(bytes(32), AAD)
        assert Keyring.from_json(path.read_text()).unwrap(wrapped, AAD) == bytes(32)


class TestRotation:
    def test_a_new_key_wraps_and_the_old_one_still_unwraps(self, keyring: Keyring, path: Path) -> None:
        before = keyring.wrap(bytes(32), AAD)
        assert keyring.rotate() == "k2"
        after = keyring.wrap(bytes(32), AAD)
        assert after.kek_id == "k2"
        for ring in (keyring, Keyring.load(path)):
            assert ring.primary == "k2"
            assert [(key.id, key.state) for key in ring.keys] == [("k1", "decrypt-only"), ("k2", "active")]
            assert ring.unwrap(before, AAD) == ring.unwrap(after, AAD) == bytes(32)

    def test_rewrapping_moves_a_data_key_to_the_primary_key(self, keyring: Keyring) -> None:
        old = keyring.wrap(b"\x07" * 32, AAD)
        keyring.rotate()
        new = keyring.rewrap(old, AAD)
        assert new.kek_id == "k2"
        assert keyring.unwrap(new, AAD) == b"\x07" * 32

    def test_a_retired_key_is_gone_for_good(self, keyring: Keyring, path: Path) -> None:
        old, check = keyring.wrap(bytes(32), AAD), keyring.checks()["k1"]
        keyring.rotate()
        keyring.retire("k1")
        for ring in (keyring, Keyring.load(path)):
            assert list(ring.checks()) == ["k2"]
            with pytest.raises(UnknownKey, match='"k1"'):
                ring.unwrap(old, AAD)
        assert check not in path.read_text()

    def test_an_id_is_not_given_out_again(self, keyring: Keyring) -> None:
        keyring.rotate()
        keyring.retire("k1")
        assert keyring.rotate() == "k3"

    def test_the_primary_key_cannot_be_retired(self, keyring: Keyring) -> None:
        with pytest.raises(Conflict, match="rotate first"):
            keyring.retire("k1")
        with pytest.raises(UnknownKey, match='"k9"'):
            keyring.retire("k9")
        assert list(keyring.checks()) == ["k1"]

    def test_rotations_at_the_same_time_are_all_kept(self, keyring: Keyring, path: Path) -> None:
        threads = [threading.Thread(target=Keyring.load(path).rotate) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({key.check for key in Keyring.load(path).keys}) == 9

    @pytest.mark.parametrize("source", ["json", "master key"])
    def test_a_keyring_from_a_setting_cannot_be_rotated(self, keyring: Keyring, path: Path, source: str) -> None:
        fixed = Keyring.from_json(path.read_text()) if source == "json" else Keyring.from_master_key(MASTER, INSTANCE)
        for change in (fixed.rotate, lambda: fixed.retire("k1")):
            with pytest.raises(BadKeyring, match="from a setting"):
                change()


class TestFollowing:
    """A server holds a keyring for months while commands change its file."""

    def test_new_blobs_get_the_new_key_at_once(self, keyring: Keyring, path: Path) -> None:
        assert keyring.wrap(bytes(32), AAD).kek_id == "k1"
        for expected in ("k2", "k3"):
            Keyring.load(path).rotate()
            assert keyring.wrap(bytes(32), AAD).kek_id == expected

    def test_keys_made_elsewhere_unwrap_here(self, keyring: Keyring, path: Path) -> None:
        elsewhere = Keyring.load(path)
        elsewhere.rotate()
        assert keyring.unwrap(elsewhere.wrap(bytes(32), AAD), AAD) == bytes(32)

    def test_nothing_is_wrapped_with_a_key_that_was_retired_elsewhere(self, keyring: Keyring, path: Path) -> None:
        elsewhere = Keyring.load(path)
        elsewhere.rotate()
        elsewhere.retire("k1")
        assert keyring.wrap(bytes(32), AAD).kek_id == "k2"

    def test_without_its_file_it_opens_but_wraps_nothing(self, keyring: Keyring, path: Path) -> None:
        wrapped = keyring.wrap(bytes(32), AAD)
        hidden = path.rename(path.with_name("hidden"))
        assert keyring.unwrap(wrapped, AAD) == bytes(32)
        with pytest.raises(BadKeyring, match=r"there is no keyring at .*restore it"):
            keyring.wrap(bytes(32), AAD)
        hidden.rename(path)
        assert keyring.wrap(bytes(32), AAD).kek_id == "k1"

    def test_a_spoiled_or_foreign_file_is_refused_each_time_until_it_is_put_right(
        self, keyring: Keyring, path: Path
    ) -> None:
        good = path.read_text()
        for bad, complaint in (("{", "not JSON"), (keyring_json.dump(MasterKeys.new("")), "another vault")):
            path.write_text(bad)
            for _ in range(2):
                with pytest.raises(BadKeyring, match=complaint):
                    keyring.wrap(bytes(32), AAD)
        path.write_text(good)
        keyring.wrap(bytes(32), AAD)


class TestDerivation:
    def test_each_purpose_has_a_key_of_its_own(self, keyring: Keyring) -> None:
        tokens, audit = keyring.derive("tokens"), keyring.derive("audit")
        assert len(tokens) == 32
        assert tokens != audit
        assert tokens != another().derive("tokens")

    def test_rotation_and_retirement_do_not_change_it(self, keyring: Keyring, path: Path) -> None:
        before, check = keyring.derive("tokens"), keyring.pepper_check
        keyring.rotate()
        keyring.retire("k1")
        assert keyring.derive("tokens") == Keyring.load(path).derive("tokens") == before
        assert keyring.pepper_check == check

    def test_a_single_key_without_pepper_gets_one_written_down_when_it_is_rotated(self, path: Path) -> None:
        single = MasterKeys(INSTANCE, "k1", {"k1": MasterKey("k1", bytes(range(32)), "")})
        path.parent.mkdir(mode=0o700)
        path.touch(mode=0o600)
        path.write_text(keyring_json.dump(single))
        assert "pepper" not in json.loads(path.read_text())
        before = Keyring.load(path).derive("tokens")
        assert before == Keyring.from_master_key(MASTER, INSTANCE).derive("tokens")
        Keyring.load(path).rotate()
        assert "pepper" in json.loads(path.read_text())
        assert Keyring.load(path).derive("tokens") == before


class TestMasterKeyFromASetting:
    def test_is_called_k1_and_wraps(self) -> None:
        keyring = Keyring.from_master_key(MASTER + "\n", INSTANCE)
        assert keyring.instance == INSTANCE
        # From `openssl kdf -keylen 4 -kdfopt digest:SHA256 -kdfopt hexkey:0001..1f -kdfopt info:check HKDF`.
        assert keyring.checks() == {"k1": "5b65c4e8"}
        wrapped = keyring.wrap(bytes(32), AAD)
        assert Keyring.from_master_key(MASTER, INSTANCE).unwrap(wrapped, AAD) == bytes(32)

    @pytest.mark.parametrize("encoded", ["", "secret!", MASTER[:-4], MASTER + MASTER, MASTER.replace("=", "")])
    def test_what_is_not_32_bytes_of_base64_is_refused_and_not_repeated(self, encoded: str) -> None:
        with pytest.raises(BadKeyring, match="the base64 of 32 bytes") as caught:
            Keyring.from_master_key(encoded, INSTANCE)
        assert not encoded or encoded not in str(caught.value)

    def test_a_wrong_instance_is_refused(self) -> None:
        with pytest.raises(BadKeyring, match="instance"):
            Keyring.from_master_key(MASTER, "mine")


class TestSecrecy:
    def test_no_repr_shows_a_key(self, keyring: Keyring, path: Path) -> None:
        document = json.loads(path.read_text())
        encoded = [document["pepper"], *(key["key"] for key in document["keys"])]
        secrets = [base64.b64decode(text) for text in encoded]
        loaded = keyring_json.parse(path.read_text())
        shown = f"{keyring!r} {keyring} {keyring.keys!r} {loaded!r} {keyring.wrap(bytes(32), AAD)!r}"
        assert "k1" in shown
        for text, secret in zip(encoded, secrets, strict=True):
            for form in (text, secret.hex(), repr(secret)[2:-1]):
                assert form not in shown
