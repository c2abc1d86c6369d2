"""A vault whose master key lies in an outside service: moving there and back, and a service that is away."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from server.wiring import open_services
from tests.cli.runner import Outcome, run
from tests.harness import RunningVault
from tests.keyservices import Aws, Bao, needs_bao
from tests.relay import Relay
from tests.vault.core import LARGE
from vault.crypto import outside
from vault.errors import Unavailable, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENTS = {"small.bin": os.urandom(100), "large.bin": os.urandom(LARGE)}


@dataclass
class Service:
    """A key at a service, behind a wire that can be cut, and the settings that name it."""

    settings: dict[str, str]
    wire: Relay
    kind: str
    owner: Bao | Aws
    key: str

    def rotate(self) -> None:
        """Have the service wrap with something newer."""
        if isinstance(self.owner, Bao):
            self.owner("POST", f"transit/keys/{self.key}/rotate")
        else:
            self.owner.client.update_alias(AliasName=self.key, TargetKeyId=self.owner.key())


@pytest.fixture(params=[pytest.param("transit", marks=needs_bao), "aws"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """One key of each kind of service."""
    if request.param == "transit":
        bao: Bao = request.getfixturevalue("bao")
        with Relay(f"http://{bao.address}") as wire:
            key = bao.key()
            url = f"vault-transit+http://{wire.url.removeprefix('http://')}/transit/{key}"
            yield Service({"kms": url, "kms_token": bao.token(key)}, wire, "vault-transit:", bao, key)
        return
    aws: Aws = request.getfixturevalue("aws")
    with Relay(aws.endpoint) as wire:
        key = aws.alias(aws.key())
        url = f"aws-kms://eu-west-1/{key}?endpoint={wire.url}"
        yield Service({"kms": url}, wire, "aws-kms:", aws, key)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def filled(vault: RunningVault) -> None:
    """Upload files of both kinds to a new project."""
    vault.project()
    for name, content in CONTENTS.items():
        assert vault.root.upload(1, name, content).status == 201


def is_whole(vault: RunningVault) -> bool:
    """Say whether every file comes as it was sent, to a token that was made at the beginning."""
    downs = [vault.root.get(f"/projects/1/secure_files/{number}/download") for number in (1, 2)]
    assert [down.status for down in downs] == [200, 200], downs
    return [down.body for down in downs] == list(CONTENTS.values())


def keys(data: Path, settings: dict[str, str], *words: str) -> Outcome:
    """Run `keys` with these settings in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"SECURE_FILES_{name.upper()}", value)
        return run("keys", *words, "--data", data)


def listed(data: Path, settings: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {key["id"]: key for key in json.loads(keys(data, settings, "list", "--format", "json").out)}


class TestANewVault:
    def test_keeps_no_key_on_its_disk_and_opens_again(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings) as vault:
            filled(vault)
        with RunningVault(data, **service.settings) as again:
            assert is_whole(again)

        assert not (data / "keys").exists()
        (key,) = listed(data, service.settings).values()
        assert key["id"].startswith(service.kind)
        assert (key["state"], key["files"], key["needed"]) == ("active", 2, True)

    def test_3_and_the_key_by_name_when_the_service_is_left_out(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings) as vault:
            filled(vault)

        outcome = keys(data, {}, "list")
        assert outcome.status == 3
        assert f'needs the key "{service.kind}' in outcome.err
        with pytest.raises(UnknownKey):
            RunningVault(data).__enter__()
        assert not (data / "keys").exists()


class TestMoving:
    def test_a_keyring_gives_way_to_a_service_while_files_are_read(self, data: Path, service: Service) -> None:
        with RunningVault(data) as vault:
            filled(vault)
        with RunningVault(data, **service.settings) as vault:
            assert keys(data, service.settings, "rewrap").out.startswith("re-wrapped 2 files under ")
            assert is_whole(vault)
            assert vault.root.upload(1, "new", b"new").status == 201
            retired = keys(data, service.settings, "retire", "k1")
            assert (retired.status, retired.out) == (0, 'retired "k1"\n')
            assert is_whole(vault)

        assert not (data / "keys" / "keyring.json").exists()
        with RunningVault(data, **service.settings) as again:
            assert is_whole(again)

    def test_and_a_service_to_a_keyring(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings) as vault:
            filled(vault)
        (old,) = listed(data, service.settings)
        leaving = {**service.settings, "kms": "", "kms_also": service.settings["kms"]}
        with pytest.raises(UnknownKey, match="secure-files keys rotate"):
            RunningVault(data, **leaving).__enter__()

        assert keys(data, leaving, "rotate").out == '"k1" wraps new files from now on\n'
        with RunningVault(data, **leaving) as vault:
            assert keys(data, leaving, "rewrap").out == 're-wrapped 2 files under "k1"\n'
            assert is_whole(vault)
        retired = keys(data, leaving, "retire", old)
        assert retired.status == 0, retired
        assert "disable it, where it is kept" in retired.err
        with RunningVault(data) as again:
            assert is_whole(again)
        assert list(listed(data, {})) == ["k1"]

    def test_what_the_service_rotated_is_followed_by_a_rewrap(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings) as vault:
            filled(vault)
            (old,) = listed(data, service.settings)
            service.rotate()
            assert vault.root.upload(1, "new", b"new").status == 201
            assert [key["files"] for key in listed(data, service.settings).values()].count(2) == 1
            refused = keys(data, service.settings, "retire", old)
            assert refused.status == 1
            assert "2 files are still wrapped under" in refused.err

            assert keys(data, service.settings, "rewrap").out.startswith("re-wrapped 2 files under ")
            assert keys(data, service.settings, "retire", old).status == 0
            assert is_whole(vault)

    def test_tells_that_a_key_of_a_service_is_rotated_there(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings):
            outcome = keys(data, service.settings, "rotate")

        assert outcome.status == 3
        assert "rotate it there, then run `secure-files keys rewrap`" in outcome.err

    def test_a_secret_behind_the_tokens_holds_its_key_as_files_do(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings):
            (old,) = listed(data, service.settings)
        service.rotate()

        refused = keys(data, service.settings, "retire", old)
        assert refused.status == 1
        assert "the secret behind the tokens is still wrapped under" in refused.err
        assert keys(data, service.settings, "rewrap").status == 0
        assert keys(data, service.settings, "retire", old).status == 0


class TestAway:
    def test_is_a_503_to_try_again_after_and_nothing_is_lost(
        self, data: Path, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outside, "KEPT_SECONDS", 0.0)
        with RunningVault(data, **service.settings) as vault:
            filled(vault)
            service.wire.cut()
            for name, content in CONTENTS.items():
                answers = [
                    vault.root.upload(1, f"more-{name}", content),
                    vault.root.get(f"/projects/1/secure_files/{list(CONTENTS).index(name) + 1}/download"),
                ]
                for answer in answers:
                    assert (answer.status, answer.headers.get("Retry-After")) == (503, "5"), answer
            assert vault.root.get("/projects/1/secure_files").status == 200
            assert len(list(vault.services.blobs.ids())) == 1

            service.wire.restore()
            assert is_whole(vault)
            assert vault.root.upload(1, "again", b"again").status == 201

    def test_what_was_read_just_before_can_be_read_once_more(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings) as vault:
            filled(vault)
            assert is_whole(vault)
            service.wire.cut()

            assert is_whole(vault)

    def test_keeps_a_start_from_succeeding_until_it_is_back(self, data: Path, service: Service) -> None:
        with RunningVault(data, **service.settings) as vault:
            filled(vault)
            settings = vault.settings
        service.wire.cut()
        with pytest.raises(Unavailable, match="the key service at"):
            open_services(settings)
        assert keys(data, service.settings, "list").status == 5

        service.wire.restore()
        with RunningVault(data, **service.settings) as again:
            assert is_whole(again)

    def test_ends_a_rewrap_with_what_was_done_so_far(self, data: Path, service: Service) -> None:
        with RunningVault(data) as vault:
            filled(vault)
        with RunningVault(data, **service.settings) as vault:
            service.wire.cut()
            assert keys(data, service.settings, "rewrap").status == 5
            assert is_whole(vault)
            service.wire.restore()
            assert keys(data, service.settings, "rewrap").status == 0
            assert is_whole(vault)
