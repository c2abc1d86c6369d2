"""Notices by e-mail, over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import TYPE_CHECKING, Any

from server.notify.http import NotDelivered
from server.notify.messages import WHAT_TO_DO, lines, title
from server.notify.webhooks import TOGETHER, batch_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.notices import Notice

TIMEOUT_SECONDS = 15
PORTS = {"starttls": 587, "tls": 465, "none": 25}


class Email:
    """One message for all that is due, with STARTTLS unless `tls` says otherwise.

    Its Message-ID follows from the notices: one that is sent twice is shown once by most mail programs.
    """

    together = TOGETHER

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._tls: str = options.get("tls", "starttls")

    def deliver(self, notices: Sequence[Notice], _reference: str | None) -> None:
        """Send them. Raises `NotDelivered`."""
        try:
            with self._connected() as server:
                if username := self._options.get("username"):
                    server.login(username, self._options.get("password", ""))
                server.send_message(self._message(notices))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotDelivered(f"{self._options['server']} does not take the mail: {_reason(error)}") from None

    def _connected(self) -> smtplib.SMTP:
        host, _, port = self._options["server"].rpartition(":")
        if not port.isdigit():
            host, port = self._options["server"], str(PORTS[self._tls])
        host = host.strip("[]")
        if self._tls == "tls":
            return smtplib.SMTP_SSL(host, int(port), timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
        server = smtplib.SMTP(host, int(port), timeout=TIMEOUT_SECONDS)
        if self._tls == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server

    def _message(self, notices: Sequence[Notice]) -> EmailMessage:
        sender = self._options["from"]
        domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
        message = EmailMessage()
        message["Subject"] = title(notices)
        message["From"] = sender
        message["To"] = ", ".join(self._options["to"])
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{batch_id(notices)}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join([*lines(notices), "", WHAT_TO_DO, ""]))
        return message


def _reason(error: Exception) -> str:
    """Return what the mail server said, without what was said to it."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the username or password is not accepted"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refuses all recipients"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
