"""The pages on uploads and artifacts name what the code knows, and nothing else."""

from __future__ import annotations

import re

from cli.artifacts import FATES
from tests.docs.markdown import ROOT, code, document
from vault.artifacts import ACCESS_LEVELS
from vault.filenames import AUDIO, IMAGES, VIDEOS

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
