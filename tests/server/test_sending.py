"""Downloads of any size: whole or in part, and what becomes of one that is damaged."""

from __future__ import annotations

import contextlib
import http.client
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.engines import files
from tests.harness import ROOT_TOKEN
from tests.server.support import MIB

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import RunningVault

SMALL, LARGE = 100_000, 17 * MIB
CONTENT = os.urandom(LARGE)


def keep(vault: RunningVault, content: bytes) -> tuple[str, Path]:
    """Upload the content and return its path and the file it lies in."""
    before = set((vault.settings.data / "blobs").rglob("*"))
    path = upload(vault, content)
    (blob,) = set((vault.settings.data / "blobs").rglob("*")) - before
    return path, blob


def upload(vault: RunningVault, content: bytes) -> str:
    project = vault.project()
    made = vault.root.post(f"/projects/{project['id']}/uploads", files={"file": ("a.bin", content)})
    return f"/projects/{project['id']}/uploads/{made.json['id']}"


@pytest.fixture(scope="module")
def large(vault: RunningVault) -> str:
    """The path of a file that is not opened whole before it is sent."""
    return upload(vault, CONTENT)


class TestLargeFiles:
    def test_come_down_as_they_went_up(self, vault: RunningVault, large: str) -> None:
        down = vault.root.get(large)

        assert (down.status, down.body == CONTENT) == (200, True)
        assert down.headers["Content-Length"] == str(LARGE)

    @pytest.mark.parametrize(
        ("wanted", "first", "last"),
        [
            ("bytes=0-9", 0, 9),
            ("bytes=65479-65481", 65479, 65481),
            (f"bytes={LARGE - 5}-", LARGE - 5, LARGE - 1),
            ("bytes=-70000", LARGE - 70_000, LARGE - 1),
            ("bytes=1-", 1, LARGE - 1),
            (f"bytes=100-{LARGE + 5}", 100, LARGE - 1),
        ],
    )
    def test_come_down_in_part(self, vault: RunningVault, large: str, wanted: str, first: int, last: int) -> None:
        down = vault.root.get(large, headers={"Range": wanted})

        assert (down.status, down.body == CONTENT[first : last + 1]) == (206, True)
        assert down.headers["Content-Range"] == f"bytes {first}-{last}/{LARGE}"
        assert down.headers["Content-Length"] == str(last + 1 - first)

    def test_have_no_part_outside(self, vault: RunningVault, large: str) -> None:
        down = vault.root.get(large, headers={"Range": f"bytes={LARGE}-"})

        assert (down.status, down.headers["Content-Range"]) == (416, f"bytes */{LARGE}")

    def test_are_not_sent_again_to_who_has_them(self, vault: RunningVault, large: str) -> None:
        tag = vault.root("HEAD", large).headers["ETag"]

        assert vault.root.get(large, headers={"If-None-Match": tag}).status == 304
        assert vault.root.get(large, headers={"If-Range": tag, "Range": "bytes=0-0"}).status == 206
        assert vault.root.get(large, headers={"If-Range": '"other"', "Range": "bytes=0-0"}).status == 200

    def test_serve_the_next_client_after_one_went_away(self, vault: RunningVault, large: str) -> None:
        for _ in range(3):
            connection, answer = begin(vault, large)
            answer.read(1000)
            connection.close()

        assert vault.root.get(large).status == 200


@files
class TestKnowledgeWithoutOpening:
    """HEAD and 304 need the catalog only: what has to be known about a file is in its row."""

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_answers_where_the_bytes_are_lost(self, vault: RunningVault, size: int) -> None:
        path, blob = keep(vault, CONTENT[:size])
        blob.unlink()

        head = vault.root("HEAD", path)

        assert (head.status, head.headers["Content-Length"]) == (200, str(size))
        assert vault.root.get(path, headers={"If-None-Match": head.headers["ETag"]}).status == 304


@files
class TestDamage:
    @pytest.mark.parametrize(
        ("size", "at"),
        [(SMALL, 0), (SMALL, 70_000), (SMALL, -1), (LARGE, 0), (LARGE, 50), (LARGE, -1)],
    )
    def test_that_shows_at_once_is_an_error(self, vault: RunningVault, size: int, at: int) -> None:
        path, blob = keep(vault, CONTENT[:size])
        turn_a_bit(blob, at)

        down = vault.root.get(path)

        assert down.status == 500
        assert "secure-files verify" in down.json["message"]

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    @pytest.mark.parametrize("cut", [1, 65_536, SMALL])
    def test_by_a_cut_is_an_error(self, vault: RunningVault, size: int, cut: int) -> None:
        path, blob = keep(vault, CONTENT[:size])
        os.truncate(blob, max(0, blob.stat().st_size - cut))

        assert vault.root.get(path).status == 500
        assert vault.root.get(path, headers={"Range": "bytes=0-0"}).status == 500

    def test_in_the_middle_breaks_the_connection_off(self, vault: RunningVault) -> None:
        path, blob = keep(vault, CONTENT)
        turn_a_bit(blob, LARGE // 2)
        connection, answer = begin(vault, path)

        got = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while piece := answer.read(65_536):
                got += piece
        connection.close()

        assert answer.status == 200
        assert len(got) <= LARGE // 2
        assert CONTENT.startswith(bytes(got))

    def test_in_the_middle_of_a_small_range_is_an_error(self, vault: RunningVault) -> None:
        path, blob = keep(vault, CONTENT)
        turn_a_bit(blob, LARGE // 2)

        broken = vault.root.get(path, headers={"Range": f"bytes={LARGE // 2}-{LARGE // 2 + 9}"})
        sound = vault.root.get(path, headers={"Range": "bytes=0-9"})

        assert (broken.status, sound.status) == (500, 206)


def turn_a_bit(blob: Path, at: int) -> None:
    sealed = bytearray(blob.read_bytes())
    sealed[at] ^= 1
    blob.write_bytes(sealed)


def begin(vault: RunningVault, path: str) -> tuple[http.client.HTTPConnection, Any]:
    """Ask for a file on a connection of its own and return once its headers are here."""
    place = urlsplit(vault.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
    connection.request("GET", f"/api/v4{path}", headers={"PRIVATE-TOKEN": ROOT_TOKEN})
    return connection, connection.getresponse()
