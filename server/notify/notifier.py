"""Brings together who is to be told, what is due and the channels: safe to run anywhere, any number at a time."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from server.notify.gitlab import Issue
from server.notify.http import NotDelivered
from server.notify.mail import Email
from server.notify.webhooks import Slack, Teams, Webhook
from vault import clock, expiry
from vault.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from server.notify.recipients import Recipient
    from vault.notices import Notices
    from vault.secure_files import SecureFiles

log = logging.getLogger("secure_files.notify")


class Channel(Protocol):
    """A way to tell somebody. `together`: how many notices one message may have."""

    @property
    def together(self) -> int:
        """How many notices one message may have."""

    def deliver(self, notices: Sequence[Notice], reference: str | None, /) -> str | None:
        """Tell them in one message, or raise `NotDelivered`; what is returned is kept for later ones of the file."""


CHANNELS: Mapping[str, Callable[[Mapping[str, Any]], Channel]] = {
    "webhook": Webhook,
    "slack": Slack,
    "teams": Teams,
    "email": Email,
    "gitlab": Issue,
}


@dataclass(frozen=True, slots=True)
class Told:
    """How one notice ended: `problem` is why it did not reach its recipient, empty when it did or was only shown."""

    notice: Notice
    problem: str = ""


def sample(recipient: str) -> Notice:
    """Return a made-up notice by which a recipient's channel can be tried."""
    moment = datetime.now(UTC) + timedelta(days=7, hours=1)
    row = {"project_id": 0, "project": "example/app", "id": 0, "name": "example.p12", "kind": "pkcs12"}
    (file,) = expiry.report([{**row, "expires_at": clock.stamp(moment)}], datetime.now(UTC))
    return Notice(recipient, file, 7)


class Notifier:
    """Tells each recipient what is due for him."""

    def __init__(self, recipients: Sequence[Recipient], files: SecureFiles, notices: Notices) -> None:
        self._recipients = recipients
        self._files = files
        self._notices = notices

    def run(self) -> list[Told]:
        """Tell everybody what is due, and return how each notice ended. One recipient's trouble is not another's."""
        return [told for recipient in self._recipients for told in self._tell(recipient)]

    def due(self) -> list[Notice]:
        """Return what `run` would tell now; nothing is told or noted."""
        return [notice for recipient in self._recipients for notice in self._due(recipient)]

    def _due(self, recipient: Recipient) -> list[Notice]:
        now = datetime.now(UTC)
        rows = self._files.expiring(expiry.horizon(now, timedelta(days=max(recipient.days))))
        files = (row for row in expiry.report(rows, now) if recipient.cares_for(row.project))
        return self._notices.due(recipient.name, files, recipient.days, now)

    def _tell(self, recipient: Recipient) -> Iterator[Told]:
        channel, due = CHANNELS[recipient.kind](recipient.options), self._due(recipient)
        for start in range(0, len(due), channel.together):
            batch = self._notices.claim(due[start : start + channel.together])
            if batch:
                yield from self._deliver(channel, batch)

    def _deliver(self, channel: Channel, batch: list[Notice]) -> Iterator[Told]:
        reference = self._notices.reference(batch[0]) if channel.together == 1 else None
        problem = ""
        try:
            left = channel.deliver(batch, reference)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other recipients are told
            # What an unforeseen one says may hold a secret.
            problem = str(error) if isinstance(error, NotDelivered) else f"a fault: {type(error).__name__}"
            self._notices.failed(batch, problem)
            log.warning("%s was not told of %s files: %s", batch[0].recipient, len(batch), problem)
        else:
            self._notices.told(batch, left)
            log.info("%s was told of %s files", batch[0].recipient, len(batch))
        yield from (Told(notice, problem) for notice in batch)
