"""`verify`: what it prints, and what its exit status says."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import Outcome, Serving, run
from tests.engines import files
from tests.filled import fill
from tests.reliability.stored import file_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = files


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("filled") / "data"
    fill(data)
    return data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "data")


def verify(data: Path, *argv: str | Path) -> Outcome:
    return run("verify", "--data", data, *argv)


def damage(data: Path) -> Path:
    file = file_of(data, 2)
    file.write_bytes(file.read_bytes()[:-1] + b"\x00\x00")
    return file


class TestVerify:
    def test_of_a_whole_vault_prints_what_was_looked_at(self, data: Path) -> None:
        told = verify(data)

        assert (told.status, told.err) == (0, "")
        lines = [line.split() for line in told.out.splitlines()]
        assert lines[0] == ["CHECK", "LOOKED", "AT", "MIB", "DAMAGED", "UNCHECKED"]
        assert {line[0] for line in lines[1:]} >= {"keyring", "catalog", "files", "store", "repositories"}

    def test_names_what_is_damaged_and_exits_with_1(self, data: Path) -> None:
        file = damage(data)

        told = verify(data)

        assert told.status == 1
        assert f"damage: secure file 2 of project 1: object {file.name} (key k1): 300001 bytes are stored" in told.out
        assert told.err.startswith("secure-files: 1 damaged; ")

    def test_may_be_json(self, data: Path) -> None:
        file = damage(data)

        told = json.loads(verify(data, "--format", "json").out)

        assert told["clean"] is False
        assert [each["object"] for each in told["findings"]] == [file.name]

    def test_works_beside_a_running_server(self, data: Path, tmp_path: Path) -> None:
        with Serving("--data", data, cwd=tmp_path):
            assert verify(data).status == 0

    def test_takes_a_sample_a_time_and_a_rate(self, data: Path) -> None:
        for argv in (("--sample", "50%"), ("--since", "7d"), ("--since", "2020-01-31"), ("--rate", "500M")):
            assert verify(data, *argv).status == 0

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            *(("--sample", share) for share in ("5", "0%", "101%")),
            *(("--since", time) for time in ("soon", "never")),
            *(("--rate", rate) for rate in ("0", "fast", "-5M")),
            ("--format", "xml"),
        ],
    )
    def test_of_an_option_that_cannot_be_understood_exits_with_2(self, data: Path, option: str, value: str) -> None:
        assert verify(data, f"{option}={value}").status == 2

    def test_of_what_cannot_be_looked_at_exits_with_2(self, data: Path, tmp_path: Path) -> None:
        """No vault at all; then a store that is none."""
        assert verify(tmp_path / "nothing").status == 2
        assert verify(data, "--blobs", data / "catalog.sqlite" / "blobs").status == 2
        assert not (tmp_path / "nothing").exists()

    def test_without_the_keyring_exits_with_3(self, data: Path) -> None:
        (data / "keys" / "keyring.json").unlink()

        told = verify(data)

        assert told.status == 3
        assert 'needs the key "k1"' in told.err
