"""Packing, sweeping, and that neither is ever felt."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

from tests.vault.repositories.histories import History
from vault.repositories import housekeeping, locks
from vault.repositories.housekeeping import pack, remove_left_behind, wants_graph, wants_packing

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.vault.repositories.support import Site


def loose(site: Site) -> int:
    return int(site.git("count-objects").split()[0])


def files(folder: Path) -> list[Path]:
    """All of a repository's files but the locks of the vault."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != locks.OWN)


def packs(site: Site) -> int:
    return len(list((site.folder / "objects/pack").glob("*.pack")))


class TestPacking:
    def test_leaves_all_that_was_there(self, site: Site) -> None:
        for number in range(5):
            site.write(f"d/{number}", b"%d" % number)
        site.write("d/0", b"topic", branch="topic", start_branch="main")
        before = site.git("for-each-ref"), site.git("rev-list", "--objects", "--all")

        assert pack(site.folder)

        assert (site.git("for-each-ref"), site.git("rev-list", "--objects", "--all")) == before
        assert loose(site) == 0
        assert site.content("d/0", "topic") == b"topic"
        site.git("fsck", "--strict")

    def test_writes_a_graph_that_knows_the_paths_commits_change(self, site: Site) -> None:
        site.write("a")

        pack(site.folder)

        site.git("commit-graph", "verify")
        assert any((site.folder / "objects/info").glob("commit-graph*"))

    def test_takes_new_objects_into_packs_of_their_own_afterwards(self, site: Site) -> None:
        History(seed=1, commits=120, files=20).into(site.folder)
        pack(site.folder)
        large = next((site.folder / "objects/pack").glob("*.pack"))
        for number in range(3):
            site.write(f"new/{number}")

        pack(site.folder)

        assert loose(site) == 0
        assert packs(site) == 2
        assert large.exists(), "the large pack was not written again"

    def test_drops_once_in_a_while_what_nothing_refers_to(self, site: Site) -> None:
        site.write("a", b"kept")
        forgotten = site.git("hash-object", "-w", "--stdin", given=b"forgotten")
        young = site.git("hash-object", "-w", "--stdin", given=b"young")
        old = time.time() - 20 * 24 * 3600
        os.utime(site.folder / "objects" / forgotten[:2] / forgotten[2:], (old, old))

        pack(site.folder)

        there = site.git("cat-file", "--batch-all-objects", "--batch-check").split()
        assert forgotten not in there
        assert young in there

    def test_is_done_by_one_at_a_time(self, site: Site) -> None:
        site.write("a")

        with locks.housekeeping(site.folder) as taken:
            assert taken
            assert not pack(site.folder)

    def test_that_fails_is_no_ones_trouble(self, site: Site) -> None:
        site.write("a")
        shutil.rmtree(site.folder / "objects")

        assert not pack(site.folder)


class TestTheChore:
    def test_packs_what_was_written_to_once_it_is_due(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        site.write("a")
        keeper = site.repositories.housekeeping
        keeper.chore()
        assert packs(site) == 0

        monkeypatch.setattr(housekeeping, "MANY_IN_SAMPLE", 0)
        site.write("b")
        keeper.chore()
        assert keeper._running is not None
        keeper._running.join(30)

        assert (packs(site), loose(site)) == (1, 0)

    def test_writes_the_graph_of_what_came_in_a_pack(self, site: Site) -> None:
        History(seed=1, commits=120, files=20).into(site.folder)
        keeper = site.repositories.housekeeping
        before = packs(site)
        assert before
        assert wants_graph(site.folder)

        keeper.note(site.folder)
        keeper.chore()
        assert keeper._running is not None
        keeper._running.join(30)

        assert packs(site) == before, "and packs nothing yet"
        assert not wants_graph(site.folder)
        site.git("commit-graph", "verify")

    def test_counts_loose_objects_and_packs(self, site: Site) -> None:
        site.write("a")
        assert not wants_packing(site.folder)
        for number in range(8):
            path = site.folder / "objects/17" / f"{number:038x}"
            path.parent.mkdir(exist_ok=True)
            path.touch()
        assert wants_packing(site.folder)


class TestReadersAndWriters:
    def test_do_not_notice_that_packs_are_replaced(self, site: Site) -> None:
        """Threads that have a repository open go on through every packing."""
        expected = {f"d/{number}": site.write(f"d/{number}", b"%d" % number).commit_id for number in range(10)}
        stop, failures = threading.Event(), []

        def read() -> None:
            while not stop.is_set():
                for path, commit in expected.items():
                    found = site.file(path)
                    if found.last_commit_id != commit or site.content(path) != path[2:].encode():
                        failures.append(path)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(6):
            site.write(f"more/{number}")
            assert pack(site.folder)
            site.git("repack", "-a", "-d", "-q", "-F")
        stop.set()
        for reader in readers:
            reader.join()

        assert not failures
        assert len(site.git("rev-list", "main").splitlines()) == 16


class TestSweeping:
    LEFT = (
        "HEAD.lock",
        "packed-refs.lock",
        "refs/heads/main.lock",
        "refs/heads/a/b.lock",
        "objects/info/commit-graphs/commit-graph-chain.lock",
        "objects/pack/tmp_pack_XYZ",
        "objects/tmp_objdir-incoming-XYZ/pack/x.pack",
    )

    def leave(self, folder: Path) -> None:
        for name in self.LEFT:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()

    def test_removes_what_killed_programs_left(self, site: Site) -> None:
        site.write("a")
        before = files(site.folder)
        self.leave(site.folder)

        assert site.repositories.housekeeping.sweep() == len(self.LEFT)

        assert files(site.folder) == before
        site.git("fsck", "--strict")

    def test_leaves_everything_while_a_git_program_is_at_work(self, site: Site) -> None:
        site.write("a")
        self.leave(site.folder)

        with locks.git_at_work(site.folder):
            assert remove_left_behind(site.folder) == 0
        assert (site.folder / "HEAD.lock").exists()

    def test_leaves_what_a_writer_of_the_vault_has_under_his_hand(self, site: Site) -> None:
        """Packing begins with this while others write: libgit2 holds no share of `git-at-work`."""
        site.write("a")
        held, free = site.folder / "refs/heads/main.lock", site.folder / "refs/heads/x/free.lock"
        packing, fresh = site.folder / "packed-refs.lock", site.folder / "HEAD.lock"
        young, old = (site.folder / f"objects/tmp_object_git2_{name}" for name in ("young", "old"))
        free.parent.mkdir()
        for path in (held, free, packing, fresh, young, old):
            path.touch()
        long_ago = time.time() - 2 * 3600
        for path in (held, free, packing, old):
            os.utime(path, (long_ago, long_ago))

        with locks.branch_queue(site.folder, "main"):
            assert remove_left_behind(site.folder) == 3

        left = [path.exists() for path in (held, free, packing, fresh, young, old)]
        assert left == [True, False, False, True, True, False]

    def test_removes_a_folder_that_never_got_into_the_catalog(self, site: Site) -> None:
        site.write("a")
        stray = site.folder.parent.parent / "ab" / f"ab{'0' * 30}.git"
        for inside in ("objects/pack", "refs/heads"):
            (stray / inside).mkdir(parents=True)

        site.repositories.housekeeping.sweep()

        assert not stray.exists()
        assert site.folder.exists()

    def test_leaves_a_folder_with_something_in_it_to_people(self, site: Site) -> None:
        site.write("a")
        stray = site.folder.parent.parent / "ab" / f"ab{'0' * 30}.git"
        shutil.copytree(site.folder, stray)

        site.repositories.housekeeping.sweep()

        assert stray.exists()
