"""Requests that say the same in another way, as GitLab's own framework reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.ci import FILES, ZIP, Ci
from tests.server.repository_support import Repository
from tests.server.support import MULTIPART, exchange, multipart, request

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
        for path in ("/", "/nothing/", f"/projects/{repository.id}/nothing/"):
            answer = repository.root.get(path)
            assert (answer.status, answer.json) == (404, {"error": "404 Not Found"})


class TestSlashesInARow:
    """As of an address that was given with a slash at its end, and has `/api/v4` put behind it."""

    @pytest.mark.parametrize("path", ["//api/v4/user", "/api//v4/user", "/api/v4///user", "//api/v4//user/"])
    def test_are_one(self, repository: Repository, path: str) -> None:
        answer = exchange(repository.vault.url, request("GET", path, {"PRIVATE-TOKEN": ROOT_TOKEN}))

        assert (answer.status, answer.json["username"]) == (200, "root")

    def test_lead_on_through_a_list(self, repository: Repository) -> None:
        head = request("GET", "//api/v4/projects?per_page=1", {"PRIVATE-TOKEN": ROOT_TOKEN})

        links = exchange(repository.vault.url, head).headers["link"]

        assert links.startswith("<http://vault.test//api/v4/projects?page=1&per_page=1>")

    @pytest.mark.parametrize("path", ["//metrics", "//api/v3/user", "//", "///", "//api/v4", "/api/v4//"])
    def test_make_no_route_of_what_is_none(self, repository: Repository, path: str) -> None:
        answer = exchange(repository.vault.url, request("GET", path, {"PRIVATE-TOKEN": ROOT_TOKEN}))

        assert (answer.status, answer.json) == (404, {"error": "404 Not Found"})

    def test_at_the_end_of_artifacts_are_none(self, repository: Repository) -> None:
        """Those of names within an archive are part of the name: an entry that is a folder says so."""
        ci = Ci(repository.vault, repository.project)
        archive = ci.archive(ci.job())

        assert repository.root.get(f"{archive}/").body == repository.root.get(f"{archive}//").body == ZIP
        assert repository.root.get(f"/{archive}/report.json").body == FILES["report.json"]
        assert repository.root.get(f"{archive}//report.json").status == 404

    def test_that_are_encoded_are_what_they_are(self, repository: Repository) -> None:
        answer = repository.root.get(f"/projects/{repository.id}/repository/files/a%2F%2Fb.txt?ref=main")

        assert answer.json == {"message": "404 File Not Found"}


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
