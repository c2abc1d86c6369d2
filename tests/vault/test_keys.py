"""A keyring and a catalog belong together: what does not fit is refused, by name, before anything is served."""

from __future__ import annotations

import base64
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import main
from server.settings import Settings
from server.wiring import Services, open_services
from tests.vault.core import LARGE
from vault import keys
from vault.crypto.keyring import Keyring
from vault.errors import BadKeyring, Unavailable, UnknownKey

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = os.urandom(LARGE)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def blob_id(settings: Settings) -> str:
    """Make a vault in `settings.data` that holds one object, and return the object's id."""
    return fill(settings)


def fill(settings: Settings) -> str:
    services = open_services(settings, create=True)
    try:
        blob = services.storage.put("secure_files", 1, PLAIN)
        services.database.write(lambda tx: services.storage.insert(tx, blob))
        return blob.id
    finally:
        services.close()


def read(settings: Settings, blob_id: str) -> bytes:
    services = open_services(settings)
    try:
        return content(services, blob_id)
    finally:
        services.close()


def content(services: Services, blob_id: str) -> bytes:
    return bytes(services.storage.read(services.storage.envelope(blob_id)))


def check_of(settings: Settings) -> str:
    """Return the check value of the only key in the keyring file."""
    document = json.loads(settings.keyring_path().read_text())
    return str(document["keys"][0]["check"])


class TestFirstStart:
    def test_the_keyring_is_made_for_its_owner_alone(self, settings: Settings, blob_id: str) -> None:
        path = settings.keyring_path()

        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert settings.data.stat().st_mode & 0o777 == 0o700

    def test_the_catalog_remembers_whose_it_is(self, settings: Settings, blob_id: str) -> None:
        services = open_services(settings)
        try:
            assert keys.instance_of(services.database) == Keyring.load(settings.keyring_path()).instance
            assert keys.needed_keys(services.database) == {"k1": check_of(settings)}
        finally:
            services.close()

    def test_a_start_that_died_between_keyring_and_catalog_goes_on_with_that_keyring(self, settings: Settings) -> None:
        made = Keyring.create(settings.keyring_path())
        blob_id = fill(settings)

        assert Keyring.load(settings.keyring_path()).checks() == made.checks()
        assert read(settings, blob_id) == PLAIN

    def test_no_vault_is_made_by_a_command_that_only_looks(self, settings: Settings) -> None:
        with pytest.raises(Unavailable, match=r"there is no vault in .*secure-files serve --data"):
            open_services(settings)
        assert not settings.data.exists()

    def test_the_same_keyring_opens_it_again_and_beside_the_first(self, settings: Settings, blob_id: str) -> None:
        first = open_services(settings)
        try:
            assert read(settings, blob_id) == PLAIN
            assert content(first, blob_id) == PLAIN
        finally:
            first.close()


@pytest.mark.parametrize("create", [True, False], ids=["serve", "a command"])
class TestWrongKeyring:
    """Each of these would cost data if it went on."""

    def refused(self, settings: Settings, error: type[Exception], create: bool) -> str:
        with pytest.raises(error) as raised:
            open_services(settings, create=create)
        return str(raised.value)

    def test_a_lost_keyring_is_named_and_no_new_one_is_made(
        self, settings: Settings, blob_id: str, create: bool, tmp_path: Path
    ) -> None:
        path, check = settings.keyring_path(), check_of(settings)
        path.rename(tmp_path / "backup")

        text = self.refused(settings, UnknownKey, create)
        assert str(settings.data) in text
        assert f'the key "k1" (check {check})' in text
        assert str(path) in text
        assert "restore the keyring from your backup" in text
        assert list(path.parent.iterdir()) == []

        (tmp_path / "backup").rename(path)
        assert read(settings, blob_id) == PLAIN

    def test_a_folder_of_keys_that_is_gone_is_not_made_anew(
        self, settings: Settings, blob_id: str, create: bool
    ) -> None:
        shutil.rmtree(settings.keyring_path().parent)

        self.refused(settings, UnknownKey, create)
        assert not settings.keyring_path().parent.exists()

    def test_another_vaults_keyring_is_refused(
        self, settings: Settings, blob_id: str, create: bool, tmp_path: Path
    ) -> None:
        path, check = settings.keyring_path(), check_of(settings)
        ours = path.read_bytes()
        path.unlink()
        theirs = Keyring.create(path).instance

        text = self.refused(settings, BadKeyring, create)
        assert "is the keyring of another vault" in text
        assert f'the key "k1" (check {check})' in text
        assert Keyring.load(path).instance == theirs

        path.write_bytes(ours)
        assert read(settings, blob_id) == PLAIN

    def test_another_key_under_the_same_name_is_refused(
        self, settings: Settings, blob_id: str, create: bool, tmp_path: Path
    ) -> None:
        path, check = settings.keyring_path(), check_of(settings)
        document = json.loads(path.read_text())
        Keyring.create(tmp_path / "other.json")
        document["keys"] = json.loads((tmp_path / "other.json").read_text())["keys"]
        path.write_text(json.dumps(document))

        text = self.refused(settings, UnknownKey, create)
        assert f'needs the key "k1" (check {check}), which is not in {path}' in text

    def test_a_keyring_from_before_the_last_rotation_is_refused(
        self, settings: Settings, blob_id: str, create: bool
    ) -> None:
        path = settings.keyring_path()
        old = path.read_bytes()
        Keyring.load(path).rotate()
        newest = fill(settings)
        path.write_bytes(old)

        text = self.refused(settings, UnknownKey, create)
        assert 'needs the key "k2" (check ' in text
        assert newest != blob_id

    def test_another_pepper_is_refused_as_no_token_would_be_good(
        self, settings: Settings, blob_id: str, create: bool
    ) -> None:
        path = settings.keyring_path()
        document = json.loads(path.read_text())
        document["pepper"] = base64.b64encode(bytes(32)).decode()
        ours = path.read_bytes()
        path.write_text(json.dumps(document))

        assert "with another pepper than that of" in self.refused(settings, BadKeyring, create)

        path.write_bytes(ours)
        assert read(settings, blob_id) == PLAIN

    def test_a_keyring_that_others_can_read_is_refused_with_the_remedy(
        self, settings: Settings, blob_id: str, create: bool
    ) -> None:
        path = settings.keyring_path()
        path.chmod(0o640)

        assert f"chmod 600 {path}" in self.refused(settings, BadKeyring, create)

        path.chmod(0o600)
        assert read(settings, blob_id) == PLAIN


class TestKeysFromSettings:
    """A keyring need not lie beside the data, nor in a file."""

    def test_a_keyring_file_elsewhere(self, tmp_path: Path) -> None:
        settings = Settings(data=tmp_path / "data", keyring=str(tmp_path / "elsewhere" / "ring.json"))
        blob_id = fill(settings)

        assert (tmp_path / "elsewhere" / "ring.json").stat().st_mode & 0o777 == 0o600
        assert not (tmp_path / "data" / "keys").exists()
        assert read(settings, blob_id) == PLAIN

    def test_the_keyring_itself_as_json(self, settings: Settings, blob_id: str) -> None:
        text = settings.keyring_path().read_text()
        settings.keyring_path().unlink()
        by_json = Settings(data=settings.data, keyring_json=text)

        assert read(by_json, blob_id) == PLAIN
        assert not settings.keyring_path().exists()

    @pytest.fixture(params=["in the setting", "in a file"])
    def with_master_key(self, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
        key = base64.b64encode(bytes(range(32))).decode()
        if request.param == "in the setting":
            return {"master_key": key}
        (tmp_path / "key").write_text(key + "\n")
        return {"master_key_file": str(tmp_path / "key")}

    def test_one_master_key_without_any_keyring(self, tmp_path: Path, with_master_key: dict[str, Any]) -> None:
        settings = Settings(data=tmp_path / "data", **with_master_key)
        blob_id = fill(settings)

        assert not (tmp_path / "data" / "keys").exists()
        assert read(settings, blob_id) == PLAIN

    def test_another_master_key_is_refused_by_its_check(self, tmp_path: Path, with_master_key: dict[str, Any]) -> None:
        fill(Settings(data=tmp_path / "data", **with_master_key))
        other = base64.b64encode(bytes(32)).decode()

        with pytest.raises(UnknownKey, match=r'needs the key "k1" \(check [0-9a-f]{8}\)') as raised:
            open_services(Settings(data=tmp_path / "data", master_key=other))
        assert other not in str(raised.value)

    def test_a_master_key_that_is_forgotten_is_asked_for(self, tmp_path: Path, with_master_key: dict[str, Any]) -> None:
        fill(Settings(data=tmp_path / "data", **with_master_key))

        with pytest.raises(UnknownKey, match='needs the key "k1"'):
            open_services(Settings(data=tmp_path / "data"), create=True)
        assert not (tmp_path / "data" / "keys").exists()

    @pytest.mark.parametrize("text", ["c2hvcnQ=", "no base64 at all", base64.b64encode(bytes(33)).decode()])
    def test_what_is_no_master_key_is_refused_and_not_repeated(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(BadKeyring) as raised:
            open_services(Settings(data=tmp_path / "data", master_key=text), create=True)
        assert text not in str(raised.value)

    def test_a_file_of_the_master_key_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        settings = Settings(data=tmp_path / "data", master_key_file=str(tmp_path / "absent"))

        with pytest.raises(BadKeyring, match=str(tmp_path / "absent")):
            open_services(settings, create=True)


class TestExitStatus:
    """The command line says 3, so that a service manager need not read the text."""

    def test_a_lost_keyring_ends_with_3(
        self, settings: Settings, blob_id: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        check = check_of(settings)
        settings.keyring_path().unlink()

        assert main(["expiry-report", "--data", str(settings.data)]) == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert f'the key "k1" (check {check})' in err

    def test_another_vaults_keyring_ends_with_3(
        self, settings: Settings, blob_id: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        Keyring.create(tmp_path / "other.json")

        assert main(["expiry-report", "--data", str(settings.data), "--keyring", str(tmp_path / "other.json")]) == 3
        assert "another vault" in capsys.readouterr().err
