"""The command lines of GitLab's manual, run by the real curl against this server, answer what the manual shows."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.support import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTS = Path(__file__).parent.parent / "documents"
KEYSTORE = b"a keystore that only its owner can read"
STEPS = ("List", "Show", "Create", "Download", "Remove")

pytestmark = [
    pytest.mark.engine("curl"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


class Step(NamedTuple):
    """One request of the manual: its command line and the answer shown, if one is."""

    command: str
    answer: Any


def steps(document: str) -> dict[str, Step]:
    """Read a document: the word its sections begin with, and the step in each."""
    text = (DOCUMENTS / document).read_text("utf-8")
    found = {}
    for section in re.split(r"\n(?:## )?(?=(?:List|Show|Create|Download|Remove) .*secure file)", text)[1:]:
        command = re.search(r"^curl (?:.*\\\n)*.*$", section, re.MULTILINE)
        answer = re.search(r"^(\[|\{)$.*?^(\]|\})$", section, re.MULTILINE | re.DOTALL)
        assert command
        found[section.split()[0]] = Step(command[0], json.loads(answer[0]) if answer else None)
    return found


class Manual:
    """The manual's reader: a new vault with one project, an empty folder, and curl."""

    def __init__(self, vault: RunningVault, folder: Path, document: str) -> None:
        self.vault = vault
        self.folder = folder
        self.steps = steps(document)
        (folder / "file").mkdir()
        (folder / "file" / "myfile.jks").write_bytes(KEYSTORE)

    def run(self, step: str) -> str:
        """Run a step's command line with address, token and path put in, and return what curl printed."""
        line = self.steps[step].command.replace("https://gitlab.example.com", self.vault.url)
        line = line.replace("<your_access_token>", ROOT_TOKEN).replace("/path/to", str(self.folder))
        words = shlex.split(line)
        assert words[0] == "curl"
        command = [*words, "--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--max-time", "20"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(params=["secure_files.md", "secure_files.txt"])
def manual(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manual]:
    with RunningVault(tmp_path / "data") as vault:
        project = vault.project()
        assert project["id"] == 1, "the manual's commands name project 1"
        yield Manual(vault, tmp_path, request.param)


def assert_like(got: Any, shown: Any) -> None:
    """Every field shown is there, and of the type shown."""
    assert type(got) is type(shown)
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert key in got
            assert_like(got[key], value)


class TestManual:
    def test_has_five_steps_in_both_forms(self) -> None:
        both = [steps("secure_files.md"), steps("secure_files.txt")]

        assert all(tuple(each) == STEPS for each in both)
        assert both[0] == both[1]

    def test_create_answers_as_shown(self, manual: Manual) -> None:
        made, shown = json.loads(manual.run("Create")), manual.steps["Create"].answer

        assert_like(made, shown)
        own = ("checksum", "created_at")
        assert {key: made[key] for key in shown if key not in own} == {
            key: value for key, value in shown.items() if key not in own
        }

    def test_show_answers_as_create_did(self, manual: Manual) -> None:
        made = json.loads(manual.run("Create"))

        assert json.loads(manual.run("Show")) == made
        assert_like(made, manual.steps["Show"].answer)

    def test_list_answers_with_both_files_as_shown(self, manual: Manual) -> None:
        manual.run("Create")
        manual.vault.root.upload(1, "myfile.cer", sample("sample.cer"))

        listed, shown = json.loads(manual.run("List")), manual.steps["List"].answer

        assert len(listed) == len(shown) == 2
        for got, expected in zip(sorted(listed, key=lambda file: file["id"]), shown, strict=True):
            assert (got["id"], got["name"]) == (expected["id"], expected["name"])
            if expected["metadata"]:
                # Which parts a name has is the certificate's own affair.
                expected["metadata"]["issuer"] = expected["metadata"]["subject"] = {}
            assert_like(got, expected)

    def test_download_writes_the_file(self, manual: Manual) -> None:
        manual.run("Create")

        assert manual.run("Download") == ""
        assert (manual.folder / "myfile.jks").read_bytes() == KEYSTORE

    def test_remove_says_nothing_and_the_file_is_gone(self, manual: Manual) -> None:
        manual.run("Create")

        assert manual.run("Remove") == ""
        assert json.loads(manual.run("List")) == []
