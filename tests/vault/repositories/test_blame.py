"""Blame beyond what a random history has: renames, foreign bytes, a `.mailmap`, odd dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vault.repositories import Action, Lines
from vault.repositories.blame import split_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.repositories.support import Site
    from vault.repositories import BlameRange


def blamed(site: Site, path: str, asked: Lines | None = None) -> list[BlameRange]:
    return site.repositories.reading.blame(site.project, site.file(path), asked)


def lines(site: Site, path: str, asked: Lines | None = None) -> list[tuple[str, list[str]]]:
    return [(each.commit.id, each.lines) for each in blamed(site, path, asked)]


class TestRanges:
    def test_join_neighbours_of_one_commit_which_returns_for_each(self, site: Site) -> None:
        first = site.write("a", b"1\n2\n3\n4\n").commit_id
        second = site.write("a", b"1\n2\nnew\n3\n4\n").commit_id

        assert lines(site, "a") == [(first, ["1", "2"]), (second, ["new"]), (first, ["3", "4"])]

    def test_keep_tabs_blanks_and_a_missing_end_of_line(self, site: Site) -> None:
        commit = site.write("a", b"\tx \n\n  y\r\nz").commit_id

        assert lines(site, "a") == [(commit, ["\tx ", "", "  y\r", "z"])]

    def test_are_cut_at_the_end_of_the_file(self, site: Site) -> None:
        commit = site.write("a", b"1\n2\n3\n").commit_id

        assert lines(site, "a", Lines(2, 100)) == [(commit, ["2", "3"])]
        assert lines(site, "a", Lines(3, 3)) == [(commit, ["3"])]
        assert lines(site, "a", Lines(4, 9)) == []
        assert lines(site, "a", Lines(10**15, 10**16)) == []

    def test_of_an_empty_file_are_none(self, site: Site) -> None:
        site.write("a", b"")

        assert lines(site, "a") == []
        assert lines(site, "a", Lines(1, 1)) == []

    def test_of_other_bytes_than_text_are_made_readable(self, site: Site) -> None:
        commit = site.write("a", b"\xff\xfe\n\x00\n").commit_id

        assert lines(site, "a") == [(commit, ["\ufffd\ufffd", "\x00"])]


class TestNames:
    @pytest.mark.parametrize("path", [":wq", "*", "-L1,1", ":(glob)**", "a b", "é/ü", "--", "a\\b", "\x7f", '"q"'])
    def test_are_never_patterns_or_options(self, site: Site, path: str) -> None:
        site.write("decoy", b"decoy\n")
        commit = site.write(path, b"1\n").commit_id

        assert lines(site, path) == [(commit, ["1"])]
        assert site.file(path).last_commit_id == commit

    def test_of_a_file_that_was_renamed_are_followed(self, site: Site) -> None:
        content = b"".join(b"line %d\n" % number for number in range(20))
        first = site.write("old", content).commit_id
        site.write("other")
        tree = site.git("mktree", given=f"100644 blob {site.file('old').blob_id}\tnew\n".encode())
        site.git("update-ref", "refs/heads/main", site.git("commit-tree", tree, "-p", "main", "-m", "moved"))

        assert [commit for commit, _ in lines(site, "new")] == [first]


class TestCommits:
    def test_tell_who_when_and_why_with_the_authors_own_offset(self, site: Site) -> None:
        site.write("a", b"1\n")
        when = {"GIT_AUTHOR_DATE": "1393488896 +0200", "GIT_COMMITTER_DATE": "1393488996 -0330"}
        commit = commit_tree(site, "why\n\nhow", when, given=b"1\n2\n")

        told = blamed(site, "a")[1].commit

        assert told.id == commit
        assert told.parent_ids == (site.git("rev-parse", "main~1"),)
        assert told.message == "why\n\nhow\n"
        assert told.authored_date == "2014-02-27T10:14:56.000+02:00"
        assert told.committed_date == "2014-02-27T04:46:36.000-03:30"
        assert (told.author_name, told.author_email) == ("Ann", "ann@example.com")

    def test_are_not_rewritten_by_a_mailmap_that_somebody_committed(self, site: Site) -> None:
        site.write("a", b"1\n", author_name="Real", author_email="real@example.com")
        site.write(".mailmap", b"Forged <forged@example.com> <real@example.com>\n")

        told = blamed(site, "a")[0].commit

        assert (told.author_name, told.author_email) == ("Real", "real@example.com")

    def test_in_another_encoding_are_read_in_it(self, site: Site) -> None:
        site.write("a", b"1\n")
        commit_tree(site, "gr\u00fc\u00dfe", {}, "-c", "i18n.commitEncoding=iso-8859-1", given=b"2\n")

        assert blamed(site, "a")[0].commit.message == "gr\u00fc\u00dfe\n"

    @pytest.mark.parametrize("when", ["99999999999999 +0000", "1 +9900"])
    def test_of_a_time_that_no_calendar_has_are_told_all_the_same(self, site: Site, when: str) -> None:
        site.write("a", b"1\n")
        tree = site.git("rev-parse", "main^{tree}")
        raw = f"tree {tree}\nauthor A <a@b> {when}\ncommitter A <a@b> {when}\n\nm\n"
        commit = site.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=raw.encode())
        site.git("update-ref", "refs/heads/main", commit)

        assert blamed(site, "a")[0].commit.authored_date.startswith("19")


def commit_tree(site: Site, message: str, variables: dict[str, str], *options: str, given: bytes) -> str:
    """Commit new content of the file `a` by git itself, whose dates and encodings may be any."""
    blob = site.git("hash-object", "-w", "--stdin", given=given)
    tree = site.git("mktree", given=f"100644 blob {blob}\ta\n".encode())
    encoded = message.encode("iso-8859-1" if options else "utf-8")
    commit = site.git(*options, "commit-tree", tree, "-p", "main", given=encoded + b"\n", variables=variables)
    site.git("update-ref", "refs/heads/main", commit)
    return commit


class TestNothingOfTheRepositorysOwn:
    def test_configuration_runs_a_program(self, site: Site, tmp_path: Path) -> None:
        """Neither a text converter nor a hook that somebody put into a repository is run."""
        witness = tmp_path / "witness"
        (site.folder / "hooks").mkdir()
        for hook in ("reference-transaction", "pre-receive", "update", "post-receive"):
            script = site.folder / "hooks" / hook
            script.write_text(f"#!/bin/sh\ntouch {witness}\n")
            script.chmod(0o755)
        with (site.folder / "config").open("a") as config:
            config.write(f'[diff "x"]\n\ttextconv = touch {witness};cat\n[core]\n\tfsmonitor = touch {witness}\n')
        (site.folder / "info").mkdir(exist_ok=True)
        (site.folder / "info/attributes").write_text("* diff=x\n")

        site.write("a", b"1\n")
        site.write("a", b"2\n", branch="topic", start_branch="main")
        site.write("a", b"3\n", action=Action.UPDATE)
        blamed(site, "a")

        assert not witness.exists()


class TestLines:
    @pytest.mark.parametrize(("content", "count"), [(b"", 0), (b"\n", 1), (b"a", 1), (b"a\n", 1), (b"a\n\n", 2)])
    def test_are_counted_as_git_counts_them(self, content: bytes, count: int) -> None:
        assert len(split_lines(content)) == count
