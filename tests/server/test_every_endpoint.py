"""What holds for every endpoint of every family, those that are yet to be written included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from server.api import FAMILIES
from server.describing import UNLISTED
from tests.harness import Client

if TYPE_CHECKING:
    from server.access import Endpoint
    from tests.harness import RunningVault

ENDPOINTS = [endpoint for family in FAMILIES for endpoint in family.ENDPOINTS]
GUARDED = [endpoint for endpoint in ENDPOINTS if not endpoint.open]
STRICT = [endpoint for endpoint in GUARDED if not (endpoint.anonymous and endpoint.method == "GET")]


def each(endpoints: list[Endpoint]) -> pytest.MarkDecorator:
    """Make one case of each endpoint."""
    return pytest.mark.parametrize("endpoint", endpoints, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")


PART = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


def filled(endpoint: Endpoint) -> str:
    """Return a path of the endpoint, with 1 for everything that is named in it."""
    return PART.sub("1", endpoint.path)


def place(endpoint: Endpoint) -> str:
    """Return the same as clients of the tests take it."""
    return filled(endpoint).removeprefix("/api/v4")


def matches(endpoint: Endpoint, path: str) -> bool:
    """Say whether aiohttp takes a path for one of the endpoint's."""
    return (
        web.DynamicResource(endpoint.path)._match(path) is not None if "{" in endpoint.path else endpoint.path == path
    )


class TestEveryEndpoint:
    @each([endpoint for endpoint in ENDPOINTS if endpoint.about != UNLISTED])
    def test_is_what_its_own_path_means(self, endpoint: Endpoint) -> None:
        """And not one that the router tries before it: `secure_files/health` is no number of a file."""
        path = filled(endpoint)

        meant = [other for other in ENDPOINTS if other.method == endpoint.method and matches(other, path)]

        assert meant[0] is endpoint

    @each(STRICT)
    def test_asks_for_a_token(self, vault: RunningVault, endpoint: Endpoint) -> None:
        answer = vault.nobody(endpoint.method, place(endpoint))

        assert (answer.status, answer.json) == (401, {"message": "401 Unauthorized"})

    @each(GUARDED)
    def test_refuses_a_wrong_token(self, vault: RunningVault, endpoint: Endpoint) -> None:
        answer = Client(vault.url, "glpat-wrong")(endpoint.method, place(endpoint))

        assert answer.status in (401, 429)
        assert answer.headers["Content-Type"] == "application/json"

    @each([endpoint for endpoint in GUARDED if endpoint.method != "GET" and not endpoint.any_scope])
    def test_that_writes_is_nothing_for_a_token_that_reads(self, vault: RunningVault, endpoint: Endpoint) -> None:
        reader = vault.token_of(1, "read_api")

        answer = reader(endpoint.method, place(endpoint))

        assert (answer.status, answer.json["error"]) == (403, "insufficient_scope")

    @each([endpoint for endpoint in ENDPOINTS if endpoint.method == "GET"])
    def test_that_gets_answers_head_alike(self, vault: RunningVault, endpoint: Endpoint) -> None:
        got, head = vault.root.get(place(endpoint)), vault.root("HEAD", place(endpoint))

        assert (head.status, head.body) == (got.status, b"")
        assert head.headers["Content-Type"] == got.headers["Content-Type"]

    @each(ENDPOINTS)
    def test_tells_of_its_methods(self, vault: RunningVault, endpoint: Endpoint) -> None:
        answer = vault.root("PATCH", place(endpoint))

        assert (answer.status, answer.json) == (405, {"error": "405 Not Allowed"})
        assert endpoint.method in answer.headers["Allow"].split(",")

    @each(ENDPOINTS)
    def test_takes_an_empty_json_body(self, vault: RunningVault, endpoint: Endpoint) -> None:
        """Some clients send the type of JSON with every request, whatever its method, and no body."""
        nowhere = re.sub(r"\b1\b", "999999", place(endpoint))

        answer = vault.root(endpoint.method, nowhere, headers={"Content-Type": "application/json"}, data=b"")

        assert answer.status < 500
        assert b"declared format" not in answer.body
