"""The quick start ends with a mail: its file of recipients, with another mail server, and its commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from server.notify.recipients import read
from tests.cli.runner import run
from tests.docs.markdown import document
from tests.harness import RunningVault
from tests.notify.support import written
from tests.receivers import mail_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parent.parent.parent / "sample_certs" / "files"


def commands() -> Iterator[list[str]]:
    """Yield the words of the commands that the page shows for telling."""
    for block in document("docs/index.md").blocks("sh"):
        yield from (line.split() for line in block.lines if line.startswith("secure-files notify"))


def test_the_recipients_file_and_the_commands_bring_a_mail(tmp_path: Path) -> None:
    with mail_receiver() as mailbox, RunningVault(tmp_path / "vault") as vault:
        project = vault.project()
        vault.root.upload(project["id"], "push-services.crt", (SAMPLES / "development-expired.CER").read_bytes())
        (tmp_path / "mail-password").write_text("the-mail-password\n")
        text = "\n".join(document("docs/index.md").blocks("toml")[0].lines)
        text = text.replace("smtp.example.com:587", mailbox.address).replace("starttls", "none")
        path = written(tmp_path, text)
        assert read(path)[0].kind == "email"

        known = {"~/vault": str(tmp_path / "vault"), "~/recipients.toml": str(path)}
        outcomes = [run(*(known.get(word, word) for word in words[1:])) for words in commands()]

    assert [outcome.status for outcome in outcomes] == [0, 0]
    test, told = mailbox.mails
    assert "example.p12" in test["Subject"]
    assert "push-services.crt" in told["Subject"]
    assert told["To"] == "you@example.com"
