"""`token create` makes a token on the machine that holds the data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import Outcome, Serving, run
from tests.engines import files
from tests.vault.core import Core, opened
from vault.errors import TokenExpired
from vault.models import Page

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with opened(tmp_path / "data") as core:
        core.user("root", is_admin=True)
        core.user("newest")
    return tmp_path / "data"


def create(data: Path, *more: str) -> Outcome:
    return run("token", "create", "--data", data, *more)


class TestCreate:
    def made(self, data: Path, *more: str) -> str:
        """Make a token; it is the only thing said."""
        outcome = create(data, *more)
        assert (outcome.status, outcome.err) == (0, "")
        assert re.fullmatch(r"glpat-[0-9A-Za-z]{38}\n", outcome.out)
        return outcome.out.strip()

    def test_is_for_root_with_scope_api_and_without_an_end(self, data: Path) -> None:
        secret = self.made(data)
        with opened(data) as core:
            principal = core.tokens.personal(secret)
            assert (principal.user.username, set(principal.scopes)) == ("root", {"api"})
            assert self.only(core, "root") == ("command line", ("api",), None)

    def test_is_for_whom_with_what_and_until_when_one_asks(self, data: Path) -> None:
        secret = self.made(
            data, "--user", "NEWEST", "--name", "ci", "--scopes", "read_api, read_user", "--expires-at", "2999-12-31"
        )
        with opened(data) as core:
            assert core.tokens.personal(secret).user.username == "newest"
            assert self.only(core, "newest") == ("ci", ("read_api", "read_user"), "2999-12-31")

    def test_one_that_ended_before_it_began_is_made_and_refused(self, data: Path) -> None:
        secret = self.made(data, "--expires-at", "2000-01-01")
        with opened(data) as core, pytest.raises(TokenExpired):
            core.tokens.personal(secret)

    def only(self, core: Core, username: str) -> tuple[str, tuple[str, ...], str | None]:
        (user,) = core.people.find(Page(), username=username).rows
        (token,) = core.tokens.of_user(user.id)
        return token.name, token.scopes, token.expires_at

    def test_is_good_at_once_at_a_server_that_is_running(self, tmp_path: Path) -> None:
        with Serving("--data", "data", cwd=tmp_path) as serving:
            secret = self.made(tmp_path / "data")

            answer = serving.get("/api/v4/user", secret)
            assert (answer.status_code, answer.json()["username"]) == (200, "root")


class TestRefused:
    @pytest.mark.parametrize("name", ["nobody", "", "roo", "root "])
    def test_5_for_a_user_there_is_not(self, data: Path, name: str) -> None:
        """Also for an empty name, which is what a variable that is not set leaves."""
        outcome = create(data, "--user", name)

        assert (outcome.status, outcome.out) == (5, "")
        assert f"there is no user called {name!r}" in outcome.err
        with opened(data) as core:
            assert core.sql("SELECT id FROM tokens") == []

    @pytest.mark.parametrize("scopes", ["", ",", "sudo", "api,sudo", "API"])
    def test_2_for_scopes_there_are_not(self, data: Path, scopes: str) -> None:
        outcome = create(data, "--scopes", scopes)

        assert (outcome.status, outcome.out) == (2, "")
        assert "scopes" in outcome.err

    @pytest.mark.parametrize("date", ["tomorrow", "2026-02-30", "31.12.2026", ""])
    def test_2_for_what_is_no_date(self, data: Path, date: str) -> None:
        outcome = create(data, "--expires-at", date)

        assert (outcome.status, outcome.out) == (2, "")
        assert "is not a date such as 2027-01-31" in outcome.err

    def test_2_for_a_blank_name(self, data: Path) -> None:
        assert create(data, "--name", " ").status == 2

    def test_3_for_a_lost_keyring(self, data: Path) -> None:
        (data / "keys" / "keyring.json").unlink()

        assert create(data).status == 3

    @files
    def test_5_where_there_is_no_vault_and_none_is_made(self, tmp_path: Path) -> None:
        outcome = create(tmp_path / "absent")

        assert (outcome.status, outcome.out) == (5, "")
        assert f"there is no vault in {tmp_path / 'absent'}" in outcome.err
        assert not (tmp_path / "absent").exists()
