"""The file of recipients: what it may hold, and that a mistake in it is told without a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.notify.recipients import read
from tests.notify.support import recipients, written
from vault.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

HOOK = '[[recipient]]\nname = "team"\nkind = "slack"\nurl = "https://hooks.example.com/sesame"\n'
MAIL = '[[recipient]]\nname = "m"\nkind = "email"\nserver = "s"\nfrom = "a@example.com"\nto = ["b@example.com"]\n'


class TestReading:
    def test_gives_each_recipient_with_the_usual_days_and_all_projects(self, tmp_path: Path) -> None:
        (found,) = recipients(tmp_path, HOOK)

        assert (found.name, found.kind) == ("team", "slack")
        assert found.days == (60, 30, 14, 7, 1)
        assert found.cares_for("any/project")

    def test_takes_a_secret_from_a_file_beside_it(self, tmp_path: Path) -> None:
        (tmp_path / "address").write_text("https://hooks.example.com/sesame\n")
        text = HOOK.replace('url = "https://hooks.example.com/sesame"', 'url_file = "address"')

        (found,) = read(written(tmp_path, text, 0o644))

        assert found.options == {"url": "https://hooks.example.com/sesame"}

    def test_narrows_to_projects_by_pattern(self, tmp_path: Path) -> None:
        (found,) = recipients(tmp_path, HOOK + 'projects = ["mobile/*", "web/shop"]\n')

        assert [found.cares_for(path) for path in ("mobile/app", "Mobile/App", "web/shop", "web/other")] == [
            True,
            True,
            True,
            False,
        ]

    def test_shows_no_secret_of_a_recipient(self, tmp_path: Path) -> None:
        assert "sesame" not in repr(recipients(tmp_path, HOOK))


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "has no table [[recipient]]"),
            ("recipient = 3", "has no table [[recipient]]"),
            ("recipient = [3]", "has to be a table"),
            ("[[recipient", "is not TOML"),
            (HOOK.replace('name = "team"\n', ""), "a name is missing"),
            (HOOK.replace("slack", "pigeon"), "kind has to be one of webhook, slack, teams, email, gitlab"),
            (HOOK.replace("https", "ftp"), "url has to begin with https:// or http://"),
            (HOOK + HOOK, "has two of the same name"),
            (HOOK + "days = []", "days has to be a list of whole numbers"),
            (HOOK + "days = [0]", "days has to be a list of whole numbers"),
            (HOOK + "days = [true]", "days has to be a list of whole numbers"),
            (HOOK + "projects = []", "projects has to be a list of texts"),
            (HOOK + 'port = "1"', "port is nothing that slack knows"),
            (HOOK + 'secret_file = "missing"', "secret_file cannot be read"),
            (HOOK + 'tls = "none"', "tls is nothing that slack knows"),
            (MAIL.replace('server = "s"\n', ""), "server is missing"),
            (MAIL.replace('["b@example.com"]', '"b@example.com"'), "to has to be a list of texts"),
            (MAIL + 'tls = "ssl"', "tls has to be starttls, tls or none"),
            (MAIL + "username = 3", "username has to be a text"),
        ],
    )
    def test_is_told_with_the_place_and_without_a_secret(self, tmp_path: Path, text: str, told: str) -> None:
        with pytest.raises(Invalid) as caught:
            recipients(tmp_path, text)

        assert told in str(caught.value)
        assert "sesame" not in str(caught.value)

    def test_a_file_with_secrets_that_others_can_read_is_refused_with_what_to_run(self, tmp_path: Path) -> None:
        path = written(tmp_path, HOOK, 0o644)

        with pytest.raises(Invalid, match=f"chmod 600 {path}"):
            read(path)

    def test_a_missing_file_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(Invalid, match="cannot be read"):
            read(tmp_path / "none.toml")
