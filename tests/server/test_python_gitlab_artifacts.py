"""python-gitlab's own calls for uploads and artifacts, unmodified."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING, Any

import gitlab
import pytest

from tests.server.ci import FILES, ZIP, Ci

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import RunningVault


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


@pytest.fixture
def api(ci: Ci) -> Any:
    """The project as python-gitlab has it."""
    return gitlab.Gitlab(ci.vault.url, private_token=ci.vault.root.token).projects.get(ci.project["id"])


class TestUploads:
    def test_of_bytes_and_of_a_file(self, api: Any, ci: Ci, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_bytes(b"notes")

        picture = api.upload("dk.png", filedata=b"\x89PNG")
        notes = api.upload("notes.txt", filepath=str(tmp_path / "notes.txt"))

        assert (picture["alt"], picture["markdown"]) == ("dk", f"![dk]({picture['url']})")
        assert notes["markdown"] == f"[notes.txt]({notes['url']})"
        assert ci.vault.root.get(notes["full_path"]).body == b"notes"


class TestArtifacts:
    def test_of_a_ref(self, api: Any, ci: Ci) -> None:
        ci.job(ref="feature/x")

        whole = api.artifacts.download(ref_name="feature/x", job="build")
        entry = api.artifacts.raw("feature/x", "some/release/file.pdf", "build")

        assert zipfile.ZipFile(io.BytesIO(whole)).namelist() == list(FILES)
        assert entry == FILES["some/release/file.pdf"]

    def test_of_a_job(self, api: Any, ci: Ci) -> None:
        job = api.jobs.get(ci.job())

        assert job.artifacts() == ZIP
        assert job.artifact("report.json") == FILES["report.json"]
        assert job.artifacts_file["size"] == len(ZIP)

    def test_in_pieces(self, api: Any, ci: Ci) -> None:
        pieces: list[bytes] = []

        api.jobs.get(ci.job()).artifacts(streamed=True, action=pieces.append)

        assert b"".join(pieces) == ZIP

    def test_with_a_job_token(self, ci: Ci) -> None:
        ci.job()
        _, client = ci.running(ref="other")
        api = gitlab.Gitlab(ci.vault.url, job_token=client.token).projects.get(ci.project["id"], lazy=True)

        assert api.artifacts.download("main", "build") == ZIP

    def test_that_are_not_there_say_why(self, api: Any, ci: Ci) -> None:
        with pytest.raises(gitlab.GitlabGetError, match="no pipeline of main has succeeded") as caught:
            api.artifacts.download("main", "build")

        assert caught.value.response_code == 404

    def test_are_kept_and_deleted(self, api: Any, ci: Ci) -> None:
        job = api.jobs.get(ci.job(query="?expire_in=1h"))

        job.keep_artifacts()
        assert api.jobs.get(job.id).artifacts_expire_at is None
        job.delete_artifacts()
        with pytest.raises(gitlab.GitlabGetError):
            job.artifacts()

    def test_of_a_project_are_deleted(self, api: Any, ci: Ci) -> None:
        ci.job("failed", left=gzip.compress(b"no zip"))

        api.artifacts.delete()

        ci.vault.services.retention.sweep()
        assert api.jobs.list()[0].attributes["artifacts"] == []
