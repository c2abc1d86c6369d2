"""Many who move one branch at the same time: writers of the vault, pushes, and the locks of the dead."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from pygit2 import Oid

from tests.vault.repositories.support import git, run_git
from vault.errors import CannotCommit
from vault.repositories import Action, committing, locks
from vault.repositories.refs import Moved, create_branch, move_branch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.repositories.support import Site


def commits(site: Site, branch: str = "main") -> list[str]:
    return site.git("rev-list", branch).splitlines()


class TestWriters:
    def test_of_different_files_all_land(self, site: Site) -> None:
        site.write("first")

        with ThreadPoolExecutor(8) as pool:
            written = list(pool.map(lambda number: site.write(f"d{number % 3}/{number}"), range(40)))

        assert {each.commit_id for each in written} < set(commits(site))
        assert len(commits(site)) == 41
        assert len(site.git("ls-tree", "-r", "--name-only", "main").splitlines()) == 41
        site.git("fsck", "--strict")

    def test_whose_queues_do_not_reach_each_other_all_land_too(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on machines that do not see each other's locks: the queue is for order, git's own lock for safety."""
        site.write("first")
        monkeypatch.setattr(committing, "branch_queue", lambda folder, branch: nullcontext())

        with ThreadPoolExecutor(6) as pool:
            written = list(pool.map(lambda number: site.write(f"d{number % 3}/{number}"), range(30)))

        assert {each.commit_id for each in written} < set(commits(site))
        assert len(commits(site)) == 31
        site.git("fsck", "--strict")

    def test_of_one_new_file_one_wins_and_the_others_hear_why(self, site: Site) -> None:
        site.write("first")

        def create(number: int) -> str:
            try:
                return site.write("same", b"%d" % number, action=Action.CREATE).commit_id
            except CannotCommit as error:
                return str(error)

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(create, range(6)))

        assert answers.count("A file with this name already exists") == 5
        assert len(commits(site)) == 2

    def test_of_one_new_branch_one_makes_it(self, site: Site) -> None:
        site.write("first")

        def start(number: int) -> str:
            try:
                return site.write(f"f{number}", branch="topic", start_branch="main").commit_id
            except CannotCommit as error:
                return str(error)

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(start, range(6)))

        assert sum("A branch called 'topic' already exists" in answer for answer in answers) == 5
        assert commits(site, "topic")[0] in answers

    def test_of_the_first_commit_all_land(self, site: Site) -> None:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda number: site.write(f"f{number}"), range(6)))

        assert len(commits(site)) == 6

    def test_build_on_what_was_pushed_meanwhile(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """The branch moves between the writer's look at it and his hand on it."""
        site.write("first")
        plan = committing.Writer._plan
        pushed = []

        def push_after_looking(self: object, prepared: object, opened: object) -> object:
            found = plan(self, prepared, opened)  # type: ignore[arg-type]
            if len(pushed) < 3:
                tree = site.git("rev-parse", "main^{tree}")
                pushed.append(site.git("commit-tree", tree, "-p", "main", "-m", f"push {len(pushed)}"))
                site.git("update-ref", "refs/heads/main", pushed[-1])
            return found

        monkeypatch.setattr(committing.Writer, "_plan", push_after_looking)
        written = site.write("second")

        assert commits(site)[0] == written.commit_id
        assert set(pushed) < set(commits(site))


class TestMovingABranch:
    def test_from_where_it_is_not_is_refused(self, site: Site) -> None:
        first, second = site.write("a"), site.write("b")
        opened = site.repositories.store.opened(site.folder)
        old, new = (Oid(hex=each.commit_id) for each in (first, second))

        with pytest.raises(Moved):
            move_branch(opened, "main", old, new)
        with pytest.raises(Moved):
            move_branch(opened, "none", old, new)
        assert commits(site)[0] == second.commit_id

    def test_that_is_there_is_not_made(self, site: Site) -> None:
        first, second = site.write("a"), site.write("b")

        with pytest.raises(Moved):
            create_branch(site.folder, "main", Oid(hex=first.commit_id))
        assert commits(site)[0] == second.commit_id


class TestALockWhoseOwnerIsDead:
    @pytest.mark.parametrize("branch", ["main", "topic/new"])
    def test_is_taken_away(self, site: Site, branch: str) -> None:
        site.write("a")
        lock = site.folder / f"refs/heads/{branch}.lock"
        lock.parent.mkdir(exist_ok=True)
        lock.touch()
        os.utime(lock, (time.time() - 10,) * 2)

        site.write("b", branch=branch, start_branch=None if branch == "main" else "main")

        assert not lock.exists()

    def test_is_left_alone_while_it_is_fresh(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who made it may be on a machine whose locks are not seen here."""
        monkeypatch.setattr(committing, "PATIENCE", 0.3)
        site.write("a")
        lock = site.folder / "refs/heads/main.lock"
        lock.touch()

        with pytest.raises(CannotCommit, match="Please refresh and try again"):
            site.write("b")
        assert lock.exists()

    def test_is_left_alone_while_a_git_program_is_at_work(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(committing, "PATIENCE", 0.3)
        site.write("a")
        lock = site.folder / "refs/heads/main.lock"
        lock.touch()
        os.utime(lock, (time.time() - 10,) * 2)

        with locks.git_at_work(site.folder), pytest.raises(CannotCommit, match="Please refresh and try again"):
            site.write("b")
        assert lock.exists()

    def test_is_waited_for_while_its_owner_lives(self, site: Site) -> None:
        site.write("a")
        lock = site.folder / "refs/heads/main.lock"
        lock.touch()

        with locks.git_at_work(site.folder):
            later = threading.Timer(0.2, lock.unlink)
            later.start()
            site.write("b")

        assert len(commits(site)) == 2


class TestTheQueueOfABranch:
    def test_is_one_for_all_processes(self, site: Site, tmp_path: Path) -> None:
        """Another process that holds the queue's file, as its neighbour would, is waited for."""
        site.write("a")
        queue = next(path for path in (site.folder / locks.OWN).iterdir() if path.name.startswith("branch-"))
        descriptor = os.open(queue, os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = threading.Event()

        def write() -> None:
            site.write("b")
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert not done.wait(0.2)
        os.close(descriptor)
        assert done.wait(10)
        writer.join()

    def test_of_other_branches_is_another(self, site: Site) -> None:
        site.write("a")
        with locks.branch_queue(site.folder, "main"):
            site.write("b", branch="topic", start_branch="main")

        assert site.file("b", "topic").name == "b"


class TestAShareOfGitAtWork:
    def test_lives_on_in_the_program_that_inherited_it(self, site: Site) -> None:
        """A server that is killed leaves its git programs running: their locks still count."""
        folder = site.folder
        with locks.git_at_work(folder) as share:
            child = subprocess.Popen(["sleep", "30"], pass_fds=(share,))
        try:
            with locks.no_git_at_work(folder) as alone:
                assert not alone
        finally:
            child.kill()
            child.wait()
        with locks.no_git_at_work(folder) as alone:
            assert alone


class TestPushesAndWritersTogether:
    def test_lose_nothing_of_either(self, site: Site, tmp_path: Path) -> None:
        site.write("first")
        clone = tmp_path / "clone"
        git("clone", "--quiet", str(site.folder), str(clone))
        stop, pushed = threading.Event(), []

        def push() -> None:
            while not stop.is_set():
                git("commit", "--quiet", "--allow-empty", "-m", "pushed", cwd=clone)
                git("fetch", "--quiet", cwd=clone)
                git("rebase", "--quiet", "origin/main", cwd=clone)
                if "rejected" not in try_push(clone):
                    pushed.append(git("rev-parse", "HEAD", cwd=clone))

        pusher = threading.Thread(target=push)
        pusher.start()
        written = [site.write(f"f{number}").commit_id for number in range(25)]
        stop.set()
        pusher.join()

        assert {*written, *pushed} <= set(commits(site))
        site.git("fsck", "--strict")


def try_push(clone: Path) -> str:
    return run_git("push", "--porcelain", "origin", "HEAD:main", cwd=clone).stdout.decode()
