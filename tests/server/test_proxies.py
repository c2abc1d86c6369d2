"""Behind proxies: whose X-Forwarded headers are believed, and what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from server.proxies import Origin, came_by_a_proxy, networks, origin, within
from tests.harness import Client, RunningVault
from tests.server.support import exchange, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRUSTED = networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1"])


class TestNetworks:
    def test_are_addresses_and_ranges(self) -> None:
        assert [str(found) for found in networks(["10.0.0.7", "10.1.2.3/8", "fd00::1"])] == [
            "10.0.0.7/32",
            "10.0.0.0/8",
            "fd00::1/128",
        ]

    @pytest.mark.parametrize("text", ["", "proxy.example.com", "10.0.0.0/33", "10.0.0"])
    def test_are_nothing_else(self, text: str) -> None:
        with pytest.raises(ValueError, match="does not appear"):
            networks([text])

    @pytest.mark.parametrize(
        ("address", "inside"),
        [("10.9.9.9", True), ("::ffff:10.9.9.9", True), ("fd00::9%eth0", True), ("11.0.0.1", False), ("a name", False)],
    )
    def test_hold_addresses(self, address: str, inside: bool) -> None:
        assert within(address, TRUSTED) is inside


class TestOrigin:
    @pytest.mark.parametrize(
        ("forwarded", "expected"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("203.0.113.66, 192.0.2.1", "192.0.2.1"),
            ("203.0.113.66, 192.0.2.1, 10.1.1.1, fd00::1", "192.0.2.1"),
            ("10.2.2.2, 10.1.1.1", "10.2.2.2"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("203.0.113.66, unknown", "10.0.0.1"),
            ("203.0.113.66, unknown, 10.3.3.3", "10.3.3.3"),
            ("", "10.0.0.1"),
            (" , ", "10.0.0.1"),
        ],
    )
    def test_is_the_rightmost_address_that_is_not_trusted(self, forwarded: str, expected: str) -> None:
        found = origin("10.0.0.1", {"X-Forwarded-For": forwarded}, TRUSTED)

        assert found is not None
        assert found.address == expected

    def test_is_not_told_by_a_stranger(self) -> None:
        assert origin("192.0.2.7", {"X-Forwarded-For": "10.0.0.1"}, TRUSTED) is None

    def test_has_the_scheme_and_the_host_that_were_asked(self) -> None:
        headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "HTTPS", "X-Forwarded-Host": "vault.example"}

        assert origin("10.0.0.1", headers, TRUSTED) == Origin("192.0.2.1", "https", "vault.example")

    def test_has_what_the_outermost_trusted_proxy_wrote_of_a_chain(self) -> None:
        """The client wrote `http` and `evil.example` himself; the two proxies added theirs."""
        headers = {
            "X-Forwarded-For": "192.0.2.1, 10.0.0.2",
            "X-Forwarded-Proto": "http, https, http",
            "X-Forwarded-Host": "evil.example, vault.example, inner",
        }

        assert origin("10.0.0.1", headers, TRUSTED) == Origin("192.0.2.1", "https", "vault.example")

    @pytest.mark.parametrize("scheme", ["javascript", "", "wss"])
    def test_has_no_other_scheme_than_those_two(self, scheme: str) -> None:
        found = origin("10.0.0.1", {"X-Forwarded-Proto": scheme}, TRUSTED)

        assert found == Origin("10.0.0.1", None, None)


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_a_proxy_leaves_a_sign(name: str) -> None:
    assert came_by_a_proxy({name: "x"})
    assert not came_by_a_proxy({"Host": "x"})


FORWARDED = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "vault.example.com"}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A vault that trusts a proxy on this machine."""
    with RunningVault(tmp_path_factory.mktemp("behind") / "data", trusted_proxy=("127.0.0.1",)) as running:
        yield running


def link(vault: RunningVault, headers: dict[str, str]) -> str:
    return vault.root.get("/projects?per_page=1", headers=headers).headers["Link"]


class TestServer:
    def test_builds_links_with_what_a_trusted_proxy_says(self, behind: RunningVault) -> None:
        assert link(behind, FORWARDED).startswith("<https://vault.example.com/api/v4/projects?")

    def test_builds_links_with_the_request_when_the_proxy_is_not_trusted(self, vault: RunningVault) -> None:
        assert link(vault, FORWARDED).startswith(f"<{vault.url}/api/v4/projects?")

    def test_takes_the_setting_for_the_address_before_anything_else(self, tmp_path: Path) -> None:
        settings: dict[str, Any] = {"trusted_proxy": ("127.0.0.1",), "external_url": "https://real.example"}
        with RunningVault(tmp_path / "data", **settings) as running:
            assert link(running, FORWARDED).startswith("<https://real.example/api/v4/projects?")

    def test_refuses_a_forwarded_host_that_is_none(self, behind: RunningVault) -> None:
        answer = behind.root.get("/projects", headers={"X-Forwarded-Host": "a b<script>"})

        assert (answer.status, answer.json) == (400, {"error": "the Host header is invalid"})

    def test_counts_guesses_of_the_client_and_not_of_the_proxy(self, behind: RunningVault) -> None:
        guesser = Client(behind.url, "glpat-guess")
        statuses = {guesser.get("/user", headers={"X-Forwarded-For": "203.0.113.1"}).status for _ in range(70)}

        assert statuses == {401, 429}
        assert guesser.get("/user", headers={"X-Forwarded-For": "203.0.113.2"}).status == 401

    def test_logs_the_address_of_the_client(self, behind: RunningVault, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "secure_files.access")
        behind.root.get("/user", headers=FORWARDED)

        assert any(record.getMessage().startswith("192.0.2.9 GET /api/v4/user 200") for record in caplog.records)

    def test_answers_what_is_sent_through_a_proxy_as_it_would_without(self, behind: RunningVault) -> None:
        """A body, a request id of the client's own, and every header of the answer come through."""
        project = behind.project()
        made = behind.root.upload(project["id"], "a.bin", b"content")
        down = behind.root.get(
            f"/projects/{project['id']}/secure_files/{made.json['id']}/download",
            headers={**FORWARDED, "X-Request-Id": "mine"},
        )

        assert (made.status, down.status, down.body) == (201, 200, b"content")
        assert down.headers["X-Request-Id"] == "mine"
        assert down.headers["X-Content-Type-Options"] == "nosniff"

    def test_joins_repeated_lines_of_a_header(self, behind: RunningVault, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "secure_files.access")
        lines = {"X-Forwarded-For": "203.0.113.66\r\nX-Forwarded-For: 192.0.2.10"}
        exchange(behind.url, request("GET", "/-/liveness", lines))

        assert any(record.getMessage().startswith("192.0.2.10 GET ") for record in caplog.records)
