"""A CI job as the commands for pipelines find it: its variables, its folder, and waits that only are noted down."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cli import transfer
from cli.patience import Patience
from tests.cli.between import Between

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import RunningVault

PIPELINE = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN", "PRIVATE_TOKEN")


class Job:
    """Sets the variables that GitLab sets in a job, for a project of a running vault."""

    def __init__(self, vault: RunningVault, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.vault = vault
        self.folder = folder
        self._patch = patch
        self.project = vault.project()
        self.id: int = self.project["id"]
        self.waits: list[float] = []
        _, client = vault.job(vault.root, self.id)
        assert client.token
        self.token = client.token
        for name in (*PIPELINE, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        self.set(CI_API_V4_URL=f"{vault.url}/api/v4", CI_PROJECT_ID=str(self.id), CI_JOB_TOKEN=self.token)
        patch.chdir(folder)
        patch.setattr(transfer, "Patience", partial(Patience, sleep=self.waits.append, draw=max))

    def set(self, **variables: str | None) -> None:
        """Set variables; None takes one away."""
        for name, text in variables.items():
            if text is None:
                self._patch.delenv(name, raising=False)
            else:
                self._patch.setenv(name, text)

    def variables(self) -> dict[str, str]:
        """Return the variables of the job, for a process of its own."""
        return {name: os.environ[name] for name in PIPELINE if name in os.environ}

    def put(self, name: str, content: bytes = b"content") -> int:
        """Put a secure file into the project and return its id."""
        answer = self.vault.root.upload(self.id, name, content)
        assert answer.status == 201, answer
        return int(answer.json["id"])

    def stored(self) -> dict[str, bytes]:
        """Return what the project holds."""
        path = f"/projects/{self.id}/secure_files"
        rows = self.vault.root.get(f"{path}?per_page=100").json
        return {row["name"]: self.vault.root.get(f"{path}/{row['id']}/download").body for row in rows}


@pytest.fixture
def job(vault: RunningVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job of a new project, in an empty folder."""
    return Job(vault, tmp_path, monkeypatch)


@pytest.fixture
def between(job: Job) -> Iterator[Between]:
    """A server between the job and its vault."""
    with Between(job.vault.url) as server:
        job.set(CI_API_V4_URL=f"{server.url}/api/v4")
        yield server


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
