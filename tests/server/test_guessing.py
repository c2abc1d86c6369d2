"""Who guesses at tokens is slowed down; who has a right one is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.guessing import Guesses, network
from tests.harness import Client

if TYPE_CHECKING:
    from tests.harness import RunningVault


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestGuesses:
    def test_let_sixty_pass_in_a_minute(self) -> None:
        guesses = Guesses(clock=Clock())

        assert [guesses.wrong("192.0.2.1") for _ in range(60)] == [0] * 60
        assert guesses.wrong("192.0.2.1") == 60

    def test_tell_how_long_the_minute_still_lasts(self) -> None:
        clock = Clock()
        guesses = Guesses(limit=1, clock=clock)
        guesses.wrong("192.0.2.1")

        clock.now += 59.5
        assert guesses.wrong("192.0.2.1") == 1
        clock.now += 0.5
        assert guesses.wrong("192.0.2.1") == 0

    def test_count_each_address_by_itself(self) -> None:
        guesses = Guesses(limit=1, clock=Clock())

        assert [guesses.wrong(address) for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")] == [0, 0, 60]

    def test_remember_so_many_addresses_and_no_more(self) -> None:
        guesses = Guesses(limit=1, addresses=2, clock=Clock())

        assert [guesses.wrong(f"192.0.2.{number}") for number in (1, 2, 3)] == [0, 0, 0]
        assert [guesses.wrong(f"192.0.2.{number}") for number in (3, 1)] == [60, 0]


class TestNetworks:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
            ("a socket", "a socket"),
        ],
    )
    def test_are_what_one_guesser_has(self, address: str, expected: str) -> None:
        assert network(address) == expected


class TestServer:
    def test_tells_a_guesser_to_wait_and_nobody_else(self, vault: RunningVault) -> None:
        statuses = [Client(vault.url, f"glpat-guess-{number}").get("/user").status for number in range(70)]

        assert statuses == [401] * 60 + [429] * 10
        told = Client(vault.url, "glpat-guess").get("/user")
        assert told.json == {"message": "429 Too Many Requests"}
        assert 1 <= int(told.headers["Retry-After"]) <= 60
        assert vault.root.get("/user").status == 200
        assert vault.nobody.get("/user").status == 401

    def test_does_not_count_what_was_a_token_once(self, vault: RunningVault) -> None:
        me = vault.root.get("/user").json["id"]
        body = {"name": "t", "scopes": ["api"], "expires_at": "2020-01-01"}
        expired = vault.root.post(f"/users/{me}/personal_access_tokens", json=body).json["token"]

        assert {Client(vault.url, expired).get("/user").status for _ in range(70)} == {401}
