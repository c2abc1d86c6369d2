"""Content, last commits and blame of a made-up history, file by file against the git program."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.vault.core import opened
from tests.vault.repositories.histories import History
from tests.vault.repositories.support import Site, git_bytes
from vault.repositories import Lines, history
from vault.repositories.housekeeping import pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.repositories import BlameRange

COMMITS, FILES, ASKED = 500, 40, 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with opened(tmp_path_factory.mktemp("history") / "data") as core:
        site = Site(core)
        History(seed=7, commits=COMMITS, files=FILES).into(site.folder)
        yield site


@pytest.fixture(scope="module")
def places(site: Site) -> list[tuple[str, str]]:
    """Commits all over the history, each with one of its files."""
    chance = random.Random(11)
    commits = site.git("rev-list", "main").splitlines()
    places = []
    while len(places) < ASKED:
        commit = chance.choice(commits)
        if files := site.git("ls-tree", "-r", "--name-only", "-z", commit).split("\0")[:-1]:
            places.append((commit, chance.choice(files)))
    return places


@pytest.fixture(scope="module")
def told(site: Site, places: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What git says of each: the commit that changed it last."""
    command = ("--literal-pathspecs", "log", "-1", "--format=%H")
    return {(commit, path): site.git(*command, commit, "--", path) for commit, path in places}


def porcelain(site: Site, commit: str, path: str, *options: str) -> list[tuple[str, bytes]]:
    """What git says of each line: the commit it came with, and the line."""
    command = ("--literal-pathspecs", "blame", "--line-porcelain", *options, commit, "--", path)
    told = git_bytes(f"--git-dir={site.folder}", *command)
    found, now = [], ""
    for line in told.split(b"\n"):
        if line.startswith(b"\t"):
            found.append((now, line[1:]))
        elif line[40:41] == b" " and line[:40].isalnum():
            now = line[:40].decode()
    return found


def flat(ranges: list[BlameRange]) -> list[tuple[str, bytes]]:
    return [(each.commit.id, line.encode()) for each in ranges for line in each.lines]


class TestEveryFile:
    def test_has_the_content_mode_and_size_that_git_tells(self, site: Site, places: list[tuple[str, str]]) -> None:
        for commit, path in places:
            found = site.file(path, commit)
            mode, _, blob_id = site.git("--literal-pathspecs", "ls-tree", commit, "--", path).split()[:3]
            content = git_bytes(f"--git-dir={site.folder}", "cat-file", "blob", blob_id)

            assert (found.blob_id, found.size, found.executable) == (blob_id, len(content), mode == "100755")
            assert site.repositories.reading.content(site.project, found) == content

    @pytest.mark.parametrize("walk", [0, 1, 7, 10**6])
    @pytest.mark.parametrize("graph", [False, True])
    def test_has_the_last_commit_that_git_tells(
        self, site: Site, told: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch, walk: int, graph: bool
    ) -> None:
        """Walked here, by the git program with and without its filters, or first the one and then the other."""
        monkeypatch.setattr(history, "LONGEST_WALK", walk)
        pack(site.folder)
        if not graph:
            (site.folder / "objects/info/commit-graph").unlink()

        assert {place: site.file(place[1], place[0]).last_commit_id for place in told} == told

    def test_is_blamed_as_git_does(self, site: Site, places: list[tuple[str, str]]) -> None:
        for commit, path in places:
            found = site.repositories.reading.blame(site.project, site.file(path, commit))

            assert flat(found) == porcelain(site, commit, path), f"{path} as of {commit}"
            assert all(before.commit.id != after.commit.id for before, after in pairwise(found))

    def test_is_blamed_in_part_as_git_does(self, site: Site, places: list[tuple[str, str]]) -> None:
        for commit, path in places:
            file = site.file(path, commit)
            lines = len(porcelain(site, commit, path))
            first = 1 + lines // 3
            found = site.repositories.reading.blame(site.project, file, Lines(first, first + 5))

            if lines:
                assert flat(found) == porcelain(site, commit, path, "-L", f"{first},{min(first + 5, lines)}")

    def test_has_the_same_last_commit_when_answers_are_kept(self, site: Site, places: list[tuple[str, str]]) -> None:
        """A walk that meets a kept answer ends there, and says the same."""
        told = {place: site.file(place[1], place[0]).last_commit_id for place in places}
        facts = site.repositories.reading._facts
        for (commit, path), last in list(told.items())[::2]:
            facts.tell_last_commit(site.id, path, commit, last, walked=10_000)
        site.core.database.submit(lambda tx: None).result(20)  # behind all that was queued

        assert {place: site.file(place[1], place[0]).last_commit_id for place in places} == told
