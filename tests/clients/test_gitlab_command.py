"""python-gitlab's command `gitlab`, unmodified: every command it has for the four families.

Two are not here, which fail in themselves (8.6.0) before they ask any server: `project-job artifact` takes no path, and
`project-artifact delete` hands its library one thing too many.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.ci import FILES, ZIP, Ci

if TYPE_CHECKING:
    from tests.harness import RunningVault

PROGRAM = Path(sys.executable).parent / "gitlab"


@dataclass
class Command:
    """The program, logged in, for one project."""

    vault: RunningVault
    project: str
    home: Path
    login: tuple[str, str] = ("--private-token", ROOT_TOKEN)

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run it with nothing of this machine's configuration."""
        return subprocess.run(
            [PROGRAM, "--server-url", self.vault.url, *self.login, "--output", "json", *words],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            capture_output=True,
            check=False,
            timeout=60,
        )

    def __call__(self, resource: str, action: str, *words: str) -> bytes:
        """Return what an action on something of the project prints; it has to succeed."""
        done = self.run(resource, action, "--project-id", self.project, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


@pytest.fixture
def command(vault: RunningVault, project: dict[str, Any], tmp_path: Path) -> Command:
    """The program for a project that is named by its path."""
    return Command(vault, project["path_with_namespace"], tmp_path)


def test_secure_files(command: Command, tmp_path: Path) -> None:
    (tmp_path / "release.jks").write_bytes(b"\x00\xff keystore")
    kind = "project-secure-file"

    made = json.loads(command(kind, "create", "--name", "keys/release.jks", "--file", f"@{tmp_path}/release.jks"))
    one = ("--id", str(made["id"]))
    assert made["name"] == "keys/release.jks"
    assert [each["id"] for each in json.loads(command(kind, "list", "--get-all"))] == [made["id"]]
    assert json.loads(command(kind, "get", *one)) == made
    assert command(kind, "download", *one) == b"\x00\xff keystore"
    command(kind, "delete", *one)

    gone = command.run(kind, "get", "--project-id", command.project, *one)
    assert (gone.returncode, gone.stderr) == (1, b"Impossible to get object (404: 404 Not found)\n")


def test_an_upload(command: Command, project: dict[str, Any], tmp_path: Path) -> None:
    """By number: the command does not escape a path here."""
    (tmp_path / "a").write_bytes(b"bytes")
    words = ("--filename", "dk.png", "--filepath", str(tmp_path / "a"))

    done = command.run("project", "upload", "--id", str(project["id"]), *words)

    made = json.loads(done.stdout)
    assert made["markdown"] == f"![dk]({made['url']})"
    assert command.vault.root.get(made["full_path"]).body == b"bytes"


def test_repository_files(command: Command) -> None:
    file, kind = ("--file-path", "app/models/key.rb"), "project-file"
    commit = (*file, "--branch", "main", "--commit-message", "m")

    command(kind, "create", *commit, "--content", "one\n")
    command(kind, "update", *commit, "--content", "two\n")
    found = json.loads(command(kind, "get", *file, "--ref", "main"))
    assert (found["file_name"], found["content"]) == ("key.rb", "dHdvCg==")
    assert command(kind, "raw", *file) == command(kind, "raw", *file, "--ref", "main") == b"two\n"
    assert json.loads(command(kind, "blame", *file, "--ref", "main"))[0]["lines"] == ["two"]
    command(kind, "delete", *commit)

    gone = command.run(kind, "get", "--project-id", command.project, *file, "--ref", "main")
    assert (gone.returncode, gone.stderr) == (1, b"Impossible to get object (404: 404 File Not Found)\n")


def test_artifacts_of_a_job(command: Command, ci: Ci) -> None:
    number = ci.job()
    one = ("--id", str(number))

    assert [each["id"] for each in json.loads(command("project-job", "list", "--get-all"))] == [number]
    assert json.loads(command("project-job", "get", *one))["artifacts_file"]["size"] == len(ZIP)
    assert command("project-job", "artifacts", *one) == ZIP
    command("project-job", "keep-artifacts", *one)
    assert json.loads(command("project-job", "get", *one))["artifacts_expire_at"] is None
    command("project-job", "delete-artifacts", *one)

    assert ci.vault.root.get(ci.archive(number)).status == 404


def test_artifacts_of_a_ref(command: Command, ci: Ci) -> None:
    ci.job(ref="feature/x")
    words = ("--ref-name", "feature/x", "--job", "build")
    entry = ("--artifact-path", "some/release/file.pdf")
    personal, job = command.login, ("--job-token", ci.running()[1].token)

    for command.login in (personal, job):
        assert command("project-artifact", "download", *words) == ZIP
        assert command("project-artifact", "raw", *words, *entry) == FILES["some/release/file.pdf"]
