"""Every curl line of GitLab's documents on Markdown uploads and job artifacts, run by curl against a running vault."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.ci import FILES, ZIP, Ci

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import RunningVault

pytestmark = [
    pytest.mark.engine("curl"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here"),
]
PNG = b"\x89PNG\r\n\x1a\n picture"


@dataclass(frozen=True)
class Answer:
    """What curl got."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Shell:
    """Runs a documented line in a folder, its placeholders filled in; a file it writes is the body."""

    vault: RunningVault
    folder: Path

    def run(self, line: str, **values: object) -> Answer:
        line = line.replace("https://gitlab.example.com", self.vault.url)
        line = line.replace("<your_access_token>", str(self.vault.root.token))
        for name, value in values.items():
            line = line.replace(f"<{name}>", str(value))
        words = [*shlex.split(line), "--silent", "--show-error", "--write-out", "%{stderr}%{http_code}"]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, check=True, timeout=60)
        written = self.folder / "artifacts.zip"
        return Answer(int(done.stderr), written.read_bytes() if written.exists() else done.stdout)


@pytest.fixture
def shell(vault: RunningVault, tmp_path: Path) -> Shell:
    return Shell(vault, tmp_path)


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


class TestMarkdownUploads:
    TOKEN = '--header "PRIVATE-TOKEN: <your_access_token>"'
    UPLOADS = "https://gitlab.example.com/api/v4/projects/<project>/uploads"

    def upload(self, shell: Shell, ci: Ci, name: str = "dk.png") -> Any:
        (shell.folder / name).write_bytes(PNG)
        line = f'curl --request POST {self.TOKEN} --form "file=@{name}" "{self.UPLOADS}"'
        answer = shell.run(line, project=ci.project["id"])
        assert answer.status == 201
        return answer.json

    def test_upload_a_file(self, shell: Shell, ci: Ci) -> None:
        made = self.upload(shell, ci)

        assert set(made) == {"id", "alt", "url", "full_path", "markdown"}
        assert made["markdown"] == f"![dk]({made['url']})"

    def test_list_uploads(self, shell: Shell, ci: Ci) -> None:
        made = self.upload(shell, ci)

        answer = shell.run(f'curl {self.TOKEN} "{self.UPLOADS}"', project=ci.project["id"])

        assert answer.status == 200
        assert [(each["id"], each["size"], each["filename"]) for each in answer.json] == [
            (made["id"], len(PNG), "dk.png")
        ]

    def test_download_by_id(self, shell: Shell, ci: Ci) -> None:
        made = self.upload(shell, ci)

        answer = shell.run(f'curl {self.TOKEN} "{self.UPLOADS}/<upload>"', project=ci.project["id"], upload=made["id"])

        assert answer == Answer(200, PNG)

    def test_download_by_secret(self, shell: Shell, ci: Ci) -> None:
        secret = self.upload(shell, ci, "sample.jpg")["url"].split("/")[2]

        line = f'curl {self.TOKEN} "{self.UPLOADS}/<secret>/sample.jpg"'
        assert shell.run(line, project=ci.project["id"], secret=secret) == Answer(200, PNG)

    def test_delete_by_id(self, shell: Shell, ci: Ci) -> None:
        made = self.upload(shell, ci)

        line = f'curl --request DELETE {self.TOKEN} "{self.UPLOADS}/<upload>"'
        assert shell.run(line, project=ci.project["id"], upload=made["id"]) == Answer(204, b"")

    def test_delete_by_secret(self, shell: Shell, ci: Ci) -> None:
        secret = self.upload(shell, ci, "sample.jpg")["url"].split("/")[2]

        line = f'curl --request DELETE {self.TOKEN} "{self.UPLOADS}/<secret>/sample.jpg"'
        assert shell.run(line, project=ci.project["id"], secret=secret) == Answer(204, b"")


class TestJobArtifacts:
    """The lines download; in those with a job token it is that of a job that runs."""

    TO_FILE = "curl --location --output artifacts.zip"
    PERSONAL = '--header "PRIVATE-TOKEN: <your_access_token>"'
    OF_JOB = "--header 'JOB-TOKEN: <token>'"
    JOB = "https://gitlab.example.com/api/v4/projects/<project>/jobs/<job>/artifacts"
    REF = "https://gitlab.example.com/api/v4/projects/<project>/jobs/artifacts/main"

    @pytest.mark.parametrize(
        "line",
        [
            f'{TO_FILE} --location {PERSONAL} "{JOB}"',
            f'{TO_FILE} "{JOB}?job_token=<token>"',
            f'{TO_FILE} {OF_JOB} "{JOB}"',
            f'curl --location {PERSONAL} "{REF}/download?job=test"',
            f'{TO_FILE} "{REF}/download?job=test&job_token=<token>"',
            f'{TO_FILE} {OF_JOB} "{REF}/download?job=test"',
        ],
    )
    def test_get_an_archive(self, shell: Shell, ci: Ci, line: str) -> None:
        assert self.run(shell, ci, line) == Answer(200, ZIP)

    @pytest.mark.parametrize(
        "line",
        [
            f'curl --location {PERSONAL} "{JOB}/some/release/file.pdf"',
            f'curl --location {PERSONAL} "{REF}/raw/some/release/file.pdf?job=test"',
        ],
    )
    def test_download_a_single_file(self, shell: Shell, ci: Ci, line: str) -> None:
        assert self.run(shell, ci, line) == Answer(200, FILES["some/release/file.pdf"])

    def test_keep(self, shell: Shell, ci: Ci) -> None:
        answer = self.run(shell, ci, f'curl --request POST {self.PERSONAL} "{self.JOB}/keep"')

        assert (answer.status, answer.json["name"]) == (200, "test")

    def test_delete_of_a_job(self, shell: Shell, ci: Ci) -> None:
        assert self.run(shell, ci, f'curl --request DELETE {self.PERSONAL} "{self.JOB}"') == Answer(204, b"")

    def test_delete_of_a_project(self, shell: Shell, ci: Ci) -> None:
        line = f'curl --request DELETE {self.PERSONAL} "https://gitlab.example.com/api/v4/projects/<project>/artifacts"'

        assert self.run(shell, ci, line) == Answer(202, b'{"message":"202 Accepted"}')

    def run(self, shell: Shell, ci: Ci, line: str) -> Answer:
        job = ci.job(name="test")
        _, client = ci.running(name="another", ref="another")
        return shell.run(line, project=ci.project["id"], job=job, token=client.token)
