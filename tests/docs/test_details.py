"""The pages on uploads, artifacts and repository files name what the code knows, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from cli.artifacts import FATES
from server.api import repository_files, repository_writes
from server.settings import MIB, Settings
from tests.docs.markdown import ROOT, code, document
from vault.artifacts import ACCESS_LEVELS
from vault.filenames import AUDIO, IMAGES, VIDEOS
from vault.repositories import File, committing

REPOSITORIES = document("docs/api-repositories.md")
REFUSING = ("committing", "changes", "paths", "attributes")
UPLOADS, ARTIFACTS = document("docs/api-uploads.md"), document("docs/api-artifacts.md")
SOURCES = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "vault").glob("archive*.py")))


class TestUploads:
    def test_endings_that_are_shown_are_all_there(self) -> None:
        told = [set(row[1].split()) for row in UPLOADS.table("What a browser may do with a file")]

        assert told == [IMAGES, VIDEOS, AUDIO]


class TestArtifacts:
    def test_access_levels_are_all_there(self) -> None:
        rows = ARTIFACTS.table("Who may have what a job left")

        assert [code(row[0])[0] for row in rows] == list(ACCESS_LEVELS)

    def test_fates_are_all_there(self) -> None:
        assert [row[0] for row in ARTIFACTS.table("How long artifacts stay")] == list(FATES)

    def test_reasons_of_a_422_are_those_of_the_code(self) -> None:
        raised = re.findall(r"BadArchive\(\s*f?\"([^\"]+)\"", SOURCES)
        told = [code(row[0])[0] for row in ARTIFACTS.table("One file out of an archive")]

        assert {re.sub(r"\{\w+(\.\w+)?\}", "N", text) for text in raised} == {
            re.sub(r"\d+", "N", text) for text in told
        }


class TestRepositories:
    def test_headers_are_those_of_an_answer(self) -> None:
        file = File("d/a", "main", "1", "2", "3", 0, "4", executable=False, submodule=False)

        assert [code(row[0])[0] for row in REPOSITORIES.table("Headers")] == sorted(repository_files.facts(file))

    def test_parameters_of_writing_are_those_that_are_read(self) -> None:
        source = Path(repository_writes.__file__).read_text("utf-8")
        read = set(re.findall(r"(?:needed\(check, |check\.\w+\(|values\.get\()\"(\w+)\"", source))

        assert {name for row in REPOSITORIES.table("Writing") for name in code(row[0])} == read

    def test_refusals_are_those_of_the_code(self) -> None:
        folder = Path(committing.__file__).parent
        sources = "".join((folder / f"{name}.py").read_text("utf-8") for name in REFUSING)
        raised = set(re.findall(r"raise CannotCommit\(\s*f\"([^\"]+)\"", sources))
        raised |= set(re.findall(r"^[A-Z_]+ = \"([^\"]{20,})\"$", sources, re.MULTILINE))
        told = {code(row[0])[0] for row in REPOSITORIES.table("Refusals")}

        assert {blank(text) for text in told} == {blank(text) for text in raised}

    def test_limits_are_those_of_the_code(self) -> None:
        assert repository_files.JSON_LIMIT == 32 * MIB
        assert (Settings.repository_body_bytes, Settings.push_bytes) == (20 * MIB, 1024 * MIB)
        assert (Settings.git_programs, committing.PATIENCE) == (8, 15)
        for words in ("above 32 MiB 413", "may have 20 MiB", "more than 1 GiB", "Eight git", "15 seconds"):
            assert words in REPOSITORIES.text


def blank(text: str) -> str:
    """Return a refusal without what differs from one to the next: names in quotes, and a branch's."""
    text = re.sub(r"'\{'/'.+?\}'|'[^']+'(?!t)", "'N'", text)
    return re.sub(r"refs/heads/\S+?\. |: (Branch name is invalid|\{\})$", "N", text)
