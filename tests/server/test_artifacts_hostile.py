"""Archives that mean harm, over HTTP: a 4xx with its reason or a served entry, and nobody else notices."""

from __future__ import annotations

import http.client
import os
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.ci import Ci
from tests.server.support import MIB, body_of
from tests.vault.test_archives import LIES
from tests.zips import Made, archive, built

if TYPE_CHECKING:
    from tests.harness import RunningVault


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


class TestEntries:
    @pytest.mark.parametrize("entry", LIES.values(), ids=LIES)
    def test_that_lie_are_422_with_the_reason(self, ci: Ci, entry: Made) -> None:
        job = ci.job(left=built([entry, Made(b"good", b"sound")]))

        for path in (f"{ci.archive(job)}/a", f"{ci.path}/jobs/artifacts/main/raw/a?job=build"):
            answer = ci.vault.root.get(path)

            assert answer.status == 422, answer
            assert answer.json["message"].startswith("422 Unprocessable Entity - the entry")
        assert ci.vault.root.get(f"{ci.archive(job)}/tree").status in (200, 422)

    @pytest.mark.parametrize(
        ("attributes", "name", "reason"),
        [(0o120777 << 16, b"a", "a symbolic link"), (0o40755 << 16, b"a/", "a folder")],
    )
    def test_that_are_no_files_are_404(self, ci: Ci, attributes: int, name: bytes, reason: str) -> None:
        job = ci.job(left=built([Made(name, b"/etc/passwd", attributes=attributes)]))

        answer = ci.vault.root.get(f"{ci.archive(job)}/{name.decode()}")

        assert (answer.status, answer.json) == (404, {"message": f"404 Not found - the entry is {reason}"})

    def test_that_are_large_and_damaged_break_off(self, ci: Ci) -> None:
        content = os.urandom(17 * MIB)
        job = ci.job(left=built([Made(b"a", content, crc32=1)]))

        got = received(ci.vault.url, f"{ci.archive(job)}/a")

        assert 0 < len(got) < len(content)


class TestArchives:
    @pytest.mark.parametrize(
        "data",
        [b"", b"no zip", b"\x1f\x8b" + bytes(100), b"PK\5\6" * 5000, archive({"a": b"1"})[:-1], b"PK\3\4" + bytes(200)],
        ids=["empty", "text", "gzip", "ends", "cut", "start"],
    )
    def test_that_are_none_are_kept_and_their_entries_are_422(self, ci: Ci, data: bytes) -> None:
        job = ci.job(left=data)

        assert ci.vault.root.get(ci.archive(job)).body == data
        answer = ci.vault.root.get(f"{ci.archive(job)}/a")
        assert answer.status == 422
        assert answer.json["message"].startswith("422 Unprocessable Entity - the ")

    def test_changed_anywhere_are_never_a_500(self, ci: Ci) -> None:
        good, rng = archive({"a": b"alpha" * 50, "b/c": b"beta"}), random.Random(11)
        for _ in range(40):
            changed = bytearray(good)
            for _ in range(3):
                changed[rng.randrange(len(good))] = rng.randrange(256)
            job = ci.job("running", left=bytes(changed))

            statuses = {ci.vault.root.get(f"{ci.archive(job)}/{path}").status for path in ("a", "b/c", "tree")}

            assert statuses <= {200, 404, 422}


def received(url: str, path: str) -> bytes:
    """Return as much of an answer's body as came, whether or not the connection broke."""
    got = bytearray()
    with suppress(ConnectionResetError, http.client.IncompleteRead):
        for piece in body_of(url, path, ROOT_TOKEN):
            got += piece
    return bytes(got)
