"""Limits on requests: off unless set, true in their headers, and of all processes together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from server.rates import Quota, Rates
from tests.harness import Client, RunningVault
from tests.reliability.processes import Server
from tests.server.ci import Ci

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT, ANONYMOUS = 12, 5
HEADERS = ("RateLimit-Limit", "RateLimit-Observed", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Name")


class TestQuotas:
    def test_tell_what_is_left_and_when_it_begins_anew(self) -> None:
        assert Quota("n", 10, 4, 30.5).headers(1000.0) == {
            "RateLimit-Name": "n",
            "RateLimit-Limit": "10",
            "RateLimit-Observed": "4",
            "RateLimit-Remaining": "6",
            "RateLimit-Reset": "1031",
        }

    def test_that_are_exceeded_say_when_to_come_again(self) -> None:
        headers = Quota("n", 10, 12, 0.5).headers(1000.0)

        assert (headers["RateLimit-Remaining"], headers["Retry-After"]) == ("0", "1")

    def test_are_none_without_a_limit(self) -> None:
        rates = Rates(0, 5)

        assert rates.of_token("1") is None
        assert rates.of_address("192.0.2.1") is not None
        assert Rates(5, 0).of_address("192.0.2.1") is None

    def test_of_a_token_and_of_an_address_are_apart(self) -> None:
        rates = Rates(5, 5)
        found = [rates.of_token("a"), rates.of_token("a"), rates.of_token("b"), rates.of_address("a")]

        assert [quota.observed for quota in found if quota] == [1, 2, 1, 1]


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[RunningVault]:
    """A vault with limits on requests, nobody counted yet."""
    settings = {"requests_per_minute": LIMIT, "anonymous_requests_per_minute": ANONYMOUS}
    with RunningVault(tmp_path / "data", **settings) as running:
        yield running


class TestServer:
    def test_says_nothing_of_limits_that_are_not_there(self, vault: RunningVault) -> None:
        for client in (vault.root, vault.nobody):
            assert not [name for name in client.get("/user").headers if name.lower().startswith("ratelimit")]

    def test_tells_each_token_where_it_stands(self, limited: RunningVault) -> None:
        before = time.time()
        answers = [limited.root.get("/user") for _ in range(3)]

        assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["11", "10", "9"]
        assert {answer.headers["RateLimit-Limit"] for answer in answers} == {str(LIMIT)}
        assert before + 50 <= int(answers[-1].headers["RateLimit-Reset"]) <= time.time() + 61
        assert "Retry-After" not in answers[-1].headers

    def test_answers_what_is_too_much_as_gitlab_does(self, limited: RunningVault) -> None:
        statuses = [limited.root.get("/user").status for _ in range(LIMIT + 2)]
        refused = limited.root.get("/user")

        assert statuses == [200] * LIMIT + [429] * 2
        assert (refused.body, refused.headers["Content-Type"]) == (b"Retry later\n", "text/plain; charset=utf-8")
        assert all(name in refused.headers for name in HEADERS)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["RateLimit-Observed"] == str(LIMIT + 3)

    def test_lets_one_token_not_keep_another_out(self, limited: RunningVault) -> None:
        body = {"name": "t", "scopes": ["api"]}
        other = Client(limited.url, limited.root.post("/users/1/personal_access_tokens", json=body).json["token"])
        for _ in range(LIMIT):
            limited.root.get("/user")

        assert limited.root.get("/user").status == 429
        assert other.get("/user").status == 200

    def test_counts_who_has_no_good_token_by_his_address(self, limited: RunningVault) -> None:
        wrong = Client(limited.url, "glpat-wrong")
        statuses = [client.get("/projects").status for client in (limited.nobody, wrong) for _ in range(3)]

        assert statuses.count(429) == 1
        assert statuses[-1] == 429
        assert limited.root.get("/projects").status == 200

    def test_counts_a_jobs_own_token(self, limited: RunningVault) -> None:
        ci = Ci(limited, limited.project())
        number, client = ci.running()
        statuses = [client.put(f"/jobs/{number}", json={"token": client.token}).status for _ in range(LIMIT + 1)]

        assert statuses == [200] * LIMIT + [429]

    def test_never_counts_those_who_look_whether_it_lives(self, limited: RunningVault) -> None:
        answers = [limited.nobody.get(f"/-/{name}") for name in ("health", "liveness", "readiness") for _ in range(9)]

        assert {answer.status for answer in answers} == {200}
        assert not any(name in answer.headers for answer in answers for name in HEADERS)

    def test_counts_for_all_workers_together(self, tmp_path: Path) -> None:
        with Server(tmp_path / "data", workers=3, requests_per_minute=LIMIT, anonymous_requests_per_minute=0) as server:
            # A new connection each, so that more than one worker is asked.
            statuses = [server.root.get("/user").status for _ in range(LIMIT + 5)]

            assert statuses == [200] * LIMIT + [429] * 5

    def test_counts_wrong_tokens_for_all_workers_together(self, tmp_path: Path) -> None:
        with Server(tmp_path / "data", workers=3) as server:
            statuses = [Client(server.url, f"glpat-{number}").get("/user").status for number in range(65)]

            assert statuses == [401] * 60 + [429] * 5
