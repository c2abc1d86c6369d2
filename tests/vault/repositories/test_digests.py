"""What is known of pushed files before anybody asks, and that nobody waits for it."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

from tests.vault.core import opened
from tests.vault.repositories.histories import History
from tests.vault.repositories.support import Site, git, git_bytes
from vault.models import Role
from vault.repositories import digests
from vault.repositories.digests import EMPTY_TREE, Digests, Push, changed_blobs, moves

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def pushed(site: Site, *commands: tuple[str, ...], given: bytes = b"") -> None:
    """Do to the repository what a push does, between what the server does before and after one."""
    with site.repositories.serving.pushing(site.project, site.user, Role.OWNER) as backend:
        for command in commands:
            site.git(*command, given=given)
        site.repositories.serving.pushed(site.project, backend)
    site.repositories.digests.settle()


def planted(site: Site, **files: bytes) -> str:
    """Return a commit of files that no ref leads to."""
    lines = [f"100644 blob {site.git('hash-object', '-w', '--stdin', given=files[name])}\t{name}\n" for name in files]
    return site.git("commit-tree", site.git("mktree", given="".join(lines).encode()), "-m", "m")


def known(site: Site) -> dict[str, tuple[int, str]]:
    rows = site.core.sql("SELECT blob_id, size, sha256 FROM git_blobs WHERE project_id = :id", id=site.id)
    return {row["blob_id"]: (row["size"], row["sha256"]) for row in rows}


class TestAfterAPush:
    def test_every_file_of_a_branch_is_known(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data") as core:
            site = Site(core)
            History(seed=5, commits=60, files=20).into(site.folder, "building")
            tip = site.git("rev-parse", "building")
            site.git("update-ref", "-d", "refs/heads/building")

            pushed(site, ("update-ref", "refs/heads/main", tip))

            blobs = {line.split()[2] for line in site.git("ls-tree", "-r", tip).splitlines()}
            contents = {blob: git_bytes(f"--git-dir={site.folder}", "cat-file", "blob", blob) for blob in blobs}
            assert len(blobs) > 5
            assert known(site) == {
                blob: (len(content), hashlib.sha256(content).hexdigest()) for blob, content in contents.items()
            }

    def test_head_reads_no_file(self, site: Site) -> None:
        content = random.Random(1).randbytes(3000)
        commit = planted(site, a=content)
        pushed(site, ("update-ref", "refs/heads/main", commit))
        blob_id = site.git("rev-parse", "main:a")
        path = site.folder / "objects" / blob_id[:2] / blob_id[2:]
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:60])

        assert site.file("a").sha256 == hashlib.sha256(content).hexdigest()

    def test_only_what_it_brought_is_read(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        site.write("a", b"a")
        seen: list[str] = []
        real = digests.hashed
        monkeypatch.setattr(digests, "hashed", lambda folder, ids: real(folder, seen.extend(ids) or seen))  # type: ignore[func-returns-value]
        commit = planted(site, a=b"a", b=b"b")

        pushed(site, ("update-ref", "refs/heads/topic", commit))

        assert seen == [site.git("rev-parse", "topic:b")]

    def test_tags_are_known_too_and_what_else_they_may_lead_to_is_no_trouble(self, site: Site) -> None:
        site.write("a")
        commit = planted(site, b=b"tagged")
        blob = site.git("hash-object", "-w", "--stdin", given=b"bare blob")

        pushed(site, ("tag", "-a", "-m", "m", "v1", commit), ("tag", "blob", blob))
        pushed(site, ("tag", "v2", planted(site, c=b"2")))

        assert {site.git("rev-parse", "v1:b"), site.git("rev-parse", "v2:c")} <= known(site).keys()

    def test_submodules_symlinks_and_empty_files_are_no_trouble(self, site: Site) -> None:
        link = site.git("hash-object", "-w", "--stdin", given=b"/etc/passwd")
        empty = site.git("hash-object", "-w", "--stdin")
        lines = f"100644 blob {empty}\te\n120000 blob {link}\tl\n160000 commit {'1' * 40}\tm\n".encode()
        commit = site.git("commit-tree", site.git("mktree", "--missing", given=lines), "-m", "m")

        pushed(site, ("update-ref", "refs/heads/main", commit))

        assert known(site).keys() == {link, empty}

    def test_a_branch_that_went_is_no_trouble(self, site: Site) -> None:
        site.write("a")
        site.write("b", branch="topic", start_branch="main")

        pushed(site, ("update-ref", "-d", "refs/heads/topic"))

        assert len(known(site)) == 1

    def test_a_project_that_went_meanwhile_stops_nothing(self, site: Site, shared_core: object) -> None:
        commit = planted(site, a=b"gone")
        folder = site.folder
        keeper: Digests = site.repositories.digests
        keeper.note(Push(10**9, folder, frozenset({(EMPTY_TREE, commit)})))
        pushed(site, ("update-ref", "refs/heads/main", planted(site, a=b"there")))

        assert site.git("rev-parse", "main:a") in known(site)

    def test_more_than_can_wait_is_left_to_who_asks(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(digests, "WAITING", 1)
        monkeypatch.setattr(Digests, "_run", lambda self: None)
        keeper = Digests(site.repositories.reading._facts)
        for _ in range(3):
            keeper.note(Push(site.id, site.folder, frozenset({(EMPTY_TREE, "0" * 40)})))

        site.git("update-ref", "refs/heads/main", planted(site, a=b"asked"))
        assert site.file("a").sha256 == hashlib.sha256(b"asked").hexdigest()


class TestWhatAPushMoved:
    def test_is_what_two_looks_differ_in(self) -> None:
        before = {"refs/heads/main": "1", "refs/heads/same": "2", "refs/heads/gone": "3"}
        after = {"refs/heads/main": "4", "refs/heads/same": "2", "refs/heads/new": "5"}

        assert moves(before, after, "main") == {("1", "4"), ("1", "5")}
        assert moves({}, {"refs/heads/main": "1"}, "main") == {(EMPTY_TREE, "1")}

    def test_names_of_any_bytes_are_passed_over(self, site: Site) -> None:
        blob = site.git("hash-object", "-w", "--stdin", given=b"x")
        entry = f"100644 blob {blob}\t".encode() + b":100644 \xff\n\0"
        commit = site.git("commit-tree", git(f"--git-dir={site.folder}", "mktree", "-z", given=entry), "-m", "m")

        assert changed_blobs(Push(site.id, site.folder, frozenset({(EMPTY_TREE, commit)}))) == {blob}
