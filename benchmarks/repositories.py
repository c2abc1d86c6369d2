"""The vault's repositories against the git program, task by task, in one run over one repository.

    python -m benchmarks.repositories [--rounds 30] [--commits 3000] [--repository PATH]

The yardstick is what a server without a library would do: start git for each question. It gets what git is at its best
with: packs, a graph of the commits, filters of the paths they change. Without `--repository` a history is made up; the
one that is given is copied and not changed. The vault's half is what a request does below HTTP, catalog included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from server.settings import Settings
from server.wiring import Services, open_services
from vault.models import Principal, Role
from vault.repositories import Action, Change
from vault.repositories.housekeeping import pack
from vault.repositories.program import CONFIG, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vault.models import Project, User
    from vault.repositories.opened import OpenRepository

FILES, OLD, NEW = 500, "lib/0/old", "lib/1/new"
LINES = 200


@dataclass(frozen=True)
class Site:
    """One project of a vault, whose repository is the one to be asked."""

    services: Services
    user: User
    project: Project
    folder: Path

    def opened(self, *, fresh: bool = False) -> OpenRepository:
        """Return this thread's object of the repository; a fresh one has read nothing yet."""
        store = self.services.repositories.store
        if fresh:
            store.forget(self.folder)
        return store.opened(self.folder)

    def tip(self) -> str:
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, given: bytes = b"", variables: Mapping[str, str] | None = None) -> str:
        """Ask git in a process of its own, as it comes, but for what makes durable what it writes."""
        command = ["git", f"--git-dir={self.folder}", "--literal-pathspecs", *arguments]
        variables = {**environment(CONFIG), **(variables or {})}
        told = subprocess.run(command, input=given, env=variables, capture_output=True, check=False)
        if told.returncode:
            raise SystemExit(f"git {arguments[0]}: {told.stderr.decode()}")
        return told.stdout.decode("utf-8", "replace").strip()


@dataclass(frozen=True)
class Task:
    """Something both can do: how git does it, how the vault does it, and what comes before each time."""

    name: str
    git: Callable[[], object]
    vault: Callable[[], object]
    before: Callable[[], object] = lambda: None


def made_up(commits: int) -> bytes:
    """Return a history for `git fast-import`: one file changed by the first commit only, one by every tenth."""
    out = []
    for number in range(1, commits + 1):
        lines = "".join(f"{number if (number + line) % 7 == 0 else line} of {line}\n" for line in range(LINES))
        path = NEW if number % 10 == 0 else f"lib/{number % 20}/{number % FILES}"
        changes = {path: lines}
        if number == 1:
            changes |= {OLD: "old\n"}
        out.append(
            f"commit refs/heads/main\ncommitter Ann <ann@example.com> {1_700_000_000 + number} +0000\ndata 1\nm\n"
        )
        out += [f"M 100644 inline {name}\ndata {len(text)}\n{text}\n" for name, text in changes.items()]
    return "".join(out).encode()


def site(services: Services, options: argparse.Namespace) -> Site:
    """Make a project with the repository that is to be asked, packed as housekeeping packs it."""
    user = services.people.create("ann", "Ann", "ann@example.com", is_admin=True)
    project = services.projects.create(Principal(user=user, scopes=frozenset(("api",))), "app", "app")
    folder = services.repositories.store.ensure(project)
    made = Site(services, user, project, folder)
    if options.repository:
        made.git("fetch", "--quiet", str(options.repository.resolve()), "HEAD:refs/heads/main")
    else:
        made.git("fast-import", "--quiet", given=made_up(options.commits))
    pack(folder)
    services.repositories.store.settle(project, ["main"])
    return made


def oldest_and_newest(made: Site) -> tuple[str, str]:
    """Return two files of the tip: the one whose last commit lies most commits back, and one of the latest commits."""
    there = set(made.git("ls-tree", "-r", "--name-only", "HEAD").splitlines())
    newest = oldest = ""
    for line in made.git("log", "--format=", "--name-only", "--no-renames", "HEAD").splitlines():
        if line in there:
            there.remove(line)
            newest, oldest = newest or line, line
    return oldest, newest


def commit_by_git(made: Site, number: int) -> None:
    """Commit one file with git's own commands, each durable, and move the branch if nobody else has."""
    index = {"GIT_INDEX_FILE": f"{made.folder}/bench-index"}
    who = {f"GIT_{who}_{what}": "ann" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    old = made.git("rev-parse", "refs/heads/main")
    blob = made.git("hash-object", "-w", "--stdin", given=b"git %d" % number)
    made.git("read-tree", old, variables=index)
    made.git("update-index", "--add", "--cacheinfo", f"100644,{blob},bench/git", variables=index)
    tree = made.git("write-tree", variables=index)
    new = made.git("commit-tree", tree, "-p", old, "-m", "bench", variables=who)
    made.git("update-ref", "refs/heads/main", new, old)


def tasks(made: Site) -> list[Task]:
    """Return what git and the vault are both asked, each in its own way, over the same repository."""
    old, new = oldest_and_newest(made)
    reading, tip, numbers = made.services.repositories.reading, made.tip(), iter(range(10**9))
    graph = made.folder / "objects/info/commit-graph"

    def last_by_git(path: str) -> str:
        return made.git("rev-list", "-1", tip, "--", path)

    def last(path: str) -> str:
        opened = made.opened()
        return reading.last_commit(made.project, opened, opened.commit(pygit2.Oid(hex=tip)), path)

    def forget() -> None:
        made.services.database.write(lambda tx: tx.query("DELETE FROM git_last_commits"))

    def fresh() -> None:
        forget()
        made.opened(fresh=True)

    def warm() -> None:
        last(old)
        forget()

    def cached() -> None:
        last(old)
        made.services.database.write(lambda _: None)  # behind what was queued

    def read() -> bytes:
        return reading.content(made.project, reading.file(made.project, tip, new))

    def blame() -> object:
        return reading.blame(made.project, reading.file(made.project, tip, new))

    def commit() -> None:
        change = Change(Action.PUT, "bench/vault", "main", "bench", b"vault %d" % next(numbers))
        made.services.repositories.writing.write(made.project, made.user, Role.OWNER, change)

    assert last(old) == last_by_git(old)
    assert last(new) == last_by_git(new)
    assert graph.exists()
    return [
        Task("read at the tip, with all its facts", lambda: made.git("cat-file", "blob", f"{tip}:{new}"), read),
        Task("last commit, touched lately", lambda: last_by_git(new), lambda: last(new)),
        Task("last commit, old file, fresh", lambda: last_by_git(old), lambda: last(old), fresh),
        Task("last commit, old file, warm", lambda: last_by_git(old), lambda: last(old), warm),
        Task("last commit, old file, cached", lambda: last_by_git(old), lambda: last(old), cached),
        Task("blame", lambda: made.git("blame", "--porcelain", tip, "--", new), blame),
        Task("commit of one file, durable", lambda: commit_by_git(made, next(numbers)), commit),
    ]


def measured(task: Task, rounds: int) -> tuple[float, float]:
    """Return the medians of both in milliseconds, taken in turn."""
    taken: dict[str, list[float]] = {"git": [], "vault": []}
    for _ in range(rounds):
        for who, act in (("git", task.git), ("vault", task.vault)):
            task.before()
            begun = time.perf_counter()
            act()
            taken[who].append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken["git"]), statistics.median(taken["vault"])


def main() -> None:
    """Do each task as often as the command line says, and print how long git took and how long the vault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="how often each task is done (default 30)")
    parser.add_argument("--commits", type=int, default=3000, help="of the history that is made up (default 3000)")
    parser.add_argument("--repository", type=Path, help="a repository to ask instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        services = open_services(Settings(data=Path(folder) / "data"), create=True)
        try:
            made = site(services, options)
            print(f"{made.git('rev-list', '--count', 'HEAD')} commits, {made.git('version')}")
            print(f"{'task':38} {'git_ms':>8} {'vault_ms':>9} {'vault/git':>10}")
            for task in tasks(made):
                git, vault = measured(task, options.rounds)
                print(f"{task.name:38} {git:8.2f} {vault:9.2f} {vault / git:10.2f}", flush=True)
        finally:
            services.close()


if __name__ == "__main__":
    main()
