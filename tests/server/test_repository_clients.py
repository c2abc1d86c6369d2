"""python-gitlab, unmodified, on repository files."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import gitlab
import pytest

from tests.harness import ROOT_TOKEN

if TYPE_CHECKING:
    from tests.harness import RunningVault


@pytest.fixture(scope="module")
def project(vault: RunningVault) -> Any:
    client = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN)
    return client.projects.create({"name": "python-gitlab", "initialize_with_readme": True})


class TestPythonGitlab:
    def test_walks_a_file_through_its_life(self, project: Any) -> None:
        made = project.files.create(
            {"file_path": "app/key one.rb", "branch": "main", "content": "one\n", "commit_message": "create"}
        )
        assert made.file_path == "app/key one.rb"

        file = project.files.get(file_path="app/key one.rb", ref="main")
        assert file.decode() == b"one\n"
        file.content = base64.b64encode(b"\x00two\n").decode()
        file.save(branch="main", commit_message="update", encoding="base64")

        assert project.files.raw(file_path="app/key one.rb") == b"\x00two\n"
        assert project.files.raw(file_path="app/key one.rb", ref="main~1") == b"one\n"
        assert project.files.head("app/key one.rb", ref="main")["X-Gitlab-Size"] == "5"
        [blamed] = project.files.blame(file_path="app/key one.rb", ref="main")
        assert blamed["commit"]["message"] == "update"

        project.files.delete(file_path="app/key one.rb", branch="main", commit_message="delete")
        with pytest.raises(gitlab.GitlabGetError, match="404 File Not Found"):
            project.files.get(file_path="app/key one.rb", ref="main")

    def test_hears_why_a_commit_is_refused(self, project: Any) -> None:
        with pytest.raises(gitlab.GitlabCreateError, match="400: A file with this name already exists"):
            project.files.create(
                {"file_path": "README.md", "branch": "main", "content": "x", "commit_message": "again"}
            )

    def test_makes_a_branch_with_a_file(self, project: Any) -> None:
        fields = {"file_path": "x", "branch": "topic", "start_branch": "main", "content": "", "commit_message": "m"}

        project.files.create(fields)

        assert project.files.get("x", "topic").size == 0
