"""Files that `.gitattributes` marks for Git LFS, as the repository API writes and reads them."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.repository_support import Repository, commit, push
from tests.vault.repositories.support import git
from vault.errors import Unavailable
from vault.repositories import attributes
from vault.repositories.content import blob_id_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Answer, RunningVault

BYTES = random.Random(7).randbytes(200_000)
ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"


def pointer(content: bytes) -> str:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


@pytest.fixture
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post(".gitattributes", ATTRIBUTES)
    return repository


def write(repository: Repository, path: str, content: bytes, method: str = "POST", **fields: Any) -> Answer:
    return repository.change(method, path, content=b64encode(content).decode(), encoding="base64", **fields)


def large(repository: Repository, path: str, **more: Any) -> Answer:
    """Ask for what a pointer stands for."""
    return repository.root.get(repository.at(path, "/raw", lfs="true"), **more)


def objects(repository: Repository) -> list[str]:
    """Return the SHA-256 of each object that the project has."""
    sql = "SELECT checksum FROM lfs_objects WHERE project_id = :id ORDER BY id"
    return [row["checksum"] for row in repository.vault.services.database.query(sql, id=repository.id)]


class TestWriting:
    def test_content_that_is_marked_becomes_a_pointer_and_an_object(self, repository: Repository) -> None:
        answer = write(repository, "a.bin", BYTES)

        text = pointer(BYTES).encode()
        assert answer.status == 201
        assert answer.json["content_sha256"] == hashlib.sha256(text).hexdigest()
        assert answer.json["blob_id"] == str(blob_id_of(text))
        assert repository.git("show", "main:a.bin") + "\n" == text.decode()
        assert objects(repository) == [hashlib.sha256(BYTES).hexdigest()]

    def test_the_same_goes_for_put(self, repository: Repository) -> None:
        write(repository, "a.bin", b"first")

        assert write(repository, "a.bin", BYTES, "PUT").status == 200
        assert repository.raw("a.bin").body == pointer(BYTES).encode()
        assert large(repository, "a.bin").body == BYTES

    def test_other_content_is_committed_as_it_came(self, repository: Repository) -> None:
        write(repository, "a.txt", BYTES)

        assert repository.raw("a.txt").body == BYTES
        assert objects(repository) == []

    def test_the_same_content_again_is_an_empty_commit(self, repository: Repository) -> None:
        write(repository, "a.bin", BYTES)

        answer = write(repository, "a.bin", BYTES, "PUT")

        assert (answer.status, answer.json["message"]) == (
            400,
            "'a.bin' has this content already: the commit would be empty",
        )

    def test_a_file_from_before_the_mark_becomes_a_pointer_when_it_is_written_again(self, vault: RunningVault) -> None:
        repository = Repository(vault)
        write(repository, "a.bin", BYTES)
        repository.post(".gitattributes", ATTRIBUTES)

        assert write(repository, "a.bin", BYTES, "PUT").status == 200
        assert repository.raw("a.bin").body == pointer(BYTES).encode()

    def test_content_that_two_files_have_is_kept_once(self, repository: Repository) -> None:
        write(repository, "a.bin", BYTES)
        write(repository, "b.bin", BYTES)

        assert len(objects(repository)) == 1

    def test_a_pointer_to_an_object_of_the_project_stays_as_it_is(self, repository: Repository) -> None:
        write(repository, "a.bin", BYTES)

        write(repository, "b.bin", pointer(BYTES).encode())

        assert large(repository, "b.bin").body == BYTES

    def test_a_pointer_to_nothing_is_content_like_any_other(self, repository: Repository) -> None:
        text = pointer(b"never seen").encode()

        write(repository, "a.bin", text)

        assert large(repository, "a.bin").body == text

    def test_an_empty_file_stays_empty(self, repository: Repository) -> None:
        write(repository, "a.bin", b"")

        assert repository.raw("a.bin").body == b""
        assert objects(repository) == []

    def test_a_symbolic_link_keeps_its_target(self, repository: Repository) -> None:
        oid = repository.git("hash-object", "-w", "--stdin", given=b"elsewhere")
        marks = repository.git("rev-parse", "main:.gitattributes")
        repository.plant(f"120000 blob {oid}\tl.bin", f"100644 blob {marks}\t.gitattributes")

        write(repository, "l.bin", b"target", "PUT")

        assert repository.raw("l.bin").body == b"target"

    def test_what_is_refused_leaves_no_object(self, repository: Repository) -> None:
        write(repository, "a.bin", b"x")

        assert write(repository, "a.bin", BYTES).json["message"] == "A file with this name already exists"
        assert write(repository, "b.bin", BYTES, branch="nowhere").status == 400
        assert len(objects(repository)) == 1


class TestTheMark:
    def test_is_looked_for_in_every_folder_on_the_way(self, repository: Repository) -> None:
        repository.post("big/.gitattributes", "*.dat filter=lfs\n*.bin -filter\n")

        for path in ("big/a.dat", "big/deep/a.dat", "a.dat", "big/a.bin", "big.bin"):
            write(repository, path, BYTES)

        kept = {path: repository.raw(path).body != BYTES for path in ("big/a.dat", "big/deep/a.dat", "big.bin")}
        plain = {path: repository.raw(path).body == BYTES for path in ("a.dat", "big/a.bin")}
        assert all(kept.values()), kept
        assert all(plain.values()), plain

    def test_may_be_a_macro(self, vault: RunningVault) -> None:
        repository = Repository(vault)
        repository.post(".gitattributes", "[attr]large filter=lfs -text\n*.psd large\n")

        write(repository, "a.psd", BYTES)

        assert repository.raw("a.psd").body == pointer(BYTES).encode()

    def test_is_that_of_the_branch_written_to(self, repository: Repository) -> None:
        repository.change("DELETE", ".gitattributes", branch="plain", start_branch="main", content=None)

        write(repository, "a.bin", BYTES, branch="plain")
        write(repository, "b.bin", BYTES, branch="new", start_branch="main")

        assert repository.raw("a.bin", params={"ref": "plain"}).body == BYTES
        assert repository.raw("b.bin", params={"ref": "new"}).body == pointer(BYTES).encode()

    @pytest.mark.parametrize(
        "text", ["*.bin filter=other\n", "# filter=lfs\n", "*.bin diff=lfs\n", "*.txt filter=lfs\n"]
    )
    def test_is_nothing_else(self, vault: RunningVault, text: str) -> None:
        repository = Repository(vault)
        repository.post(".gitattributes", text)

        write(repository, "a.bin", BYTES)

        assert repository.raw("a.bin").body == BYTES

    def test_of_the_repositorys_own_configuration_counts_for_nothing(self, vault: RunningVault) -> None:
        repository = Repository(vault)
        repository.post(".gitattributes", "*.lfs -filter\n")
        elsewhere = repository.folder / "elsewhere"
        elsewhere.write_text("*.bin filter=lfs\n")
        repository.git("config", "core.attributesFile", str(elsewhere))

        write(repository, "a.bin", BYTES)

        assert repository.raw("a.bin").body == BYTES

    def test_whose_patterns_take_for_ever_is_refused(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(attributes, "PATIENCE", 0.5)
        repository.change("PUT", ".gitattributes", content="**/a*/" * 12 + "b filter=lfs\n")

        answer = write(repository, "a/" * 200 + "c", BYTES)

        assert answer.status == 400
        assert answer.json["message"].startswith("the patterns of .gitattributes take too long")


@pytest.fixture(scope="module")
def kept(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post(".gitattributes", ATTRIBUTES)
    write(repository, "dir/ä.bin", BYTES)
    repository.post("missing", pointer(b"nobody has it"))
    repository.post("lib/a.txt", "one\ntwo\n")
    return repository


class TestReading:
    def test_raw_with_lfs_gives_the_object_to_be_saved(self, kept: Repository) -> None:
        answer = large(kept, "dir/ä.bin")

        assert (answer.status, answer.body) == (200, BYTES)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment; filename=\"_.bin\"; filename*=UTF-8''%C3%A4.bin"
        assert answer.headers["ETag"] == f'"{hashlib.sha256(BYTES).hexdigest()}"'
        assert answer.headers["X-Gitlab-Size"] == str(len(pointer(BYTES)))

    def test_raw_without_it_gives_the_pointer(self, kept: Repository) -> None:
        assert kept.raw("dir/ä.bin").body == pointer(BYTES).encode()
        assert kept.root.get(kept.at("dir/ä.bin", "/raw", lfs="false")).body == pointer(BYTES).encode()

    def test_json_gives_the_pointer(self, kept: Repository) -> None:
        told = kept.get("dir/ä.bin").json

        assert told["content"] == b64encode(pointer(BYTES).encode()).decode()
        assert told["size"] == len(pointer(BYTES))
        assert told["content_sha256"] == hashlib.sha256(pointer(BYTES).encode()).hexdigest()

    def test_a_range_is_one_of_the_object(self, kept: Repository) -> None:
        answer = large(kept, "dir/ä.bin", headers={"Range": "bytes=150000-150009"})

        assert (answer.status, answer.body) == (206, BYTES[150_000:150_010])
        assert answer.headers["Content-Range"] == f"bytes 150000-150009/{len(BYTES)}"

    def test_who_has_the_object_is_told_so(self, kept: Repository) -> None:
        answer = large(kept, "dir/ä.bin", headers={"If-None-Match": f'"{hashlib.sha256(BYTES).hexdigest()}"'})

        assert (answer.status, answer.body) == (304, b"")

    def test_head_tells_of_the_object(self, kept: Repository) -> None:
        answer = kept.root("HEAD", kept.at("dir/ä.bin", "/raw", lfs="true"))

        assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, str(len(BYTES)), b"")

    def test_an_object_that_the_project_does_not_have_is_not_found(self, kept: Repository) -> None:
        answer = large(kept, "missing")

        assert answer.status == 404
        assert answer.json["message"].startswith("404 File Not Found")
        assert kept.raw("missing").body == pointer(b"nobody has it").encode()

    def test_an_object_of_another_project_is_not_found(self, kept: Repository) -> None:
        other = Repository(kept.vault)
        other.post("stolen", pointer(BYTES))

        assert large(other, "stolen").status == 404

    def test_ordinary_files_are_not_asked_for_one(self, kept: Repository) -> None:
        assert large(kept, "lib/a.txt").body == b"one\ntwo\n"
        assert kept.root.get(kept.at("lib/a.txt", "/raw", lfs="maybe")).json == {"error": "lfs is invalid"}

    @pytest.mark.parametrize(
        "text", ["version https://git-lfs.github.com/spec/v1\n", pointer(BYTES).replace("oid", "id")]
    )
    def test_half_a_pointer_is_an_ordinary_file(self, kept: Repository, text: str) -> None:
        kept.change("PUT", "half", content=text, create="true")

        assert large(kept, "half").body == text.encode()


class TestAPush:
    """Of plain git, which sends pointers as it sends anything."""

    @pytest.fixture
    def clone(self, repository: Repository, tmp_path: Path) -> Path:
        git("clone", "--quiet", repository.url(repository.root), str(tmp_path / "clone"))
        return tmp_path / "clone"

    def test_of_a_pointer_to_nothing_is_refused(self, repository: Repository, clone: Path) -> None:
        before = repository.git("rev-parse", "main")
        commit(clone, "a.bin", pointer(BYTES).encode())
        commit(clone, "other", b"something else")

        told = push(clone, "origin", "main")

        assert 'remote: LFS objects are missing. Ensure LFS is properly set up or try a manual "git lfs' in told
        assert not told.startswith("ok")
        assert repository.git("rev-parse", "main") == before

    def test_of_a_pointer_to_an_object_is_taken(self, repository: Repository, clone: Path) -> None:
        repository.vault.services.lfs.keep(repository.id, BYTES)
        commit(clone, "a.bin", pointer(BYTES).encode())

        assert push(clone, "origin", "main", "main:refs/heads/topic").startswith("ok")
        assert large(repository, "a.bin").body == BYTES

    def test_of_a_pointer_to_anothers_object_is_refused(self, repository: Repository, clone: Path) -> None:
        other = Repository(repository.vault)
        repository.vault.services.lfs.keep(other.id, BYTES)
        commit(clone, "a.bin", pointer(BYTES).encode())

        assert not push(clone, "origin", "main").startswith("ok")

    def test_asks_nothing_of_what_was_there_before(self, repository: Repository, clone: Path) -> None:
        oid = repository.git("hash-object", "-w", "--stdin", given=pointer(BYTES).encode())
        repository.plant(f"100644 blob {oid}\ta.bin", ref="refs/heads/old")
        git("fetch", "--quiet", "origin", cwd=clone)
        git("checkout", "--quiet", "old", cwd=clone)
        commit(clone, "b", b"something else")

        assert push(clone, "origin", "old").startswith("ok")

    def test_of_text_about_pointers_is_taken(self, repository: Repository, clone: Path) -> None:
        commit(clone, "a.md", b"A pointer:\n\n" + pointer(BYTES).encode())
        commit(clone, "b.md", pointer(BYTES).encode() + b"and more\n" * 200)

        assert push(clone, "origin", "main").startswith("ok")

    def test_that_deletes_a_branch_asks_nothing(self, repository: Repository, clone: Path) -> None:
        assert push(clone, "origin", "main:refs/heads/topic").startswith("ok")

        assert push(clone, "origin", ":refs/heads/topic").startswith("ok")

    def test_is_refused_while_the_catalog_is_away(
        self, repository: Repository, clone: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object) -> None:
            raise Unavailable("the catalog does not answer")

        commit(clone, "a.bin", pointer(BYTES).encode())
        monkeypatch.setattr(repository.vault.services.lfs, "get", away)

        assert "remote: It cannot be told now whether all LFS objects are here. Try again." in push(
            clone, "origin", "main"
        )

    def test_leaves_nobody_listening(self, repository: Repository, clone: Path) -> None:
        commit(clone, "a", b"something")
        push(clone, "origin", "main")

        deadline = time.monotonic() + 10
        while listening := [thread for thread in threading.enumerate() if thread.name == "pointers"]:
            assert time.monotonic() < deadline, listening
            time.sleep(0.01)


class TestAProject:
    def test_takes_its_objects_along_when_it_is_deleted(self, repository: Repository) -> None:
        write(repository, "a.bin", BYTES)
        left = "SELECT id FROM blobs WHERE family = 'lfs_objects' AND project_id = :id"

        assert repository.root.delete(f"/projects/{repository.id}").status == 202

        assert objects(repository) == []
        assert repository.vault.services.database.query(left, id=repository.id) == []
