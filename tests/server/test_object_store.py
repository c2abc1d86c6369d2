"""A vault whose sealed bytes lie in a bucket, and what clients see when that goes away."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.harness import RunningVault
from tests.relay import Relay
from tests.reliability.processes import Server
from tests.server.support import files_of
from vault.blobs.away import PAUSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3 import S3

pytestmark = pytest.mark.engine("weed")
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def wire(s3: S3) -> Iterator[Relay]:
    with Relay(s3.endpoint) as relay:
        yield relay


@pytest.fixture(scope="module")
def vault(s3: S3, wire: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    settings = {**s3.settings(), "blobs_endpoint": wire.url}
    with RunningVault(tmp_path_factory.mktemp("vault") / "data", **settings) as running:
        yield running


class TestFiles:
    @pytest.mark.parametrize("size", [0, 3000, 64 * 1024 + 1, 5 * MIB - 1])
    def test_come_back_as_they_went(self, vault: RunningVault, size: int) -> None:
        project, content = vault.project(), os.urandom(size)
        made = vault.root.upload(project["id"], "a.bin", content)
        assert made.status == 201
        assert vault.root.get(f"{files_of(project)}/{made.json['id']}/download").body == content

    def test_larger_than_memory_should_hold_are_streamed_and_read_in_parts(self, vault: RunningVault) -> None:
        project, content = vault.project(), os.urandom(40 * MIB)
        sent = vault.root.post(f"/projects/{project['id']}/uploads", files={"file": ("a.bin", content)})
        secret, name = sent.json["full_path"].split("/")[-2:]
        path = f"/projects/{project['id']}/uploads/{secret}/{name}"
        assert vault.root.get(path).body == content
        part = vault.root.get(path, headers={"Range": f"bytes={17 * MIB}-{17 * MIB + 99}"})
        assert (part.status, part.body) == (206, content[17 * MIB : 17 * MIB + 100])

    def test_no_plaintext_reaches_the_bucket(self, vault: RunningVault, s3: S3) -> None:
        marked = b"plaintext that must not be seen " * 4000
        vault.root.upload(vault.project()["id"], "a.bin", marked)
        prefix = vault.settings.blobs.rpartition("/")[2]
        for entry in s3.client.list_objects_v2(Bucket=s3.bucket, Prefix=prefix)["Contents"]:
            body = s3.client.get_object(Bucket=s3.bucket, Key=entry["Key"])["Body"].read()
            assert b"must not be seen" not in body

    def test_a_deleted_file_leaves_the_bucket(self, vault: RunningVault) -> None:
        project = vault.project()
        before = set(vault.services.blobs.ids())
        made = vault.root.upload(project["id"], "a.bin", os.urandom(MIB))
        assert len(set(vault.services.blobs.ids()) - before) == 1
        vault.root.delete(f"{files_of(project)}/{made.json['id']}")
        vault.services.storage.remove_noted()
        assert set(vault.services.blobs.ids()) == before


class TestAway:
    """While the bucket does not answer: what needs it is 503 within seconds, the rest works, and nothing is lost."""

    def test_what_needs_it_says_when_to_come_back_and_what_does_not_works(
        self, vault: RunningVault, wire: Relay, caplog: pytest.LogCaptureFixture
    ) -> None:
        project, content = vault.project(), os.urandom(MIB)
        made = vault.root.upload(project["id"], "before.bin", content)
        wire.cut()
        try:
            begun = time.monotonic()
            for answer in (
                vault.root.get(f"{files_of(project)}/{made.json['id']}/download"),
                vault.root.upload(project["id"], "during.bin", content),
                vault.root.get(f"{files_of(project)}/{made.json['id']}/download", headers={"Range": "bytes=0-9"}),
            ):
                assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert time.monotonic() - begun < 5
            told = [record for record in caplog.records if record.levelname == "ERROR"]
            assert len(told) == 3
            assert all("object store" in record.message and not record.exc_info for record in told)
            assert [each["name"] for each in vault.root.get(files_of(project)).json] == ["before.bin"]
            assert vault.root.upload(project["id"], "small.bin", b"lies in the catalog").status == 201
            ready = vault.nobody.get("/-/readiness")
            assert ready.status == 503
            assert "blob store" in ready.json["master_check"][0]["message"]
            assert vault.nobody.get("/-/liveness").status == 200
        finally:
            wire.restore()
        time.sleep(PAUSE_SECONDS)
        assert vault.nobody.get("/-/readiness").status == 200
        assert vault.root.get(f"{files_of(project)}/{made.json['id']}/download").body == content
        assert vault.root.upload(project["id"], "during.bin", content).status == 201


class TestSeveralProcesses:
    def test_a_first_start_with_two_workers_serves_from_the_bucket(self, s3: S3, tmp_path: Path) -> None:
        """The client of the bucket does not survive a fork: the parent must not have used it."""
        with Server(tmp_path / "data", workers=2, **s3.settings()) as server:
            project, content = server.project(), os.urandom(MIB)
            for number in range(8):
                made = server.client_with_new_token().upload(project, f"{number}.bin", content)
                assert made.status == 201
                path = f"/projects/{project}/secure_files/{made.json['id']}/download"
                assert server.client_with_new_token().get(path).body == content

    def test_a_start_says_what_keeps_it_from_the_bucket(self, s3: S3, tmp_path: Path) -> None:
        server = Server(tmp_path / "data", workers=2, **{**s3.settings(), "blobs_secret_key": "wrong"})
        process = server.launch()
        assert process.wait(20) == 5
        assert "the object store refused to list the blobs (403" in server.log
