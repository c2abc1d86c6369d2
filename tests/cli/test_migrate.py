"""`migrate`: a vault that goes from its data folder to a database and a bucket, whenever it is broken off."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from server.settings import load
from server.wiring import open_services
from tests.cli.runner import Outcome, Serving, command, environment, start
from tests.engines import files
from tests.harness import ROOT_TOKEN, Client, RunningVault
from tests.postgres import needs_postgres
from tests.reliability.stored import file_of, objects
from tests.server.ci import ZIP
from tests.vault.core import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer
    from tests.s3 import S3

KILLS = 5

pytestmark = files


class Target:
    """Where a vault moves to: what `migrate` is told, and the settings of a server that starts there."""

    def __init__(self, database: str, **settings: Any) -> None:
        self.settings = {"database": database, **settings}
        self.words = ["--to-database", database, "--to-blobs", settings["blobs"]]
        self.environment = {
            f"SECURE_FILES_{name.upper()}": str(value) for name, value in settings.items() if name != "blobs"
        }

    def migrate(self, data: Path, *more: str) -> Outcome:
        return start("migrate", "--data", data, *self.words, *more, cwd=data.parent, env=self.environment)


@pytest.fixture
def engines(postgres: PostgresServer, s3: S3) -> Iterator[Target]:
    url = postgres.database(None)
    yield Target(url, **s3.settings())
    postgres.drop(url)


@pytest.fixture
def files(tmp_path: Path) -> Target:
    """Return a target that needs no engine: the same code, other drivers."""
    return Target(f"sqlite:{tmp_path / 'elsewhere.sqlite'}", blobs=str(tmp_path / "elsewhere"))


def filled(data: Path, count: int = 6) -> dict[str, bytes]:
    """Make a vault with files of every size and one that was deleted, and return what they hold by path."""
    with RunningVault(data) as vault:
        project = vault.project()
        number, contents = project["id"], {}
        for size in (0, 10, 3000, LARGE, 300_000, *[LARGE] * (count - 5)):
            content = os.urandom(size)
            made = vault.root.upload(number, f"{len(contents)}.bin", content)
            contents[f"/projects/{number}/secure_files/{made.json['id']}/download"] = content
        sent = vault.root.post(f"/projects/{number}/uploads", files={"file": ("a.bin", content)})
        contents["/".join(["/projects", str(number), *sent.json["full_path"].split("/")[-3:]])] = content
        _, client = vault.job(vault.root, number, status="running")
        job = vault.root.get(f"/projects/{number}/jobs").json[0]["id"]
        assert client.post(f"/jobs/{job}/artifacts", files={"file": ("a.zip", ZIP)}).status == 201
        contents[f"/projects/{number}/jobs/{job}/artifacts"] = ZIP
        last = vault.root.upload(number, "last.bin", os.urandom(LARGE))
        vault.root.delete(f"/projects/{number}/secure_files/{last.json['id']}")
        vault.services.storage.remove_noted()
    return contents


def assert_there(data: Path, target: Target, contents: dict[str, bytes]) -> None:
    """Start on the target: the same token finds the same bytes, and ids go on."""
    with RunningVault(data, **target.settings) as vault:
        for path, content in contents.items():
            assert vault.root.get(path).body == content, path
        project = next(iter(contents)).split("/")[2]
        ids = [each["id"] for each in vault.root.get(f"/projects/{project}/secure_files?per_page=100").json]
        assert vault.root.upload(project, "next.bin", b"x").json["id"] > max(ids)


@needs_postgres[1]
@pytest.mark.engine("postgres")
@pytest.mark.engine("weed")
class TestToDatabaseAndBucket:
    def test_everything_is_found_there_and_no_server_starts_here_any_more(
        self, tmp_path: Path, engines: Target
    ) -> None:
        data = tmp_path / "data"
        contents = filled(data)
        moved = engines.migrate(data, "--format", "json")

        assert moved.status == 0, moved.err
        told = json.loads(moved.out)
        assert (told["copied"], told["there_before"], told["damaged"]) == (len(objects(data)), 0, [])
        assert told["checked"] == len(contents)
        assert_there(data, engines, contents)
        refused = start("serve", "--data", data, "--port", "0", cwd=tmp_path)
        assert refused.status == 5
        assert "was moved to another database" in refused.err

    def test_one_that_is_killed_again_and_again_ends_whole(self, tmp_path: Path, engines: Target) -> None:
        data = tmp_path / "data"
        contents = filled(data, 60)
        for kill in range(KILLS):
            words = command("migrate", "--data", data, *engines.words)
            process = subprocess.Popen(words, env=environment(**engines.environment), stderr=subprocess.PIPE)
            try:
                process.wait(0.4 + 0.25 * kill)
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
        moved = engines.migrate(data)

        assert moved.status == 0, moved.err
        assert_there(data, engines, contents)


class TestWhileServing:
    def test_files_are_copied_and_the_rest_waits_for_the_server_to_stop(self, tmp_path: Path, files: Target) -> None:
        data = tmp_path / "data"
        contents = filled(data)
        with Serving("--data", data, cwd=tmp_path) as serving:
            url = serving.wait_for(r"listening on (\S+)\n")[1]
            first = files.migrate(data)
            assert first.status == 4
            assert "stop the server" in first.err
            project = next(iter(contents)).split("/")[2]
            made = Client(url, ROOT_TOKEN).upload(project, "later.bin", os.urandom(LARGE))
            assert made.status == 201
            serving.end()
        second = files.migrate(data, "--format", "json")

        assert second.status == 0, second.err
        told = json.loads(second.out)
        assert (told["copied"], told["there_before"]) == (1, len(objects(data)) - 1)
        assert_there(data, files, contents)

    def test_what_is_moved_is_left_as_it_was(self, tmp_path: Path, files: Target) -> None:
        data = tmp_path / "data"
        contents = filled(data)
        before = objects(data)
        assert files.migrate(data).status == 0
        assert objects(data) == before
        (data / "moved").unlink()
        with RunningVault(data) as vault:
            assert all(vault.root.get(path).body == content for path, content in contents.items())

    def test_again_after_it_is_done_only_checks(self, tmp_path: Path, files: Target) -> None:
        filled(tmp_path / "data")
        assert files.migrate(tmp_path / "data").status == 0
        again = files.migrate(tmp_path / "data", "--format", "json")
        assert again.status == 0
        assert {name: json.loads(again.out)[name] for name in ("copied", "rows")} == {"copied": 0, "rows": 0}


class TestRefusals:
    def test_a_vault_that_was_used_here_after_it_was_moved(self, tmp_path: Path, files: Target) -> None:
        filled(tmp_path / "data")
        assert files.migrate(tmp_path / "data").status == 0
        (tmp_path / "data" / "moved").unlink()
        again = files.migrate(tmp_path / "data")
        assert (again.status, "used here since" in again.err) == (5, True)

    def test_a_database_with_another_vault_in_it(self, tmp_path: Path, files: Target) -> None:
        filled(tmp_path / "data")
        filled(tmp_path / "other")
        assert files.migrate(tmp_path / "other").status == 0
        refused = files.migrate(tmp_path / "data")
        assert (refused.status, "another vault" in refused.err) == (5, True)
        assert not (tmp_path / "data" / "moved").exists()

    def test_a_blob_store_with_another_vaults_objects_in_it(self, tmp_path: Path, files: Target) -> None:
        filled(tmp_path / "data")
        filled(tmp_path / "other")
        taken = Target(f"sqlite:{tmp_path / 'new.sqlite'}", blobs=str(tmp_path / "other" / "blobs"))
        refused = taken.migrate(tmp_path / "data")
        assert (refused.status, "objects of another vault" in refused.err) == (5, True)

    def test_a_database_that_a_server_was_started_on_already(self, tmp_path: Path, files: Target) -> None:
        filled(tmp_path / "data")
        settings = load({"data": str(tmp_path / "data"), **files.settings}, {})
        open_services(settings, create=True).close()
        refused = files.migrate(tmp_path / "data")
        assert (refused.status, "in use already" in refused.err) == (5, True)

    def test_a_damaged_file_is_named_and_moves_nothing_but_when_told_to(self, tmp_path: Path, files: Target) -> None:
        data = tmp_path / "data"
        contents = filled(data)
        path = next(path for path, content in contents.items() if len(content) == LARGE and "secure_files" in path)
        lost = file_of(data, int(path.split("/")[4]))
        lost.unlink()
        refused = files.migrate(data)
        assert refused.status == 5
        assert lost.name in refused.err
        assert not (data / "moved").exists()

        moved = files.migrate(data, "--despite-damage", "--format", "json")
        assert moved.status == 0, moved.err
        assert json.loads(moved.out)["damaged"] == [lost.name]
        del contents[path]
        assert_there(data, files, contents)

    def test_a_vault_that_is_in_a_database_already(self, tmp_path: Path, files: Target) -> None:
        refused = start(
            "migrate", "--data", tmp_path, *files.words, cwd=tmp_path, env={"SECURE_FILES_DATABASE": "sqlite:x"}
        )
        assert (refused.status, "data folder" in refused.err) == (2, True)

    def test_places_that_cannot_be(self, tmp_path: Path) -> None:
        filled(tmp_path / "data")
        target = Target("mysql://user:secret@host/x", blobs="s3://bucket?x")
        refused = target.migrate(tmp_path / "data")
        assert refused.status == 2
        assert "secret" not in refused.err
