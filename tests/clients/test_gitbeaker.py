"""@gitbeaker/rest, as `npm install @gitbeaker/rest@43.8.0` brings it: node has to find it, by NODE_PATH if need be."""

from __future__ import annotations

import io
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.programs import reported, works
from tests.harness import ROOT_TOKEN

if TYPE_CHECKING:
    from tests.harness import RunningVault

HERE = Path(__file__).parent
NAME = "certs/distribution/a b.jks"
BRANCH, JOB = "feature/x", "build app"
BYTES = bytes(range(256))
CHECKSUM = sha256(BYTES).hexdigest()

pytestmark = [
    pytest.mark.engine("gitbeaker"),
    pytest.mark.skipif(not works("node", "-e", "require('@gitbeaker/rest')"), reason="node finds no @gitbeaker/rest"),
]


@pytest.fixture(scope="module", params=["token", "oauthToken", "jobToken"])
def told(
    vault: RunningVault, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the client told of a secure file's whole life, with each kind of token."""
    project = vault.project()
    token = (vault.job(vault.root, project["id"])[1] if request.param == "jobToken" else vault.root).token
    assert token
    place = (vault.url, project["path_with_namespace"], str(project["id"]))
    return reported(
        "node", HERE / "gitbeaker.cjs", *place, NAME, request.param, token, cwd=tmp_path_factory.mktemp("node")
    )


class TestSecureFiles:
    def test_go_through_their_whole_life(self, told: dict[str, Any]) -> None:
        made = told["made"]

        assert (made["name"], made["checksum"]) == (NAME, CHECKSUM)
        assert told["shown"] == made
        assert told["all"] == [made]
        assert told["removed"] is None
        assert told["left"] == []

    def test_come_down_as_bytes_and_not_as_text(self, told: dict[str, Any]) -> None:
        assert told["download"] == {"type": "application/octet-stream", "checksum": CHECKSUM}

    def test_say_that_a_name_is_taken_and_that_a_file_is_missing(self, told: dict[str, Any]) -> None:
        assert told["again"] == {"status": 400, "description": '{"name":["has already been taken"]}'}
        assert told["missing"] == {"status": 404, "description": "404 Not found"}

    def test_know_their_pages(self, told: dict[str, Any]) -> None:
        pages = {"total": 1, "next": None, "current": 1, "previous": None, "perPage": 1, "totalPages": 1}

        assert told["first"] == pages


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("out/app.bin", BYTES)
    return packed.getvalue()


@pytest.fixture(scope="module")
def families(vault: RunningVault, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client told of the other families."""
    project, content = vault.project(), archive()
    made, job = vault.job(vault.root, project["id"], name=JOB, ref=BRANCH)
    path = f"/jobs/{made['id']}"
    assert job.post(f"{path}/artifacts", files={"file": ("artifacts.zip", content)}).status == 201
    assert job.put(path, json={"state": "success"}).status == 200
    place = (vault.url, project["path_with_namespace"])
    script = HERE / "gitbeaker_families.cjs"
    told = reported(
        "node", script, *place, ROOT_TOKEN, BRANCH, str(made["id"]), JOB, cwd=tmp_path_factory.mktemp("node")
    )
    return {**told, "archive": sha256(content).hexdigest()}


class TestMarkdownUploads:
    def test_come_back_by_id_and_by_secret(self, families: dict[str, Any]) -> None:
        assert families["uploads.made"]["markdown"].startswith("![screen_shot](/uploads/")
        assert families["uploads.all"] == ["screen_shot.png"]
        assert families["uploads.byId"] == families["uploads.bySecret"] == CHECKSUM

    def test_are_removed_by_both(self, families: dict[str, Any]) -> None:
        assert families["uploads.left"] == []


class TestRepositoryFiles:
    def test_are_made_shown_changed_and_removed(self, families: dict[str, Any]) -> None:
        assert families["files.made"]["branch"] == BRANCH
        assert families["files.shown"]["file_path"] == "app/a b.key"
        assert families["files.raw"] == sha256(b"one\ntwo\n").hexdigest()
        assert families["files.rawBinary"] == CHECKSUM
        assert families["files.missing"]["status"] == 404

    def test_are_blamed_by_lines(self, families: dict[str, Any]) -> None:
        assert families["files.blamed"] == [["two"]]

    def test_that_are_there_say_so(self, families: dict[str, Any]) -> None:
        assert families["files.taken"] == {"status": 400, "description": "A file with this name already exists"}


class TestJobArtifacts:
    def test_come_whole_by_job_and_by_branch(self, families: dict[str, Any]) -> None:
        assert families["artifacts.byJob"] == families["artifacts.byRef"] == families["archive"]

    def test_come_one_by_one(self, families: dict[str, Any]) -> None:
        assert families["artifacts.fileByJob"] == families["artifacts.fileByRef"] == CHECKSUM

    def test_are_kept_and_removed(self, families: dict[str, Any]) -> None:
        assert families["artifacts.kept"] is None
        assert families["artifacts.missing"]["status"] == 404
        assert families["artifacts.allRemoved"] == {"message": "202 Accepted"}
