"""A GET or HEAD of a repository's file that brings a body, as of somebody who meant to write: answered, and told so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from server import ignored
from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.repository_support import Repository
from tests.server.support import MIB, MULTIPART, exchange, multipart, part, request

if TYPE_CHECKING:
    from collections.abc import Mapping

MEANT = {"branch": "main", "content": "new", "commit_message": "change it"}
TOLD = '299 - "a {} takes nothing from its body, ignored: branch, content, commit_message; to write, use POST or PUT"'
UNTOLD = '299 - "a GET takes nothing from its body, ignored; to write, use POST or PUT"'
PLACES = ("", "/raw", "/blame")
JSON = {"Content-Type": "application/json"}
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture(scope="module")
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("a", "content")
    return repository


def without_its_own(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that two answers to the same request share."""
    return {name: value for name, value in headers.items() if name not in ("Warning", "X-Request-Id", "Date")}


class TestWhatIsInTheBody:
    @pytest.mark.parametrize("more", PLACES)
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize(
        "body", [{"json": MEANT}, {"data": MEANT}, {"files": {name: (None, text) for name, text in MEANT.items()}}]
    )
    def test_is_named_beside_the_same_answer(
        self, repository: Repository, method: str, more: str, body: dict[str, Any]
    ) -> None:
        place = repository.at("a", more, ref="main")
        plain = repository.root(method, place)

        answer = repository.root(method, place, **body)

        assert (answer.status, answer.body) == (200, plain.body)
        assert without_its_own(answer.headers) == without_its_own(plain.headers)
        assert answer.headers["Warning"] == TOLD.format(method)
        assert "Warning" not in plain.headers

    def test_changes_nothing(self, repository: Repository) -> None:
        before = repository.git("rev-parse", "main")

        repository.root.get(repository.at("a", ref="main"), json=MEANT)

        assert repository.git("rev-parse", "main") == before
        assert repository.raw("a").body == b"content"

    def test_is_named_where_the_request_fails_for_it(self, repository: Repository) -> None:
        answer = repository.root.get(repository.at("a"), data={"ref": "main"})

        assert (answer.status, answer.json) == (400, {"error": "ref is missing, ref is empty"})
        assert "ignored: ref;" in answer.headers["Warning"]

    def test_is_named_when_the_client_has_the_file_already(self, repository: Repository) -> None:
        place = repository.at("a", ref="main")
        tag = repository.root.get(place).headers["ETag"]

        answer = repository.root.get(place, json=MEANT, headers={"If-None-Match": tag})

        assert (answer.status, answer.headers["Warning"]) == (304, TOLD.format("GET"))

    def test_is_named_without_its_values(self, repository: Repository) -> None:
        answer = repository.root.get(repository.at("a", ref="main"), json={"private_token": ROOT_TOKEN})

        assert "ignored: private_token;" in answer.headers["Warning"]
        assert ROOT_TOKEN not in str(answer.headers)

    def test_is_counted_where_a_header_could_not_hold_it(self, repository: Repository) -> None:
        strange = {"a\r\nX-Evil: 1": 1, "é": 1, '"': 1, "x" * 65: 1, "content": 1}

        answer = repository.root.get(repository.at("a", ref="main"), json=strange)

        assert "ignored: content, 4 more;" in answer.headers["Warning"]
        assert "X-Evil" not in answer.headers

    def test_is_named_up_to_a_few(self, repository: Repository) -> None:
        answer = repository.root.get(repository.at("a", ref="main"), json={f"n{each}": 1 for each in range(500)})

        assert answer.headers["Warning"].endswith('n9, 490 more; to write, use POST or PUT"')

    def test_is_not_looked_at_for_who_may_not_read(self, vault: RunningVault, repository: Repository) -> None:
        answer = repository.get("a", client=vault.user()[1], json=MEANT)

        assert (answer.status, "Warning" in answer.headers) == (404, False)


class TestABodyThatSaysNothing:
    @pytest.mark.parametrize(
        ("headers", "body"),
        [({}, b""), (JSON, b"{}"), (JSON, b" "), (CHUNKED, b"0\r\n\r\n"), ({"Content-Type": "text/plain"}, b"hello")],
    )
    def test_is_not_told_of(self, repository: Repository, headers: dict[str, str], body: bytes) -> None:
        answer = sent(repository, headers, body)

        assert (answer.status, answer.headers.get("warning")) == (200, None)


class TestABodyThatCannotBeRead:
    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            (JSON, b"{"),
            (JSON, b"[1]"),
            (JSON, b"\xff"),
            ({**JSON, "Content-Encoding": "gzip"}, b"no gzip"),
            ({**JSON, "Content-Encoding": "br"}, b"x"),
            ({"Content-Type": "multipart/form-data"}, b"x"),
            (MULTIPART, b"--frontier\r\n"),
            (MULTIPART, multipart([part(f"n{each}", b"") for each in range(30)])),
            (JSON, json.dumps({"content": "x" * 70_000}).encode()),
        ],
    )
    def test_is_told_of_all_the_same_and_the_file_is_given(
        self, repository: Repository, headers: dict[str, str], body: bytes
    ) -> None:
        answer = sent(repository, headers, body)

        assert (answer.status, answer.headers["warning"]) == (200, UNTOLD)
        assert answer.json["file_name"] == "a"

    def test_is_not_waited_for_when_it_does_not_come(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ignored, "PATIENCE_SECONDS", 0.05)

        answer = sent(repository, {**JSON, "Content-Length": "1000"}, b"{")

        assert (answer.status, answer.headers["warning"]) == (200, UNTOLD)

    def test_is_not_read_when_it_says_that_it_is_long(self, repository: Repository) -> None:
        answer = sent(repository, {**JSON, "Content-Length": str(10**12)}, b"{")

        assert (answer.status, answer.headers["warning"]) == (200, UNTOLD)

    def test_is_read_no_further_than_a_little(self, repository: Repository) -> None:
        pieces = f"{MIB:x}\r\n".encode() + b" " * MIB + b"\r\n"

        answer = sent(repository, {**JSON, **CHUNKED}, pieces)

        assert (answer.status, answer.headers["warning"]) == (200, UNTOLD)


def sent(repository: Repository, headers: dict[str, str], body: bytes) -> Any:
    lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **headers}
    return exchange(repository.vault.url, request("GET", f"/api/v4{repository.at('a', ref='main')}", lines, body))
