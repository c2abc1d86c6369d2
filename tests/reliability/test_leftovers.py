"""What a crash leaves in the data folder, and who may remove it."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.reliability.processes import Server
from tests.reliability.stored import assert_nothing_left_over, blob_of, edit, objects, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = bytes(range(256)) * 400  # an object of its own


class Leftovers(NamedTuple):
    """Ids of a file that was not finished and of one that has no row."""

    unfinished: str
    orphan: str


def leave_behind(data: Path) -> Leftovers:
    """Put into the store what an upload that was killed leaves before its rename, and one before its commit."""
    left = Leftovers(secrets.token_hex(16), secrets.token_hex(16))
    (data / "blobs" / "tmp" / left.unfinished).write_bytes(b"half a")
    (data / "blobs" / left.orphan[:2] / left.orphan).write_bytes(b"whole, but nobody's")
    return left


@pytest.fixture(params=[1, 2], ids=["one process", "workers"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(tmp_path / "data", workers=request.param) as running:
        yield running


@pytest.fixture
def kept(server: Server) -> str:
    """The path of a file with a row, which has to survive everything here."""
    project = server.project()
    made = server.root.upload(project, "kept", KEPT)
    assert made.status == 201, made
    return f"/projects/{project}/secure_files/{made.json['id']}"


def is_whole(server: Server, path: str) -> bool:
    answer = server.root.get(f"{path}/download")
    return answer.status == 200 and hashlib.sha256(answer.body).digest() == hashlib.sha256(KEPT).digest()


class TestAStart:
    def test_sweeps_what_a_crash_left_and_nothing_that_has_a_row(self, server: Server, kept: str) -> None:
        server.kill_all()
        left = leave_behind(server.data)

        server.start()

        assert left.unfinished not in unfinished(server.data)
        assert left.orphan not in objects(server.data)
        assert "removed 2 unfinished objects that a crash left; nothing is lost" in server.log
        assert_nothing_left_over(server.data)
        assert is_whole(server, kept)

    def test_removes_the_bytes_of_files_that_were_deleted_before_the_crash(self, server: Server, kept: str) -> None:
        project = kept.split("/")[2]
        number = server.root.upload(project, "deleted", KEPT).json["id"]
        blob_id = blob_of(server.data, number)
        server.kill_all()
        # As the commit of its deletion leaves it, had the kill come right after.
        edit(server.data, "DELETE FROM secure_files WHERE id = ?", number)
        edit(server.data, "DELETE FROM blobs WHERE id = ?", blob_id)
        edit(server.data, "INSERT INTO removals VALUES (?, '2026-01-01T00:00:00.000Z')", blob_id)

        server.start()

        assert blob_id not in objects(server.data)
        assert_nothing_left_over(server.data)
        assert is_whole(server, kept)


class TestASecondStartBesideARunningServer:
    def test_is_refused_and_sweeps_nothing(self, server: Server, kept: str) -> None:
        left = leave_behind(server.data)

        second = server.launch()

        assert second.wait(15) == 4
        assert f"is in use by another server (process {server.process.pid})" in server.log
        assert left.unfinished in unfinished(server.data)
        assert left.orphan in objects(server.data)
        assert server.is_ready()
        assert is_whole(server, kept)
