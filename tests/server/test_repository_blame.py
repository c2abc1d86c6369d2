"""Blame over HTTP: the shape of its answers and the rules of its range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server.repository_support import Repository

if TYPE_CHECKING:
    from tests.harness import RunningVault


@pytest.fixture(scope="module")
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("a", "1\n2\n3\n4\n")
    repository.change("PUT", "a", content="1\n2\nnew\n3\n4\n")
    repository.post("empty", "")
    return repository


def lines(ranges: list[dict[str, Any]]) -> list[list[str]]:
    return [each["lines"] for each in ranges]


class TestTheAnswer:
    def test_is_one_range_for_each_run_of_lines_of_a_commit(self, repository: Repository) -> None:
        found = repository.blame("a").json

        second, first = repository.git("log", "--format=%H", "main", "--", "a").split()
        assert [each["commit"]["id"] for each in found] == [first, second, first]
        assert lines(found) == [["1", "2"], ["new"], ["3", "4"]]
        assert list(found[0]["commit"]) == [
            "id",
            "parent_ids",
            "message",
            "authored_date",
            "author_name",
            "author_email",
            "committed_date",
            "committer_name",
            "committer_email",
        ]

    def test_is_of_the_commit_asked_for(self, repository: Repository) -> None:
        first = repository.git("log", "--format=%H", "main", "--", "a").split()[1]

        assert lines(repository.blame("a", f"ref={first}").json) == [["1", "2", "3", "4"]]

    def test_is_empty_for_an_empty_file(self, repository: Repository) -> None:
        assert repository.blame("empty").json == []

    def test_of_head_is_the_metadata_alone(self, repository: Repository) -> None:
        answer = repository.root("HEAD", repository.at("a", "/blame", ref="main"))

        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["X-Gitlab-File-Path"] == "a"

    @pytest.mark.parametrize("path", ["none", "empty/x"])
    def test_is_404_where_no_file_is(self, repository: Repository, path: str) -> None:
        answer = repository.blame(path)

        assert (answer.status, answer.json) == (404, {"message": "404 File Not Found"})


class TestARange:
    @pytest.mark.parametrize(
        ("start", "end", "found"),
        [
            (1, 1, [["1"]]),
            (2, 4, [["2"], ["new"], ["3"]]),
            (4, 99, [["3", "4"]]),
            (5, 5, [["4"]]),
            (6, 6, []),
            (99, 100, []),
            (1, 2**62, [["1", "2"], ["new"], ["3", "4"]]),
        ],
    )
    def test_is_cut_at_the_end_of_the_file(
        self, repository: Repository, start: int, end: int, found: list[list[str]]
    ) -> None:
        answer = repository.blame("a", f"ref=main&range[start]={start}&range[end]={end}")

        assert (answer.status, lines(answer.json)) == (200, found)

    def test_may_be_written_with_escapes(self, repository: Repository) -> None:
        answer = repository.blame("a", "ref=main&range%5Bstart%5D=1&range%5Bend%5D=1")

        assert lines(answer.json) == [["1"]]

    def test_of_an_empty_file_is_empty(self, repository: Repository) -> None:
        assert repository.blame("empty", "ref=main&range[start]=1&range[end]=1").json == []

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ("range[start]=1", "range[end] is missing, range[end] is empty"),
            ("range[end]=1", "range[start] is missing, range[start] is empty"),
            ("range[start]=&range[end]=", "range[start] is empty, range[end] is empty"),
            ("range[start]=&range[end]=1", "range[start] is empty"),
            ("range[start]=0&range[end]=1", "range[start] does not have a valid value"),
            ("range[start]=1&range[end]=-1", "range[end] does not have a valid value"),
            ("range[start]=a&range[end]=1", "range[start] is invalid"),
            ("range[start]=1.5&range[end]=2", "range[start] is invalid"),
            ("range=1", "range is invalid"),
        ],
    )
    def test_that_is_none_is_400(self, repository: Repository, query: str, error: str) -> None:
        answer = repository.blame("a", f"ref=main&{query}")

        assert (answer.status, answer.json) == (400, {"error": error})

    def test_that_ends_before_it_starts_is_400(self, repository: Repository) -> None:
        answer = repository.blame("a", "ref=main&range[start]=3&range[end]=2")

        text = "range[start] must be less than or equal to range[end]"
        assert (answer.status, answer.json) == (400, {"message": text})
