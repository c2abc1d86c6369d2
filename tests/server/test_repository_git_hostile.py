"""What no push brings in, whatever is sent to git's routes, and clients that go away in the middle."""

from __future__ import annotations

import gzip
import os
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from server import cgi
from server.api import git_http
from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.repository_support import Repository, commit, push
from tests.server.support import exchange, request
from tests.vault.repositories.support import git, run_git
from vault.repositories import locks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiohttp import web

    from tests.server.support import RawAnswer


@pytest.fixture
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("a", "first\n")
    return repository


@pytest.fixture
def clone(repository: Repository, tmp_path: Path) -> Path:
    """A working copy with one commit that is not pushed yet."""
    git("clone", "--quiet", repository.url(repository.root), str(tmp_path / "clone"))
    commit(tmp_path / "clone", "new", b"new\n")
    return tmp_path / "clone"


class TestWhatIsNeverTaken:
    @pytest.mark.parametrize(
        ("ref", "text"),
        [
            ("refs/replace/" + "a" * 40, "deny updating a hidden ref"),
            ("refs/merge-requests/1/head", "Only branches, tags and notes are taken"),
            ("refs/heads/" + "a" * 40, "a name that looks like a commit's id"),
            ("refs/heads/HEAD", "A branch cannot be called HEAD."),
        ],
    )
    def test_refs_that_confuse(self, repository: Repository, clone: Path, ref: str, text: str) -> None:
        assert text in push(clone, "origin", f"main:{ref}")
        assert "refs/heads/main" in repository.git("for-each-ref", "--format=%(refname)").split()

    def test_tags_and_notes_are(self, repository: Repository, clone: Path) -> None:
        git("tag", "-a", "-m", "annotated", "v1", cwd=clone)
        git("notes", "add", "-m", "a note", cwd=clone)

        assert push(clone, "origin", "v1", "refs/notes/commits").startswith("ok")
        assert repository.get("new", "v1").status == 200

    @pytest.mark.parametrize("entry", [".git", ".GIT", "git~1", "..", ".", "a/b", ".g\u200cit"])
    def test_trees_that_git_would_not_check_out(self, repository: Repository, clone: Path, entry: str) -> None:
        blob = git("hash-object", "-w", "--stdin", given=b"evil", cwd=clone)
        inner = raw_tree(clone, ("100644", "x", blob))
        commit_id = git("commit-tree", raw_tree(clone, ("40000", entry, inner)), "-m", "evil", cwd=clone)

        said = push(clone, "origin", f"{commit_id}:refs/heads/evil")

        assert "[remote rejected]" in said
        assert "evil" not in repository.git("for-each-ref")
        assert repository.root.get(f"{repository.at('x', ref=commit_id)}").status == 404, "nothing of it was kept"

    def test_a_gitmodules_file_that_runs_something(self, repository: Repository, clone: Path) -> None:
        text = b'[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/x\n'
        blob = git("hash-object", "-w", "--stdin", given=text, cwd=clone)
        tree = raw_tree(clone, ("100644", ".gitmodules", blob))
        commit_id = git("commit-tree", tree, "-m", "evil", cwd=clone)

        assert "[remote rejected]" in push(clone, "origin", f"{commit_id}:refs/heads/evil")

    def test_symlinks_and_submodules_are_taken_told_and_never_followed(
        self, repository: Repository, clone: Path, tmp_path: Path
    ) -> None:
        target = git("hash-object", "-w", "--stdin", given=b"/etc/passwd", cwd=clone)
        climbing = git("hash-object", "-w", "--stdin", given=b"../../../catalog.sqlite", cwd=clone)
        entries = ("120000", "climbing", climbing), ("120000", "link", target), ("160000", "module", "1" * 40)
        commit_id = git("commit-tree", raw_tree(clone, *entries), "-m", "links", cwd=clone)
        assert push(clone, "origin", f"{commit_id}:refs/heads/links").startswith("ok")

        raw = repository.root.get(repository.at("link", "/raw", ref="links"))
        assert raw.body == b"/etc/passwd"
        assert repository.root.get(repository.at("climbing", "/raw", ref="links")).body == b"../../../catalog.sqlite"
        assert repository.get("link/x", "links").status == 404
        assert repository.get("module", "links").json["size"] == 0
        below = repository.change("POST", "link/x", branch="links")
        assert below.json == {"message": "'link' is a file: nothing can lie below it"}
        changed = repository.change("PUT", "link", branch="links", content="/etc/shadow", execute_filemode=True)
        assert changed.status == 200
        assert repository.git("ls-tree", "links", "link").startswith("120000")

    def test_objects_that_are_broken(self, repository: Repository, clone: Path) -> None:
        raw = f"tree {git('rev-parse', 'HEAD^{tree}', cwd=clone)}\nauthor nobody\ncommitter nobody\n\nm\n".encode()
        broken = git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=raw, cwd=clone)

        assert "[remote rejected]" in push(clone, "origin", f"{broken}:refs/heads/broken")

    def test_leaves_no_unfinished_files(self, repository: Repository, clone: Path) -> None:
        push(clone, "origin", f"main:refs/replace/{'a' * 40}")

        assert not list(repository.folder.glob("objects/tmp_*"))
        assert not list(repository.folder.rglob("*.lock"))


def raw_tree(clone: Path, *entries: tuple[str, str, str]) -> str:
    """Write a tree that git's own commands would not: any name goes."""
    raw = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    return git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=raw, cwd=clone)


class TestTheProtocol:
    def test_without_a_service_is_refused(self, repository: Repository) -> None:
        place = f"/{repository.project['path_with_namespace']}.git/info/refs"
        token = {"PRIVATE-TOKEN": ROOT_TOKEN}

        for query in ("", "?service=git-upload-archive", "?service=git-receive-pack%20"):
            assert exchange(repository.vault.url, request("GET", place + query, token)).status == 403

    @pytest.mark.parametrize("file", ["HEAD", "config", "objects/info/packs", "info/../config", "vault/git-at-work"])
    def test_files_are_not_served(self, repository: Repository, file: str) -> None:
        place = f"/{repository.project['path_with_namespace']}.git/{file}"

        answer = exchange(repository.vault.url, request("GET", place, {"PRIVATE-TOKEN": ROOT_TOKEN}))

        assert answer.status == 404

    @pytest.mark.parametrize("body", [b"", b"0000", b"garbage", b"0009done\n", b"ffff" * 100])
    @pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
    def test_garbage_is_no_server_error(self, repository: Repository, service: str, body: bytes) -> None:
        assert post(repository, service, body).status < 500

    def test_a_compressed_body_is_what_it_inflates_to(self, repository: Repository) -> None:
        plain = post(repository, "git-upload-pack", wants(repository))
        packed = post(repository, "git-upload-pack", gzip.compress(wants(repository)), {"Content-Encoding": "gzip"})

        assert plain.status == packed.status == 200
        assert b"PACK" in packed.body
        assert packed.body[:8] == plain.body[:8]

    def test_a_compressed_body_that_is_none_is_refused(self, repository: Repository) -> None:
        assert post(repository, "git-upload-pack", b"no gzip", {"Content-Encoding": "gzip"}).status == 400
        assert post(repository, "git-upload-pack", b"x", {"Content-Encoding": "br"}).status == 415

    def test_a_bomb_is_cut_off(self, repository: Repository) -> None:
        line = b"0032have " + b"1" * 40 + b"\n"
        bomb = gzip.compress(line * 1_000_000)

        assert post(repository, "git-upload-pack", bomb, {"Content-Encoding": "gzip"}).status == 413
        assert repository.raw("a").status == 200


class TestAClientThatGoesAway:
    def test_in_the_middle_of_a_push_leaves_nothing_running_and_nothing_behind(self, repository: Repository) -> None:
        place = f"/{repository.project['path_with_namespace']}.git/git-receive-pack"
        kind = {"Content-Type": "application/x-git-receive-pack-request", "PRIVATE-TOKEN": ROOT_TOKEN}
        command = f"{'0' * 40} {'1' * 40} refs/heads/x\0 report-status".encode()
        begun = b"%04x" % (len(command) + 4) + command + b"0000PACK\0\0\0\2\0\0\0\5"
        asked = request("POST", place, {**kind, "Content-Length": "100000"}, begun)
        where = urlsplit(repository.vault.url)
        with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
            connection.sendall(asked)
            wait_until(lambda: not nobody_at_work(repository))

        wait_until(lambda: nobody_at_work(repository))
        assert not list(repository.folder.glob("objects/tmp_*"))
        assert "refs/heads/x" not in repository.git("for-each-ref")
        assert repository.change("POST", "later").status == 201

    def test_behind_a_push_has_pushed(self, vault: RunningVault, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The branches are moved, and only the answer is lost: what follows from them is noted all the same."""
        real = cgi.answer

        async def gone(*arguments: Any) -> web.StreamResponse:
            async def nothing() -> None:
                raise ConnectionResetError

            return await real(*arguments[:-1], nothing if arguments[0].method == "POST" else arguments[-1])

        empty = Repository(vault)
        monkeypatch.setattr(cgi, "answer", gone)

        push(clone, empty.url(empty.root), "main")

        wait_until(lambda: vault.root.get(f"/projects/{empty.id}").json["empty_repo"] is False)
        assert empty.raw("a").status == 200

    def test_in_the_middle_of_a_clone_is_noticed(self, repository: Repository, clone: Path) -> None:
        commit(clone, "large", os.urandom(8_000_000))
        push(clone, "origin", "main")
        place = f"/{repository.project['path_with_namespace']}.git/git-upload-pack"
        headers = {"PRIVATE-TOKEN": ROOT_TOKEN, "Content-Type": "application/x-git-upload-pack-request"}
        where = urlsplit(repository.vault.url)
        for _ in range(12):  # more than may run at a time
            with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
                connection.sendall(request("POST", place, headers, wants(repository)))
                connection.recv(1000)

        assert run_git("ls-remote", repository.url(repository.root)).returncode == 0


def nobody_at_work(repository: Repository) -> bool:
    with locks.no_git_at_work(repository.folder) as alone:
        return alone


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wants(repository: Repository) -> bytes:
    tip = repository.git("rev-parse", "main")
    return f"0032want {tip}\n00000009done\n".encode()


def post(repository: Repository, service: str, body: bytes, more: dict[str, str] | None = None) -> RawAnswer:
    place = f"/{repository.project['path_with_namespace']}.git/{service}"
    kind = {"Content-Type": f"application/x-{service}-request", "PRIVATE-TOKEN": ROOT_TOKEN}
    headers = {**kind, "Content-Length": str(len(body)), **(more or {})}
    return exchange(repository.vault.url, request("POST", place, headers, body), method="POST")


class TestABodyThatCannotBeTaken:
    """It has an answer, where it shows before git was told anything."""

    def send(self, repository: Repository, service: str, **lines: str) -> RawAnswer:
        path = urlsplit(repository.url(None)).path
        login = {"PRIVATE-TOKEN": ROOT_TOKEN, "Content-Type": f"application/x-{service}-request"}
        return exchange(repository.vault.url, request("POST", f"{path}/{service}", {**login, **lines}), b"no gzip")

    @pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
    def test_as_it_is_encoded_in_a_way_not_known(self, repository: Repository, service: str) -> None:
        answer = self.send(repository, service, **{"Content-Encoding": "br", "Content-Length": "7"})

        assert (answer.status, answer.json) == (415, {"message": "415 Unsupported Media Type: Content-Encoding 'br'"})

    @pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
    def test_as_it_is_no_gzip(self, repository: Repository, service: str) -> None:
        answer = self.send(repository, service, **{"Content-Encoding": "gzip", "Content-Length": "7"})

        assert (answer.status, answer.json) == (400, {"message": "400 Bad Request: the body is not gzip"})

    @pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
    def test_as_it_says_that_it_is_too_long(self, repository: Repository, service: str) -> None:
        answer = self.send(repository, service, **{"Content-Length": str(10**12)})

        assert (answer.status, answer.json) == (413, {"message": "413 Request Entity Too Large"})

    @pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
    def test_as_it_is_of_another_type(self, repository: Repository, service: str) -> None:
        answer = self.send(repository, service, **{"Content-Type": "text/plain", "Content-Length": "7"})

        text = f"415 Unsupported Media Type: application/x-{service}-request is wanted"
        assert (answer.status, answer.json) == (415, {"message": text})

    def test_as_it_does_not_come(self, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(git_http, "CLIENT_SILENCE", 0.1)

        answer = self.send(repository, "git-upload-pack", **{"Content-Length": "100"})

        assert (answer.status, answer.json) == (408, {"message": "408 Request Timeout"})
