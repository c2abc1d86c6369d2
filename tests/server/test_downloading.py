"""How a secure file goes out: its headers, parts of it, and what becomes of damage."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tests.engines import files
from tests.server.support import files_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Answer, RunningVault

CONTENT = b"0123456789" * 10


@pytest.fixture(scope="module")
def file(vault: RunningVault) -> str:
    """The path of a file of 100 bytes."""
    project = vault.project()
    return f"{files_of(project)}/{vault.root.upload(project['id'], 'a.bin', CONTENT).json['id']}/download"


def tag() -> str:
    return f'"{hashlib.sha256(CONTENT).hexdigest()}"'


class TestHeaders:
    @pytest.mark.parametrize("name", ["a.cer", "a.html", "a.json", "a.svg", "a.txt", "a.zip", "a"])
    def test_are_those_of_bytes_to_be_saved_whatever_the_file_is(
        self, vault: RunningVault, project: dict[str, Any], name: str
    ) -> None:
        made = vault.root.upload(project["id"], name, b'<script>alert("x")</script>').json

        down = vault.root.get(f"{files_of(project)}/{made['id']}/download")

        assert down.headers["Content-Type"] == "application/octet-stream"
        assert down.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert down.headers["Content-Length"] == str(len(down.body))
        assert down.headers["X-Content-Type-Options"] == "nosniff"
        assert down.headers["Cache-Control"] == "private, no-store"
        assert down.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert down.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert down.headers["ETag"] == f'"{made["checksum"]}"'

    @pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br, zstd", "*", "identity;q=0, gzip"])
    def test_never_name_a_compression(self, vault: RunningVault, file: str, accepted: str) -> None:
        down = vault.root.get(file, headers={"Accept-Encoding": accepted})

        assert "Content-Encoding" not in down.headers
        assert down.headers["Content-Length"] == "100"

    @pytest.mark.parametrize("accepted", ["application/json", "text/html", "text/plain"])
    def test_do_not_follow_what_the_client_would_rather_have(
        self, vault: RunningVault, file: str, accepted: str
    ) -> None:
        assert vault.root.get(file, headers={"Accept": accepted}).headers["Content-Type"] == "application/octet-stream"

    def test_of_an_empty_file_say_nought(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "empty", b"").json

        down = vault.root.get(f"{files_of(project)}/{made['id']}/download")

        assert (down.status, down.body, down.headers["Content-Length"]) == (200, b"", "0")


class TestDisposition:
    """A quoted plain name for old clients, and the true one beside it when it is not plain (RFC 6266, RFC 8187)."""

    @pytest.mark.parametrize(
        ("name", "plain"),
        [
            ("release.jks", "release.jks"),
            ("certs/distribution/X.cer", "X.cer"),
            ("with space.p12", "with space.p12"),
            ("semi;colon=.p12", "semi;colon=.p12"),
            ("single'quote.p12", "single'quote.p12"),
            ('double"quote.p12', "double_quote.p12"),
            ("back\\slash.p12", "back_slash.p12"),
            ("100%.p12", "100_.p12"),
            ("schlüssel.p12", "schl_ssel.p12"),
            ("鍵/鍵.p12", "_.p12"),
            ("tab\there.p12", "tab_here.p12"),
            ("del\x7f.p12", "del_.p12"),
            ("folder/", "file"),
        ],
    )
    def test_names_the_last_part_of_the_name(
        self, vault: RunningVault, project: dict[str, Any], name: str, plain: str
    ) -> None:
        made = vault.root.upload(project["id"], name, b"1")
        assert made.status == 201, made

        header = vault.root.get(f"{files_of(project)}/{made.json['id']}/download").headers["Content-Disposition"]

        assert header.startswith(f'attachment; filename="{plain}"')
        true_name = name.rpartition("/")[2] or "file"
        assert (true_name == plain) == ("filename*" not in header)
        if true_name != plain:
            assert unquote(header.partition("; filename*=UTF-8''")[2]) == true_name


def ask(vault: RunningVault, file: str, wanted: str, **headers: str) -> Answer:
    return vault.root.get(file, headers={"Range": wanted, **headers})


class TestRanges:
    @pytest.mark.parametrize(
        ("wanted", "first", "last"),
        [
            ("bytes=0-0", 0, 0),
            ("bytes=10-19", 10, 19),
            ("bytes=90-", 90, 99),
            ("bytes=-5", 95, 99),
            ("bytes=-1000", 0, 99),
            ("bytes=50-1000", 50, 99),
            ("bytes=0-", 0, 99),
            ("Bytes=0-4", 0, 4),
        ],
    )
    def test_that_lie_inside_are_206(self, vault: RunningVault, file: str, wanted: str, first: int, last: int) -> None:
        down = ask(vault, file, wanted)

        assert (down.status, down.body) == (206, CONTENT[first : last + 1])
        assert down.headers["Content-Range"] == f"bytes {first}-{last}/100"
        assert down.headers["Content-Length"] == str(last + 1 - first)

    @pytest.mark.parametrize("wanted", ["bytes=100-", "bytes=100-200", "bytes=-0"])
    def test_that_lie_outside_are_416(self, vault: RunningVault, file: str, wanted: str) -> None:
        down = ask(vault, file, wanted)

        assert (down.status, down.body) == (416, b"")
        assert down.headers["Content-Range"] == "bytes */100"

    @pytest.mark.parametrize(
        "wanted",
        ["bytes=5-2", "bytes=-", "bytes=", "items=0-1", "bytes=0-1,5-6", "bytes=a-b", "0-1", "bytes=0x1-2", "\xff"],
    )
    def test_that_mean_nothing_get_the_whole(self, vault: RunningVault, file: str, wanted: str) -> None:
        down = ask(vault, file, wanted)

        assert (down.status, down.body) == (200, CONTENT)

    def test_are_not_for_head(self, vault: RunningVault, file: str) -> None:
        head = vault.root("HEAD", file, headers={"Range": "bytes=0-4"})

        assert (head.status, head.headers["Content-Length"]) == (200, "100")

    @pytest.mark.parametrize(
        ("state", "status"),
        [(tag(), 206), ('"other"', 200), (f"W/{tag()}", 200), ("Sat, 21 Nov 2026 10:00:00 GMT", 200)],
    )
    def test_follow_if_range(self, vault: RunningVault, file: str, state: str, status: int) -> None:
        assert ask(vault, file, "bytes=0-4", **{"If-Range": state}).status == status

    def test_put_together_are_the_whole(self, vault: RunningVault, file: str) -> None:
        parts = [ask(vault, file, f"bytes={at}-{at + 29}").body for at in range(0, 100, 30)]

        assert b"".join(parts) == CONTENT


class TestConditions:
    @pytest.mark.parametrize("held", [tag(), f"W/{tag()}", "*", f'"other", {tag()}'])
    def test_who_has_the_file_already_gets_304(self, vault: RunningVault, file: str, held: str) -> None:
        for method in ("GET", "HEAD"):
            answer = vault.root(method, file, headers={"If-None-Match": held})

            assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag())

    @pytest.mark.parametrize("held", ['"other"', tag().strip('"'), ""])
    def test_who_has_another_gets_the_file(self, vault: RunningVault, file: str, held: str) -> None:
        assert vault.root.get(file, headers={"If-None-Match": held}).status == 200


@files
class TestDamage:
    @pytest.fixture
    def damaged(self, vault: RunningVault, project: dict[str, Any]) -> str:
        """The path of a file whose sealed bytes have one bit turned on disk."""
        before = self.blobs(vault.settings.data)
        made = vault.root.upload(project["id"], "a", b"x" * 100_000).json
        (blob,) = self.blobs(vault.settings.data) - before
        sealed = bytearray(blob.read_bytes())
        sealed[70_000] ^= 1
        blob.write_bytes(sealed)
        return f"{files_of(project)}/{made['id']}"

    @staticmethod
    def blobs(data: Path) -> set[Path]:
        return {path for path in (data / "blobs").rglob("*") if path.is_file()}

    def test_is_an_error_and_never_a_changed_file(self, vault: RunningVault, damaged: str) -> None:
        for headers in ({}, {"Range": "bytes=0-0"}):
            down = vault.root.get(f"{damaged}/download", headers=headers)

            assert down.status == 500
            assert "secure-files verify" in down.json["message"]

    def test_keeps_nothing_else_from_working(self, vault: RunningVault, damaged: str) -> None:
        assert vault.root.get(damaged).status == 200
        assert vault.root.get(damaged.rpartition("/")[0]).status == 200
        assert vault.root.delete(damaged).status == 204
