"""What each kind of recipient gets, from a real SMTP server or a real HTTP receiver."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest

from server.notify.recipients import Recipient
from tests.notify.support import pass_pauses, put, tell
from tests.receivers import Mailbox, Web, mail_receiver, web_receiver
from tests.vault.core import Core, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD = "evil <!channel> *b*\u202e|.p12"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        core.project(core.user("ada"))
        put(core, "release.jks", 5.5)
        put(core, ODD, -2.5)
        yield core


@pytest.fixture
def web() -> Iterator[Web]:
    with web_receiver() as web:
        yield web


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_receiver() as mailbox:
        yield mailbox


def delivered(core: Core, kind: str, **options: Any) -> list[str]:
    """Tell one recipient and return what went wrong."""
    return [told.problem for told in tell(core, Recipient("r", kind, options=options)) if told.problem]


class TestWebhook:
    def test_gets_what_a_program_needs(self, core: Core, web: Web) -> None:
        assert delivered(core, "webhook", url=f"{web.url}/hook") == []

        (posted,) = web.posted
        assert posted.path == "/hook"
        assert posted.json["event"] == "secure_files.expiry"
        files = {file["name"]: file for file in posted.json["files"]}
        assert files["release.jks"] | {"notice_id": "", "expires_at": ""} == {
            "notice_id": "",
            "days_ahead": 7,
            "project_id": 1,
            "project": core.projects.get(1).full_path,
            "id": 1,
            "name": "release.jks",
            "kind": "certificate",
            "expires_at": "",
            "days_left": 5,
            "status": "expiring",
        }
        assert files[ODD]["status"] == "expired"

    def test_is_signed_when_there_is_a_secret(self, core: Core, web: Web) -> None:
        delivered(core, "webhook", url=web.url, secret="shared")

        (posted,) = web.posted
        digest = hmac.new(b"shared", posted.body, hashlib.sha256).hexdigest()
        assert posted.headers["X-Hub-Signature-256"] == f"sha256={digest}"

    def test_sent_again_has_the_same_ids(self, core: Core, web: Web) -> None:
        web.status = 500
        delivered(core, "webhook", url=web.url)
        pass_pauses(core)
        web.status = 200
        delivered(core, "webhook", url=web.url)

        first, second = web.posted
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
        assert [f["notice_id"] for f in first.json["files"]] == [f["notice_id"] for f in second.json["files"]]


class TestSlack:
    def test_gets_a_message_in_which_names_are_only_text(self, core: Core, web: Web) -> None:
        assert delivered(core, "slack", url=web.url) == []

        text = web.posted[0].json["text"]
        assert "release.jks" in text
        assert "expires in 5 days" in text
        assert "&lt;!channel&gt;" in text
        assert "<!channel>" not in text
        assert "\u202e" not in text


class TestTeams:
    def test_gets_an_adaptive_card(self, core: Core, web: Web) -> None:
        assert delivered(core, "teams", url=web.url) == []

        message = web.posted[0].json
        card = message["attachments"][0]["content"]
        assert message["type"] == "message"
        assert message["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert card["type"] == "AdaptiveCard"
        assert any("release.jks" in block["text"] for block in card["body"])


class TestEmail:
    def test_comes_as_one_mail_to_all(self, core: Core, mailbox: Mailbox) -> None:
        to = ["ops@example.com", "Mobile <mobile@example.com>"]
        sender = "Vault <vault@example.com>"
        assert delivered(core, "email", server=mailbox.address, tls="none", **{"from": sender}, to=to) == []

        (mail,) = mailbox.mails
        assert mail["To"] == "ops@example.com, Mobile <mobile@example.com>"
        assert mail["From"] == sender
        assert mail["Message-ID"].endswith("@example.com>")
        assert mail["Subject"].startswith("2 signing files expire soon or have expired")
        body = mail.get_content()
        assert "release.jks" in body
        assert "expires in 5 days" in body
        assert "secure-files push --replace" in body

    def test_logs_in_when_it_is_told_to(self, core: Core, mailbox: Mailbox) -> None:
        options = {"server": mailbox.address, "tls": "none", "from": "a@example.com", "to": ["b@example.com"]}

        wrong = delivered(core, "email", **options, username="vault", password="guess")
        pass_pauses(core)
        right = delivered(core, "email", **options, username="vault", password="the-mail-password")

        assert set(wrong) == {f"{mailbox.address} does not take the mail: the username or password is not accepted"}
        assert right == []
        assert set(mailbox.logins) == {"vault"}
        assert len(mailbox.mails) == 1

    def test_that_is_refused_is_tried_again(self, core: Core, mailbox: Mailbox) -> None:
        options = {"server": mailbox.address, "tls": "none", "from": "a@example.com", "to": ["b@example.com"]}
        mailbox.refuse = "451 come back later"

        refused = delivered(core, "email", **options)
        pass_pauses(core)
        mailbox.refuse = ""
        delivered(core, "email", **options)
        delivered(core, "email", **options)

        assert set(refused) == {f"{mailbox.address} does not take the mail: it answered 451"}
        assert len(mailbox.mails) == 1

    def test_goes_to_no_server_in_clear_unless_told(self, core: Core, mailbox: Mailbox) -> None:
        problems = delivered(
            core, "email", server=mailbox.address, **{"from": "a@example.com"}, to=["b@example.com"], password="p"
        )

        assert len(problems) == 2
        assert mailbox.mails == []


class TestGitLab:
    def options(self, web: Web) -> dict[str, Any]:
        return {"url": web.url, "project": "team/ops", "token": "glpat-secret", "labels": ["expiry", "signing"]}

    def test_gets_an_issue_for_each_file_due_on_its_day(self, core: Core, web: Web) -> None:
        web.answers["/api/v4/projects/team%2Fops/issues"] = (201, {"iid": 7})

        assert delivered(core, "gitlab", **self.options(web)) == []

        assert len(web.posted) == 2
        issue = next(posted for posted in web.posted if "release" in posted.json["title"])
        assert issue.headers["Private-Token"] == "glpat-secret"
        assert issue.json["labels"] == "expiry,signing"
        assert issue.json["due_date"] == core.secure_files.get(1, 1).expires_at[:10]

    def test_gets_later_notices_as_comments(self, core: Core, web: Web) -> None:
        web.answers["/api/v4/projects/team%2Fops/issues"] = (201, {"iid": 7})
        web.answers["/api/v4/projects/team%2Fops/issues/7/notes"] = (201, {})
        delivered(core, "gitlab", **self.options(web))
        core.sql("UPDATE notices SET days = 60 WHERE file_id = 1")
        web.posted.clear()

        delivered(core, "gitlab", **self.options(web))

        (comment,) = web.posted
        assert comment.path.endswith("/issues/7/notes")
        assert "**release.jks**" in comment.json["body"]

    def test_gets_a_new_issue_when_the_old_one_is_gone(self, core: Core, web: Web) -> None:
        web.answers["/api/v4/projects/team%2Fops/issues"] = (201, {"iid": 7})
        delivered(core, "gitlab", **self.options(web))
        core.sql("UPDATE notices SET days = 60 WHERE file_id = 1")
        web.answers["/api/v4/projects/team%2Fops/issues/7/notes"] = (404, {"message": "404 Not found"})
        web.posted.clear()

        assert delivered(core, "gitlab", **self.options(web)) == []

        assert [posted.path.rpartition("/")[2] for posted in web.posted] == ["notes", "issues"]

    def test_that_is_none_is_told(self, core: Core, web: Web) -> None:
        problems = delivered(core, "gitlab", **self.options(web))

        assert set(problems) == {"no issue came back: is it the address of a GitLab?"}
