"""Names are not lost in pygit2, whatever is asked and however it ends."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pygit2
import pytest

from vault.repositories.lending import lend
from vault.repositories.revisions import ref_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.vault.repositories.support import Site
    from vault.repositories.opened import OpenRepository

ROUNDS = 500


def left_behind(work: Callable[[str], object]) -> int:
    """Return how many more blocks of memory there are after many calls, each with a string made for it."""
    for number in range(10):
        work(f"warm-{number}")
    before = sys.getallocatedblocks()
    for number in range(ROUNDS):
        work(f"name-{number}")
    return sys.getallocatedblocks() - before


@pytest.fixture
def opened(site: Site) -> OpenRepository:
    site.write("a/b.txt")
    return site.repositories.store.opened(site.folder)


class TestNames:
    def test_of_branches_that_are_missing_are_not_lost(self, opened: OpenRepository) -> None:
        assert left_behind(lambda name: ref_target(opened, f"refs/heads/{name}")) < ROUNDS / 10
        assert left_behind(lambda name: ref_target(opened, f"refs/heads/{name}..")) < ROUNDS / 10

    def test_of_branches_that_are_there_are_not_lost(self, opened: OpenRepository) -> None:
        assert left_behind(lambda name: ref_target(opened, f"refs/heads/{name[:0]}main")) < ROUNDS / 10

    def test_of_entries_are_not_lost(self, opened: OpenRepository) -> None:
        tree = opened.git.revparse_single("main").tree

        def work(name: str) -> None:
            assert not lend(tree.__contains__, name)
            with suppress(KeyError):
                lend(tree.__getitem__, name)

        assert left_behind(work) < ROUNDS / 10

    def test_of_entries_that_are_written_and_removed_are_not_lost(self, opened: OpenRepository) -> None:
        builder, blob = opened.git.TreeBuilder(), opened.git.create_blob(b"x")

        def work(name: str) -> None:
            builder.insert(name, blob, pygit2.enums.FileMode.BLOB)
            lend(builder.remove, name)

        assert left_behind(work) < ROUNDS / 10

    @pytest.mark.parametrize("name", ["日", "a b", "日本", "a\0b", "ab\ud800", "\udc80x", "x" * 5000, "a..b"])
    def test_are_still_their_callers_after_an_error(self, opened: OpenRepository, name: str) -> None:
        tree, builder = opened.git.revparse_single("main").tree, opened.git.TreeBuilder()
        before = sys.getrefcount(name)

        for function in (opened.git.lookup_reference, tree.__getitem__, tree.__contains__, builder.remove):
            texts = {attempt(function, name) for _ in range(100)}

            assert len(texts) == 1
            assert sys.getrefcount(name) == before


def attempt(function: Callable[[str], object], name: str) -> str:
    """Return what the error says, an empty string where there is none."""
    try:
        lend(function, name)
    except (LookupError, ValueError, TypeError, pygit2.GitError) as error:
        return str(error)
    return ""
