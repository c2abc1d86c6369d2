"""The `gitlab` gem, Debian's ruby-gitlab for one: its tokens go as Bearer, its bodies as forms."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.programs import reported, works
from tests.harness import ROOT_TOKEN

if TYPE_CHECKING:
    from tests.harness import RunningVault

SCRIPT = Path(__file__).with_name("gem.rb")

pytestmark = [
    pytest.mark.engine("gitlab gem"),
    pytest.mark.skipif(not works("ruby", "-e", "require 'gitlab'"), reason="ruby finds no gem gitlab"),
]


@pytest.fixture(scope="module")
def told(vault: RunningVault, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    project = vault.project()
    vault.job(vault.root, project["id"])
    path = project["path_with_namespace"]
    return {
        **reported("ruby", SCRIPT, vault.url, path, ROOT_TOKEN, cwd=tmp_path_factory.mktemp("ruby")),
        "expected project": path,
    }


class TestGem:
    def test_knows_the_user_the_project_and_its_jobs(self, told: dict[str, Any]) -> None:
        assert told["user"] == "root"
        assert told["project"] == told["expected project"]
        assert told["jobs"] == ["build"]

    def test_its_requests_carry_secure_files(self, told: dict[str, Any]) -> None:
        assert told["made"]["name"] == "certs/key.jks"
        assert told["made"]["checksum"] == sha256(bytes(range(256))).hexdigest()
        assert told["all"] == ["certs/key.jks"]

    def test_its_errors_have_the_servers_words(self, told: dict[str, Any]) -> None:
        assert told["again"] == {"status": 400, "message": "'name' has already been taken"}
        assert told["missing"] == {"status": 404, "message": "404 Not found"}

    def test_it_uploads_for_markdown(self, told: dict[str, Any]) -> None:
        assert told["upload"]["markdown"].startswith("[key")
        assert told["upload"]["full_path"].startswith("/-/project/")

    def test_it_writes_and_reads_a_repositorys_files(self, told: dict[str, Any]) -> None:
        assert told["created"]["file_path"] == told["edited"]["file_path"] == "app/a b.rb"
        assert (told["got"]["file_name"], told["got"]["size"], told["got"]["encoding"]) == ("a b.rb", 700, "base64")
        assert told["contents"] is True
        assert told["gone"]["status"] == 404
