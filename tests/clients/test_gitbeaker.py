"""@gitbeaker/rest, as `npm install @gitbeaker/rest@43.8.0` brings it: node has to find it, by NODE_PATH if need be."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.programs import reported, works

if TYPE_CHECKING:
    from tests.harness import RunningVault

SCRIPT = Path(__file__).with_name("gitbeaker.cjs")
NAME = "certs/distribution/a b.jks"
CHECKSUM = sha256(bytes(range(256))).hexdigest()

pytestmark = [
    pytest.mark.engine("gitbeaker"),
    pytest.mark.skipif(not works("node", "-e", "require('@gitbeaker/rest')"), reason="node finds no @gitbeaker/rest"),
]


@pytest.fixture(scope="module", params=["token", "oauthToken", "jobToken"])
def told(
    vault: RunningVault, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the client told of a file's whole life, with each kind of token."""
    project = vault.project()
    token = (vault.job(vault.root, project["id"])[1] if request.param == "jobToken" else vault.root).token
    assert token
    place = (vault.url, project["path_with_namespace"], str(project["id"]))
    return reported("node", SCRIPT, *place, NAME, request.param, token, cwd=tmp_path_factory.mktemp("node"))


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
