"""Names of files and branches: git is asked whether it agrees."""

from __future__ import annotations

import pytest

from tests.vault.repositories.support import run_git
from vault.errors import CannotCommit, UnsafePath
from vault.repositories.paths import check_writable_path, clean_path, is_branch_name


class TestCleanPath:
    @pytest.mark.parametrize(
        ("given", "clean"),
        [
            ("a", "a"),
            ("./a", "a"),
            (".//a", "a"),
            ("./././a/b", "a/b"),
            ("a/", "a"),
            ("a/b//", "a/b"),
            ("...", "..."),
            ("a/..b", "a/..b"),
            (":wq", ":wq"),
            ("*.txt", "*.txt"),
            (" ", " "),
            ("A/ä", "A/ä"),
            ("100%", "100%"),
        ],
    )
    def test_is_the_path_without_what_says_nothing(self, given: str, clean: str) -> None:
        assert clean_path(given) == clean

    @pytest.mark.parametrize(
        "given",
        [
            "..",
            ".",
            "",
            "/",
            "./",
            "../a",
            "a/../b",
            "a/..",
            "..\\a",
            "a\\..\\b",
            "/etc/passwd",
            "a\nb",
            "a\r",
            "a\0b",
            "%2e%2e/a",
            "%2e%2e%2fa",
            "a%2f..%2fb",
            "./..",
            "a\udcffb",
        ],
    )
    def test_refuses_what_climbs_out_or_is_no_text(self, given: str) -> None:
        with pytest.raises(UnsafePath, match="file_path should be a valid file path"):
            clean_path(given)


class TestWritablePaths:
    @pytest.mark.parametrize(
        "path",
        [
            ".git/config",
            ".git",
            "sub/.git/x",
            ".GIT/x",
            "a/.Git",
            "git~1/x",
            "GIT~1",
            ".git /x",
            ".git.../x",
            ".git::$INDEX_ALLOCATION/x",
            ".g\u200cit/x",
            ".git\ufeff/x",
            "a\\.git\\x",
            "a//b",
            "a/./b",
        ],
    )
    def test_are_none_that_git_would_not_check_out(self, path: str) -> None:
        with pytest.raises(CannotCommit, match="invalid path: '"):
            check_writable_path(path)

    @pytest.mark.parametrize("path", [".gitignore", ".github/x", "git", "x.git", "a.git/b", "git~2", "con", "a\\b"])
    def test_may_look_alike(self, path: str) -> None:
        check_writable_path(path)


class TestBranchNames:
    @pytest.mark.parametrize(
        "name",
        [
            *("main", "a/b", "ä", "feature/#1", "a.b", "v1.0", "@", "a@b", "-", "-a", "a..b", "a.lock", "a b", "a~"),
            *("a^", "a:b", "a?", "a*", "a[", "a\\b", "/a", "a/", "a//b", ".a", "a/.b", "a@{b", "", "a.", "HEAD"),
            "a\x7f",
        ],
    )
    def test_are_what_git_takes(self, name: str) -> None:
        assert is_branch_name(name) == (run_git("check-ref-format", "--branch", name).returncode == 0)

    @pytest.mark.parametrize("name", ["a" * 40, "0" * 40, "x" * 251, "ä" * 126, "a/" * 600 + "a", "a\0b", "a\udcff"])
    def test_are_none_that_confuse_or_that_no_disk_takes(self, name: str) -> None:
        assert not is_branch_name(name)

    def test_may_be_as_long_as_the_disk_allows(self) -> None:
        assert is_branch_name("x" * 250)
        assert is_branch_name("a" * 39)
