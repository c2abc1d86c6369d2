"""Requests that say the same in another way, as GitLab's own framework reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server.repository_support import Repository
from tests.server.support import MULTIPART, multipart

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault


@pytest.fixture(scope="module")
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("a/b.txt", "text")
    return repository


class TestASlashAtTheEnd:
    @pytest.mark.parametrize("slashes", ["/", "//"])
    def test_is_passed_over(self, repository: Repository, slashes: str) -> None:
        root, own = repository.root, f"/projects/{repository.id}"
        made = root.upload(repository.id, f"a{slashes}b", b"12345").json

        for path in ("/projects", own, f"{own}/secure_files", f"{own}/secure_files/{made['id']}"):
            assert root.get(path + slashes).json == root.get(path).json
        assert root.get(f"{own}/secure_files/{made['id']}/download{slashes}").body == b"12345"
        assert root.get(f"{own}/repository/files/a%2Fb.txt/raw{slashes}?ref=main").body == b"text"
        assert root.get(f"{own}/repository/files/a%2Fb.txt{slashes}?ref=main").json["file_path"] == "a/b.txt"

    def test_keeps_the_body_the_query_and_the_method(self, repository: Repository) -> None:
        files = {"file": ("x", b"1")}

        made = repository.root.post(f"/projects/{repository.id}/secure_files/?name=q", files=files)

        assert (made.status, made.json["name"]) == (201, "q")
        assert repository.root.delete(f"/projects/{repository.id}/secure_files/{made.json['id']}/").status == 204

    def test_makes_no_route_of_what_is_none(self, repository: Repository) -> None:
        for path in ("/", "/nothing/", f"/projects/{repository.id}/nothing/", f"/projects//{repository.id}/"):
            answer = repository.root.get(path)
            assert (answer.status, answer.json) == (404, {"error": "404 Not Found"})


class TestAParameterGivenTwice:
    def test_counts_as_it_came_last(self, repository: Repository) -> None:
        first = repository.root.get(f"{repository.at('a/b.txt')}?ref=none&ref=main")
        last = repository.root.get(f"{repository.at('a/b.txt')}?ref=main&ref=none")

        assert (first.status, last.status) == (200, 404)


class TestAMethodThatIsNotThere:
    @pytest.mark.parametrize("more", ["/raw", "/blame"])
    def test_is_405_and_no_hint_at_slashes(self, repository: Repository, more: str) -> None:
        answer = repository.root.post(repository.at("a/b.txt", more))

        assert (answer.status, answer.json) == (405, {"error": "405 Not Allowed"})
        assert sorted(answer.headers["Allow"].split(",")) == ["GET", "HEAD"]


def sent(repository: Repository, disposition: str, path: str = "uploads", method: str = "POST") -> Answer:
    body = multipart([f'Content-Disposition: form-data; name="file"; {disposition}\r\n\r\n12345'.encode()])
    return repository.root(method, f"/projects/{repository.id}/{path}", data=body, headers=MULTIPART)


class TestAFileNameInAnotherEncoding:
    """`filename*`, which .NET and others send beside a plain name or alone."""

    @pytest.mark.parametrize(
        ("disposition", "name"),
        [
            ("filename=\"=?utf-8?B?w7wudHh0?=\"; filename*=utf-8''%C3%BC.txt", "ü.txt"),
            ("filename*=UTF-8''%C3%BC.txt", "ü.txt"),
            ("filename*=UTF-8'de'%C3%BC.txt; filename=\"u.txt\"", "ü.txt"),
            ("filename*=iso-8859-1''%FC.txt", "ü.txt"),
            ("filename*=\"UTF-8''quoted.txt\"", "quoted.txt"),
        ],
    )
    def test_is_the_files_name(self, repository: Repository, disposition: str, name: str) -> None:
        answer = sent(repository, disposition)

        assert (answer.status, answer.json["alt"]) == (201, name)

    @pytest.mark.parametrize("wrong", ["UTF-8''%FF.txt", "klingon''a.txt", "a.txt", "UTF-8'a.txt", "''a.txt", ""])
    def test_that_cannot_be_read_leaves_the_plain_one(self, repository: Repository, wrong: str) -> None:
        answer = sent(repository, f'filename="plain.txt"; filename*={wrong}')

        assert (answer.status, answer.json["alt"]) == (201, "plain.txt")

    def test_makes_a_file_of_a_part_wherever_files_are_taken(self, repository: Repository) -> None:
        made: dict[str, Any] = sent(repository, "filename*=UTF-8''x.jks", "secure_files?name=x.jks").json
        changed = sent(repository, "filename*=UTF-8''x.jks", f"secure_files/{made['id']}", "PUT")

        assert (made["name"], changed.status) == ("x.jks", 200)
