"""GET and HEAD of a file, and raw: refs, paths, modes, sizes, conditions and ranges."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from server.api import repository_files
from tests.harness import ROOT_TOKEN
from tests.server.repository_support import Repository
from tests.server.support import exchange, request

if TYPE_CHECKING:
    from tests.harness import RunningVault

TEXT = "one\ntwo\n"
LARGE = os.urandom(5 * 1024 * 1024 + 7)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture(scope="module")
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("lib/a.txt", TEXT)
    repository.git("tag", "v1", "main")
    repository.git("tag", "-a", "-m", "annotated", "v2", "main")
    repository.post("other", "1", start_branch="main", branch="feature/x.y")
    repository.post("program", "#!/bin/sh\n", execute_filemode=True)
    repository.post("large", base64.b64encode(LARGE).decode(), encoding="base64")
    for name in ("ä ö%41.txt", ":wq", "a+b&c=d", "*.txt", "raw", "blame", "x/raw"):
        repository.post(name, name)
    return repository


class TestARef:
    @pytest.mark.parametrize(
        "ref",
        [
            "main",
            "refs/heads/main",
            "HEAD",
            "feature/x.y",
            "v1",
            "v2",
            "refs/tags/v1",
            "main~1",
            "HEAD~2",
            "HEAD^",
            "@",
        ],
    )
    def test_is_any_revision_and_is_repeated_as_asked(self, repository: Repository, ref: str) -> None:
        found = repository.get("lib/a.txt", ref)

        assert found.status == 200
        assert found.json["ref"] == ref
        real = ref.replace("HEAD", "main").replace("@", "main")
        assert found.json["commit_id"] == repository.git("rev-parse", f"{real}^{{commit}}")
        assert base64.b64decode(found.json["content"]) == TEXT.encode()

    def test_is_also_an_id_whole_or_short(self, repository: Repository) -> None:
        commit = repository.git("rev-parse", "main")

        assert repository.get("lib/a.txt", commit).json["commit_id"] == commit
        assert repository.get("lib/a.txt", commit[:9]).json["commit_id"] == commit

    @pytest.mark.parametrize(
        "ref",
        [
            *("none", "main:lib", "main:lib/a.txt", "main..v1", "a\\b", "a b", "-x", "--all", "main\n", "ma\0in", "ä"),
            *(":/message", "main^{/m}", "main@{0}", "@{-1}", "main^{tree}", "v1^{blob}", "main~999", "0" * 40),
            *("\udcff", "^main", "main^@", "main^!", "refs/heads", "../../HEAD", "config", "x" * 300, "a" * 2000),
        ],
    )
    def test_that_names_no_commit_is_404(self, repository: Repository, ref: str) -> None:
        quoted = "".join(f"%{byte:02X}" for byte in ref.encode("utf-8", "surrogateescape"))

        answer = repository.root.get(f"{repository.at('lib/a.txt')}?ref={quoted}")

        assert (answer.status, answer.json) == (404, {"message": "404 Commit Not Found"})

    @pytest.mark.parametrize("more", ["", "/blame"])
    def test_is_required_but_for_raw(self, repository: Repository, more: str) -> None:
        missing = repository.root.get(repository.at("lib/a.txt", more))
        blank = repository.root.get(repository.at("lib/a.txt", more, ref=""))

        assert (missing.status, missing.json) == (400, {"error": "ref is missing, ref is empty"})
        assert (blank.status, blank.json) == (400, {"error": "ref is empty"})

    def test_of_raw_is_the_default_branch_and_never_blank(self, repository: Repository) -> None:
        assert repository.raw("lib/a.txt").body == TEXT.encode()
        blank = repository.root.get(repository.at("lib/a.txt", "/raw", ref=""))
        assert (blank.status, blank.json) == (400, {"error": "ref is empty"})

    def test_of_an_empty_repository_is_404(self, vault: RunningVault) -> None:
        empty = Repository(vault)

        for answer in (empty.get("a"), empty.raw("a"), empty.blame("a"), empty.head("a")):
            assert answer.status == 404
        assert empty.get("a").json == {"message": "404 Commit Not Found"}


class TestAPath:
    @pytest.mark.parametrize(
        "path", ["none", "lib", "lib/", "lib/none", "lib/a.txt/x", "a.txt", "lib//a.txt", "LIB/a.txt"]
    )
    def test_that_is_no_file_is_404(self, repository: Repository, path: str) -> None:
        answer = repository.get(path)

        assert (answer.status, answer.json) == (404, {"message": "404 File Not Found"})

    @pytest.mark.parametrize("name", ["ä ö%41.txt", ":wq", "a+b&c=d", "*.txt", "raw", "blame", "x/raw"])
    def test_may_have_any_characters(self, repository: Repository, name: str) -> None:
        found = repository.get(name)

        assert (found.json["file_name"], found.json["file_path"]) == (name.rpartition("/")[2], name)
        assert repository.raw(name).body == name.encode()
        assert repository.blame(name).json[0]["lines"] == [name]
        assert found.json["last_commit_id"] == repository.git(
            "--literal-pathspecs", "log", "-1", "--format=%H", "main", "--", name
        )
        assert repository.head(name).headers["X-Gitlab-File-Name"].encode("latin-1") == name.rpartition("/")[2].encode()

    @pytest.mark.parametrize(
        "path", ["lib%2fa.txt", "lib%2Fa%2Etxt", "%6Cib%2Fa.txt", ".%2Flib%2Fa.txt", "lib%2Fa.txt%2F"]
    )
    def test_may_be_encoded_in_many_ways(self, repository: Repository, path: str) -> None:
        found = repository.root.get(f"/projects/{repository.id}/repository/files/{path}?ref=main")

        assert found.json["file_path"] == "lib/a.txt"

    @pytest.mark.parametrize(
        "path",
        ["..%2Fx", "lib%2F..%2Fa.txt", "%2Fetc%2Fpasswd", "x%0Ay", "x%00", "..%5Cx", "%2E%2E", "%252e%252e%252fx"],
    )
    @pytest.mark.parametrize("more", ["", "/raw", "/blame"])
    def test_that_climbs_is_400_on_every_route(self, repository: Repository, path: str, more: str) -> None:
        answer = repository.root.get(f"/projects/{repository.id}/repository/files/{path}{more}?ref=main")

        assert (answer.status, answer.json) == (400, {"error": "file_path should be a valid file path"})

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
    def test_with_plain_slashes_is_404_and_says_what_to_do(self, repository: Repository, method: str) -> None:
        answer = repository.root(method, f"/projects/{repository.id}/repository/files/lib/a.txt?ref=main")

        assert answer.status == 404
        if method != "HEAD":
            assert "write the slashes of file_path as %2F" in answer.json["error"]

    @pytest.mark.parametrize("path", [b"%FF", b"lib%2F%C3", b"\xff"])
    def test_of_other_bytes_than_text_is_no_server_error(self, repository: Repository, path: bytes) -> None:
        place = f"/api/v4/projects/{repository.id}/repository/files/{path.decode('latin-1')}?ref=main"
        answer = exchange(repository.vault.url, request("GET", place, {"PRIVATE-TOKEN": ROOT_TOKEN}))

        assert answer.status in (400, 404)

    def test_may_name_the_project_by_its_path(self, repository: Repository) -> None:
        project = repository.project["path_with_namespace"].replace("/", "%2F").replace(".", "%2E")

        found = repository.root.get(f"/projects/{project}/repository/files/lib%2Fa%2Etxt?ref=main")

        assert found.json["size"] == len(TEXT)


class TestAFile:
    def test_that_is_a_program_says_so(self, repository: Repository) -> None:
        assert repository.get("program").json["execute_filemode"] is True
        assert repository.head("program").headers["X-Gitlab-Execute-Filemode"] == "true"
        assert repository.get("lib/a.txt").json["execute_filemode"] is False

    def test_that_is_a_symlink_is_its_target_and_is_not_followed(self, vault: RunningVault) -> None:
        repository = Repository(vault)
        repository.post("secret", "content of the target")
        target = repository.git("hash-object", "-w", "--stdin", given=b"secret")
        repository.plant(f"120000 blob {target}\tlink")

        assert base64.b64decode(repository.get("link").json["content"]) == b"secret"
        assert repository.raw("link").body == b"secret"

    def test_that_is_a_submodule_has_no_content(self, vault: RunningVault) -> None:
        repository = Repository(vault)
        repository.post("a")
        repository.plant(f"160000 commit {'1' * 40}\tmodule")

        found = repository.get("module").json
        assert (found["size"], found["content"], found["blob_id"]) == (0, "", "1" * 40)
        assert (repository.raw("module").body, repository.blame("module").json) == (b"", [])

    def test_changed_in_mode_only_has_another_last_commit(self, repository: Repository) -> None:
        made = repository.post("mode", "x")
        changed = repository.change("PUT", "mode", content="x", execute_filemode=True)

        assert changed.status == 200
        assert repository.get("mode").json["last_commit_id"] == changed.json["commit_id"] != made["commit_id"]

    def test_of_megabytes_is_whole(self, repository: Repository) -> None:
        found = repository.get("large").json

        assert base64.b64decode(found["content"]) == LARGE
        assert found["content_sha256"] == hashlib.sha256(LARGE).hexdigest()

    def test_of_what_a_write_can_bring_is_json_too(self, repository: Repository) -> None:
        content = os.urandom(14 * 1024 * 1024)
        repository.post("much", base64.b64encode(content).decode(), encoding="base64")

        found = repository.get("much")

        assert found.status == 200
        assert base64.b64decode(found.json["content"]) == content

    def test_too_large_for_json_is_413_and_raw_has_it(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(repository_files, "JSON_LIMIT", len(LARGE) - 1)

        answer = repository.get("large")
        blame = repository.blame("large")

        assert (answer.status, blame.status) == (413, 413)
        assert "read it from its /raw" in answer.json["message"]
        assert repository.head("large").headers["X-Gitlab-Size"] == str(len(LARGE))
        assert repository.raw("large").body == LARGE

    def test_that_is_had_already_is_304(self, repository: Repository) -> None:
        first = repository.get("lib/a.txt")

        again = repository.get("lib/a.txt", headers={"If-None-Match": first.headers["ETag"]})
        other = repository.get("program", headers={"If-None-Match": first.headers["ETag"]})

        assert first.headers["ETag"].startswith('W/"')
        assert (again.status, again.body, other.status) == (304, b"", 200)

    def test_is_json_with_the_headers_of_every_answer(self, repository: Repository) -> None:
        answer = repository.get("lib/a.txt")

        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Gitlab-Blob-Id"] == answer.json["blob_id"]


class TestHead:
    @pytest.mark.parametrize("more", ["", "/raw", "/blame"])
    def test_reads_no_content(self, vault: RunningVault, more: str) -> None:
        """The object is cut off behind its head: whoever reads it fails."""
        repository = Repository(vault)
        made = repository.post("a", "content that is not read")
        vault.services.database.submit(lambda tx: None).result(20)  # behind what was queued
        blob = repository.folder / "objects" / made["blob_id"][:2] / made["blob_id"][2:]
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:-6])

        answer = repository.root("HEAD", repository.at("a", more, ref="main"))
        had = {"If-None-Match": f'"{made["blob_id"]}"'}

        assert repository.raw("a", headers=had).status == 304, "nor does who has it already make it be read"
        assert answer.status == 200
        assert answer.headers["X-Gitlab-Content-Sha256"] == made["content_sha256"]
        assert answer.headers["X-Gitlab-Size"] == "24"
        assert repository.raw("a").status == 500, "so this test would notice"

    def test_of_raw_tells_the_length(self, repository: Repository) -> None:
        answer = repository.root("HEAD", repository.at("large", "/raw"))

        assert answer.headers["Content-Length"] == str(len(LARGE))
        assert answer.body == b""

    def test_escapes_what_no_header_can_hold(self, repository: Repository) -> None:
        repository.post("tab\there\x7f", "x")

        answer = repository.head("tab\there\x7f")

        assert answer.headers["X-Gitlab-File-Name"] == "tab%09here%7F"


class TestRaw:
    @pytest.mark.parametrize(
        ("name", "content", "kind", "place"),
        [
            ("t.html", b"<script>alert(1)</script>", "text/plain; charset=utf-8", "inline"),
            ("t.js", b"alert(1)", "text/plain; charset=utf-8", "inline"),
            ("t.json", b"{}", "text/plain; charset=utf-8", "inline"),
            ("empty", b"", "text/plain; charset=utf-8", "inline"),
            ("t.png", PNG, "image/png", "inline"),
            ("t.jpg", b"\xff\xd8\xff\xe0", "image/jpeg", "inline"),
            ("t.svg", b'<?xml version="1.0"?>\n<svg onload="alert(1)"/>', "image/svg+xml", "attachment"),
            ("t.mp4", b"\x00\x00\x00\x18ftypisom", "video/mp4", "inline"),
            ("t.pdf", b"%PDF-1.7\n", "application/pdf", "attachment"),
            ("t.bin", b"\x00\x01", "application/octet-stream", "attachment"),
            ("t.zip", b"PK\x03\x04", "application/octet-stream", "attachment"),
        ],
    )
    def test_has_a_type_that_no_browser_runs(
        self, repository: Repository, name: str, content: bytes, kind: str, place: str
    ) -> None:
        repository.post(name, base64.b64encode(content).decode(), encoding="base64")

        answer = repository.raw(name)

        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Content-Disposition"] == f'{place}; filename="{name}"'
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.body == content

    def test_loses_an_extension_that_a_browser_would_run(self, repository: Repository) -> None:
        repository.post("page.xhtml", "<html/>")

        assert repository.raw("page.xhtml").headers["Content-Disposition"] == 'inline; filename="page"'

    def test_names_are_quoted(self, repository: Repository) -> None:
        repository.post('d/ä".txt', "x")

        value = repository.raw('d/ä".txt').headers["Content-Disposition"]
        assert value == "inline; filename=\"__.txt\"; filename*=UTF-8''%C3%A4%22.txt"

    @pytest.mark.parametrize("name", ["lib/a.txt", "large"])
    def test_comes_in_ranges(self, repository: Repository, name: str) -> None:
        content = TEXT.encode() if name == "lib/a.txt" else LARGE
        size = len(content)
        for asked, (start, end) in {
            "bytes=0-0": (0, 1),
            "bytes=2-5": (2, 6),
            f"bytes={size - 3}-": (size - 3, size),
            "bytes=-2": (size - 2, size),
            f"bytes=1-{size * 9}": (1, size),
            f"bytes={size // 2}-{size // 2 + 2}": (size // 2, size // 2 + 3),
        }.items():
            answer = repository.raw(name, headers={"Range": asked})

            assert (answer.status, answer.body) == (206, content[start:end])
            assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"

    @pytest.mark.parametrize("name", ["lib/a.txt", "large"])
    def test_has_no_range_behind_its_end(self, repository: Repository, name: str) -> None:
        answer = repository.raw(name, headers={"Range": "bytes=999999999-"})

        assert answer.status == 416

    @pytest.mark.parametrize("name", ["lib/a.txt", "large"])
    def test_that_is_had_already_is_304(self, repository: Repository, name: str) -> None:
        tag = repository.raw(name).headers["ETag"]

        again = repository.raw(name, headers={"If-None-Match": tag})
        part = repository.raw(name, headers={"Range": "bytes=0-1", "If-Range": '"another"'})

        assert tag == f'"{repository.get(name).json["blob_id"]}"'
        assert (again.status, again.body) == (304, b"")
        assert part.status == 200

    def test_whose_reader_goes_away_leaves_no_program_behind(self, repository: Repository) -> None:
        place = f"/api/v4{repository.at('large', '/raw')}"
        for _ in range(5):
            exchange_and_leave(repository.vault.url, place)

        assert repository.raw("large").body == LARGE


def exchange_and_leave(url: str, place: str) -> None:
    """Ask, read a little and go."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(request("GET", place, {"PRIVATE-TOKEN": ROOT_TOKEN}))
        connection.recv(1000)
