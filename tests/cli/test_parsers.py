"""`parsers` lists what there is; a plugin that is installed beside the vault is used, and a broken one harms nobody."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsers.registry import BUILT_IN
from tests.cli.runner import ROOT, Serving, run, start
from tests.harness import ROOT_TOKEN, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGINS = ROOT / "tests" / "parsers" / "plugins"
SAMPLE = ROOT / "sample_certs" / "files" / "sample.cer"
LICENCE = b"ACME012345678920350228"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has all that this one has, and the plugins, installed as people install them."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    show = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip())
    (packages / "this_one.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    # A build leaves traces where it is done.
    sources = shutil.copytree(PLUGINS, tmp_path_factory.mktemp("sources") / "plugins")
    subprocess.run([*pip, "--target", packages, sources / "acme_licence", sources / "broken"], check=True)
    return python


@pytest.fixture
def with_plugins(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start commands in the Python that has the plugins."""
    monkeypatch.setattr(sys, "executable", str(python))


class TestBuiltInParsers:
    def test_are_all_listed_and_in_order(self) -> None:
        outcome = run("parsers", "--format", "json")
        listed = json.loads(outcome.out)

        assert (outcome.status, outcome.err) == (0, "")
        assert len(listed) == len(BUILT_IN)
        assert listed[0] == {"name": "certificate", "origin": "built in", "problem": None}

    def test_stand_in_a_table_with_a_head(self) -> None:
        head, *lines = run("parsers").out.splitlines()

        assert head.split() == ["NAME", "ORIGIN", "PROBLEM"]
        assert lines[0].split() == ["certificate", "built", "in"]
        assert len(lines) == len(BUILT_IN)


@pytest.mark.usefixtures("with_plugins")
class TestInstalledPlugins:
    def test_are_listed_with_their_package_and_the_broken_one_with_its_problem(self, tmp_path: Path) -> None:
        outcome = start("parsers", "--format", "json", cwd=tmp_path)
        listed = json.loads(outcome.out)[len(BUILT_IN) :]

        assert listed == [
            {"name": "acme_licence", "origin": "acme-licence 1.2", "problem": None},
            {"name": "broken", "origin": "broken-parser 0.1", "problem": "ImportError"},
        ]
        assert (outcome.status, outcome.err) == (1, "")

    def test_read_files_on_the_command_line(self, tmp_path: Path) -> None:
        (tmp_path / "app.licence").write_bytes(LICENCE)

        outcome = start("inspect", "app.licence", "--format", "json", cwd=tmp_path)

        assert outcome.status == 0
        assert json.loads(outcome.out)["kind"] == "acme_licence"


@pytest.mark.usefixtures("with_plugins")
class TestAServerWithPlugins:
    @pytest.fixture
    def client(self, tmp_path: Path, with_plugins: None) -> Iterator[Client]:
        with Serving("--data", tmp_path / "data", cwd=tmp_path, env={"SECURE_FILES_ROOT_TOKEN": ROOT_TOKEN}) as server:
            yield Client(server.url, ROOT_TOKEN)

    @pytest.fixture
    def project(self, client: Client) -> dict[str, Any]:
        return dict(client.post("/projects", json={"name": "app"}).json)

    def test_reads_what_the_plugin_knows(self, client: Client, project: dict[str, Any]) -> None:
        """Its metadata and its date are those of the reply, and of the reports."""
        made = client.upload(project["id"], "app.licence", LICENCE)

        assert made.status == 201
        assert made.json["expires_at"] == "2035-02-28T00:00:00.000Z"
        assert made.json["metadata"] == {
            "id": "0123456789",
            "expires_at": "2035-02-28T00:00:00.000Z",
            "kind": "acme_licence",
        }
        listed = client.get("/secure_files?expires_before=2036-01-01").json
        assert [(file["name"], file["kind"]) for file in listed] == [("app.licence", "acme_licence")]

    def test_tells_the_plugins_reason(self, client: Client, project: dict[str, Any]) -> None:
        assert client.upload(project["id"], "1", LICENCE[:-1]).json["metadata_error"] == "truncated"
        assert client.upload(project["id"], "2", LICENCE[:-1] + b"x").json["metadata_error"] == "malformed"

    def test_serves_as_if_the_broken_one_were_not_there(self, client: Client, project: dict[str, Any]) -> None:
        made = client.upload(project["id"], "sample.cer", SAMPLE.read_bytes())

        assert made.json["metadata"]["subject"]["CN"]
        assert made.json["metadata_error"] is None
