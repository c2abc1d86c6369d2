"""Pages of lists: their sizes, their headers, and links that clients follow to the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from server import paging
from tests.harness import ROOT_TOKEN, Client
from tests.server.support import exchange, files_of, request

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

TOTAL = 23
X_HEADERS = ("X-Total", "X-Total-Pages", "X-Page", "X-Per-Page", "X-Next-Page", "X-Prev-Page")


@pytest.fixture(scope="module")
def files(vault: RunningVault) -> str:
    """The path of a list of 23 files."""
    project = vault.project()
    for number in range(TOTAL):
        vault.root.upload(project["id"], f"{number:02}", b"1")
    return files_of(project)


def links(answer: Answer) -> dict[str, str]:
    """Read the Link header as clients do: `<url>; rel="next"`."""
    found = re.findall(r'<([^>]*)>; rel="([a-z]+)"', answer.headers["Link"])
    assert ", ".join(f'<{url}>; rel="{rel}"' for url, rel in found) == answer.headers["Link"]
    return {rel: url for url, rel in found}


class TestSizes:
    @pytest.mark.parametrize(
        ("query", "count", "headers"),
        [
            ("", 20, ("23", "2", "1", "20", "2", "")),
            ("?page=2", 3, ("23", "2", "2", "20", "", "1")),
            ("?per_page=10&page=2", 10, ("23", "3", "2", "10", "3", "1")),
            ("?per_page=100", 23, ("23", "1", "1", "100", "", "")),
            ("?per_page=1000", 23, ("23", "1", "1", "100", "", "")),
            ("?per_page=23", 23, ("23", "1", "1", "23", "", "")),
            ("?page=99", 0, ("23", "2", "99", "20", "", "")),
            ("?page=&per_page=", 20, ("23", "2", "1", "20", "2", "")),
            ("?page=1&page=2", 3, ("23", "2", "2", "20", "", "1")),
        ],
    )
    def test_and_headers_follow_what_is_asked(
        self, vault: RunningVault, files: str, query: str, count: int, headers: tuple[str, ...]
    ) -> None:
        answer = vault.root.get(files + query)

        assert (answer.status, len(answer.json)) == (200, count)
        assert tuple(answer.headers[name] for name in X_HEADERS) == headers

    def test_an_empty_list_has_one_page(self, vault: RunningVault, project: dict[str, Any]) -> None:
        answer = vault.root.get(files_of(project))

        assert answer.json == []
        assert tuple(answer.headers[name] for name in X_HEADERS) == ("0", "1", "1", "20", "", "")

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ("per_page=0", "per_page has a value not allowed"),
            ("per_page=x", "per_page is invalid"),
            ("page=x", "page is invalid"),
            ("page=1.5", "page is invalid"),
            ("page=%D9%A1", "page is invalid"),
            ("page=%00", "page is invalid"),
            ("page=0", "page does not have a valid value"),
            ("page=-10", "page does not have a valid value"),
            ("per_page=-1", "per_page does not have a valid value"),
            ("page=-" + "9" * 50, "page does not have a valid value"),
        ],
    )
    def test_that_make_no_sense_are_named(self, vault: RunningVault, files: str, query: str, error: str) -> None:
        answer = vault.root.get(f"{files}?{query}")

        assert (answer.status, answer.json) == (400, {"error": error})

    @pytest.mark.parametrize("page", ["9" * 18, "9" * 19, "9" * 40])
    def test_beyond_any_number_are_empty_pages(self, vault: RunningVault, files: str, page: str) -> None:
        assert vault.root.get(f"{files}?page={page}&per_page=100").json == []


class TestLinks:
    def test_come_in_gitlabs_order(self, vault: RunningVault, files: str) -> None:
        assert list(links(vault.root.get(f"{files}?per_page=5&page=2"))) == ["prev", "next", "first", "last"]
        assert list(links(vault.root.get(f"{files}?per_page=5"))) == ["next", "first", "last"]
        assert list(links(vault.root.get(f"{files}?per_page=5&page=5"))) == ["prev", "first", "last"]

    def test_lead_through_all_rows_once(self, vault: RunningVault, files: str) -> None:
        answer, names = vault.root.get(f"{files}?per_page=5"), []
        while True:
            names += [file["name"] for file in answer.json]
            following = links(answer).get("next")
            if following is None:
                break
            assert following.startswith(f"{vault.url}/api/v4")
            answer = vault.root.get(following.removeprefix(f"{vault.url}/api/v4"))

        assert names == [f"{number:02}" for number in reversed(range(TOTAL))]

    def test_repeat_the_parameters_and_the_project(self, vault: RunningVault, files: str) -> None:
        url = links(vault.root.get(f"{files}?per_page=5&note=a%26b%20c&page=1"))["last"]

        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked == {"id": files.split("/")[2], "note": "a&b c", "page": "5", "per_page": "5"}

    def test_keep_an_encoded_path_encoded(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = project["path_with_namespace"].replace("/", "%2F").replace("-", "%2D")

        url = links(vault.root.get(f"/projects/{path}/secure_files"))["first"]

        assert urlsplit(url).path == f"/api/v4/projects/{path}/secure_files"
        assert dict(parse_qsl(urlsplit(url).query))["id"] == project["path_with_namespace"]

    def test_have_the_host_the_client_used(self, vault: RunningVault, files: str) -> None:
        lines = {"PRIVATE-TOKEN": ROOT_TOKEN, "Host": "vault.example.com:8443"}

        answer = exchange(vault.url, request("GET", f"/api/v4{files}", lines))

        assert answer.headers["link"].startswith(f"<http://vault.example.com:8443/api/v4{files}?")

    @pytest.mark.parametrize("name", ["private_token", "access_token"])
    def test_never_hold_a_token(self, vault: RunningVault, files: str, name: str) -> None:
        answer = vault.nobody.get(f"{files}?per_page=5&{name}={ROOT_TOKEN}")

        assert answer.status == 200
        assert ROOT_TOKEN not in answer.headers["Link"]


class TestOtherLists:
    """Every list of the API is paged, not that of secure files alone."""

    @pytest.mark.parametrize(
        "path",
        [
            "/projects",
            "/groups",
            "/users",
            "/personal_access_tokens",
            "/projects/{}/members",
            "/projects/{}/members/all",
            "/projects/{}/jobs",
            "/projects/{}/pipelines",
        ],
    )
    def test_have_pages_too(self, vault: RunningVault, project: dict[str, Any], path: str) -> None:
        path = path.format(project["id"])
        for _ in range(3):
            vault.member(project["id"], 20)
            vault.job(vault.root, project["id"])
        me = vault.root.get("/user").json["id"]
        for name in ("one", "two", "three"):
            vault.root.post(f"/users/{me}/personal_access_tokens", json={"name": name, "scopes": ["api"]})
            vault.project()

        all_rows = vault.root.get(f"{path}?per_page=100").json
        first = vault.root.get(f"{path}?per_page=2")
        second = vault.root.get(f"{path}?per_page=2&page=2")

        assert len(all_rows) >= 3
        assert first.json + second.json == all_rows[:4]
        assert first.headers["X-Total"] == str(len(all_rows))
        assert "next" in links(first)
        assert vault.root.get(f"{path}?per_page=0").status == 400


class TestVeryManyRows:
    """Of more rows than are counted it is only told whether there are more, as in GitLab above 10,000."""

    @pytest.mark.parametrize(("page", "following"), [(1, "2"), (2, "3"), (3, "")])
    def test_have_neither_a_total_nor_a_last_page(
        self, vault: RunningVault, files: str, page: int, following: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "COUNTED", TOTAL - 1)
        answer = vault.root.get(f"{files}?per_page=10&page={page}")

        assert not {"X-Total", "X-Total-Pages"} & set(answer.headers)
        assert answer.headers["X-Next-Page"] == following
        assert ("next" in links(answer), "last" in links(answer)) == (bool(following), False)

    def test_are_counted_up_to_the_limit(
        self, vault: RunningVault, files: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "COUNTED", TOTAL)

        assert vault.root.get(files).headers["X-Total"] == str(TOTAL)


class TestRowsThatComeAndGo:
    def test_an_older_page_stays_in_order_while_files_come(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """Order is by id: files of one millisecond keep their places."""
        client: Client = vault.root
        made = [client.upload(project["id"], f"n{number}", b"1").json["id"] for number in range(6)]

        pages = [client.get(f"{files_of(project)}?per_page=2&page={page}").json for page in (1, 2, 3)]

        assert [file["id"] for page in pages for file in page] == made[::-1]
