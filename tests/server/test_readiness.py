"""Readiness says what is wrong, each thing by itself; liveness only that the process turns."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from server import readiness
from server.offload import Offload
from server.readiness import Readiness, full_disk
from tests.engines import files
from tests.harness import RunningVault
from tests.parsers.broken_python import no_interpreter
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKS = ("catalog", "blobs", "keyring", "parsers", "disk", "audit")
MIB = 1024 * 1024


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningVault]:
    """A vault that may be broken."""
    with RunningVault(tmp_path / "data") as running:
        yield running


def failed(vault: RunningVault) -> dict[str, str]:
    """Return what is wrong, by check."""
    answer = vault.nobody.get("/-/readiness")
    assert (answer.status == 200) == (answer.json["status"] == "ok")
    found = {name: answer.json[f"{name}_check"][0].get("message", "") for name in CHECKS}
    wrong = {name: message for name, message in found.items() if message}
    assert answer.json["master_check"][0].get("message", "") == "; ".join(wrong.values())
    return wrong


class TestServer:
    def test_says_of_each_check_that_it_is_well(self, vault: RunningVault) -> None:
        answer = vault.nobody.get("/-/readiness")

        assert answer.status == 200
        assert answer.json == {"status": "ok", **{f"{name}_check": [{"status": "ok"}] for name in ("master", *CHECKS)}}

    def test_names_a_keyring_that_is_gone(self, own: RunningVault) -> None:
        place = own.settings.keyring_path()
        place.rename(place.with_suffix(".away"))
        assert failed(own) == {"keyring": "the keyring cannot be read any more; restore it from your backup"}

        place.with_suffix(".away").rename(place)
        assert failed(own) == {}

    @files
    def test_names_a_store_that_is_not_mounted(self, own: RunningVault) -> None:
        blobs = own.settings.data / "blobs"
        blobs.rename(blobs.with_name("away"))

        assert failed(own)["blobs"] == "the blob store does not answer: the blob folder is not there"

    def test_names_a_catalog_that_does_not_answer(self, own: RunningVault) -> None:
        own.services.database.close()

        assert failed(own)["catalog"] == "the catalog does not answer: the catalog is closed"

    def test_names_parsers_that_do_not_start(self, own: RunningVault, monkeypatch: pytest.MonkeyPatch) -> None:
        project = own.project()
        no_interpreter(monkeypatch)
        assert own.root.upload(project["id"], "a", b"x").status == 201
        assert failed(own) == {"parsers": "no parser process starts"}

        monkeypatch.undo()
        own.root.upload(project["id"], "b", b"x")
        assert failed(own) == {}

    def test_tells_the_log_once_what_is_wrong_and_when_it_is_over(
        self, own: RunningVault, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "secure_files.server")
        place = own.settings.keyring_path()
        place.rename(place.with_suffix(".away"))
        failed(own), failed(own)
        place.with_suffix(".away").rename(place)
        failed(own), failed(own)

        said = [record.getMessage() for record in caplog.records if "ready" in record.getMessage()]
        assert len(said) == 2
        assert said[0].startswith("not ready: the keyring cannot be read")
        assert said[1] == "ready again"


class TestChecks:
    async def test_that_raise_are_what_is_wrong(self) -> None:
        def away() -> str:
            raise Unavailable("it is away")

        def broken() -> str:
            raise KeyError("secret")

        offload = Offload(2)
        found = await Readiness(offload, {"a": away, "b": broken, "c": lambda: ""}).problems()
        offload.close()

        assert found == {"a": "it is away", "b": "b: the check failed, see the log", "c": ""}

    async def test_that_hang_are_wrong_too_and_are_not_begun_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(readiness, "PATIENCE", 0.05)
        end, begun = threading.Event(), []

        def hanging() -> str:
            begun.append(1)
            end.wait(20)
            return ""

        offload = Offload(2)
        checks = Readiness(offload, {"store": hanging})
        found = [await checks.problems() for _ in range(3)]
        end.set()
        offload.close()

        assert found == [{"store": "store: no answer in 0 s"}] * 3
        assert len(begun) == 1


def statvfs(free: int, size: int, **more: int) -> os.statvfs_result:
    """Return what the system says of a disk with blocks of 1 KiB."""
    fields: dict[str, Any] = {"f_files": 100, "f_favail": 100, "f_flag": 0, **more}
    return os.statvfs_result(
        (1024, 1024, size // 1024, free // 1024, free // 1024, *(fields[name] for name in ("f_files", "f_favail")),
         fields["f_favail"], fields["f_flag"], 255)
    )  # fmt: skip


class TestDisk:
    @pytest.mark.parametrize(
        ("free", "size", "well"),
        [
            (64 * MIB, 100_000 * MIB, True),
            (63 * MIB, 100_000 * MIB, False),
            (MIB, 48 * MIB, True),
            (MIB // 4, 48 * MIB, False),
            (0, 48 * MIB, False),
        ],
    )
    def test_is_full_below_64_mib_or_a_hundredth(
        self, free: int, size: int, well: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "statvfs", lambda _: statvfs(free, size))

        assert (full_disk([("data", tmp_path)]) == "") is well

    def test_that_cannot_be_written_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "statvfs", lambda _: statvfs(MIB * 1000, MIB * 1000, f_flag=os.ST_RDONLY))

        assert full_disk([("blobs", tmp_path)]) == "the disk of the blobs is read-only"

    def test_without_a_place_for_another_file_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "statvfs", lambda _: statvfs(MIB * 1000, MIB * 1000, f_favail=0))

        assert full_disk([("data", tmp_path)]) == "the disk of the data has no room for another file"

    def test_that_is_gone_is_named_without_its_path(self, tmp_path: Path) -> None:
        found = full_disk([("data", tmp_path / "secret-place")])

        assert found == "the disk of the data does not answer: No such file or directory"
