"""An answer stays below two megabytes, whatever the files on its page hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.parsers import building as b
from tests.server.support import files_of, sample

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

LIMIT = 2_000_000
LONG = b.certificate(b.name("n" * 400))


def keystore(entries: int) -> bytes:
    return b.jks(*(b.jks_trusted(b"c%d" % number, LONG) for number in range(entries)))


@pytest.fixture(scope="module")
def full(vault: RunningVault) -> dict[str, Any]:
    """A project with four keystores that take 900 kB each to tell of, one of 40 kB, and a certificate."""
    project = vault.project()
    for number in range(4):
        assert vault.root.upload(project["id"], f"{number}.jks", keystore(500)).json["metadata_error"] is None
    vault.root.upload(project["id"], "middle.jks", keystore(20))
    vault.root.upload(project["id"], "small.cer", sample("sample.cer"))
    return project


@pytest.fixture(params=["of a project", "across projects"])
def listed(request: pytest.FixtureRequest, vault: RunningVault, full: dict[str, Any]) -> Answer:
    path = files_of(full) if request.param == "of a project" else "/secure_files"
    return vault.root.get(f"{path}?per_page=100")


def named(answer: Answer, name: str) -> dict[str, Any]:
    return next(dict(file) for file in answer.json if file["name"] == name)


class TestALongList:
    def test_has_all_files_in_less_than_two_megabytes(self, listed: Answer) -> None:
        assert len(listed.json) == 6
        assert len(listed.body) < LIMIT

    def test_leaves_entries_out_of_the_largest_and_says_so(self, listed: Answer) -> None:
        """As many as it takes; what else is known of them stays."""
        short = [file for file in listed.json if "entries" not in file["metadata"]]

        assert {file["name"] for file in short} > {"small.cer"}
        for file in short:
            if file["name"] != "small.cer":
                assert file["metadata"]["entries_truncated"] is True
                assert file["expires_at"] == file["metadata"]["expires_at"]
                assert file["metadata"]["kind"] == "jks"

    def test_leaves_the_others_whole(self, vault: RunningVault, full: dict[str, Any], listed: Answer) -> None:
        for name in ("middle.jks", "small.cer"):
            found = named(listed, name)
            alone = vault.root.get(f"{files_of(full)}/{found['id']}").json
            assert found["metadata"] == alone["metadata"]

    def test_one_file_is_told_whole(self, vault: RunningVault, full: dict[str, Any], listed: Answer) -> None:
        found = vault.root.get(f"{files_of(full)}/{named(listed, '0.jks')['id']}").json

        assert len(found["metadata"]["entries"]) == 500
        assert "entries_truncated" not in found["metadata"]


class TestAShortList:
    def test_is_whole(self, vault: RunningVault, full: dict[str, Any]) -> None:
        """A page of one such file."""
        found = vault.root.get(f"{files_of(full)}?name=0.jks").json

        assert len(found[0]["metadata"]["entries"]) == 500
