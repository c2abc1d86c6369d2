"""Notices by webhook: plain JSON for a program, or the forms that Slack and Microsoft Teams show."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from server.notify.http import post
from server.notify.messages import WHAT_TO_DO, lines, title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.notices import Notice

TOGETHER = 100


class Webhook:
    """One POST of JSON for all that is due. With a `secret` the body is signed as GitHub signs: HMAC-SHA256, in hex."""

    together = TOGETHER

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._url: str = options["url"]
        self._secret: str = options.get("secret", "")

    def deliver(self, notices: Sequence[Notice], _reference: str | None) -> None:
        """Send them. Raises `NotDelivered`."""
        told = [{"notice_id": each.id, "days_ahead": each.days, **asdict(each.file)} for each in notices]
        body = json.dumps({"event": "secure_files.expiry", "title": title(notices), "files": told}).encode()
        headers = {"Idempotency-Key": batch_id(notices)}
        if self._secret:
            digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature-256"] = f"sha256={digest}"
        post(self._url, body, headers)


class Slack:
    """One message to an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/."""

    together = TOGETHER

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._url: str = options["url"]

    def deliver(self, notices: Sequence[Notice], _reference: str | None) -> None:
        """Send them. Raises `NotDelivered`."""
        # Slack's own three escapes: without them a file's name could mention everybody.
        text = "\n".join([f"*{_slack(title(notices))}*", *(_slack(line) for line in lines(notices)), "", WHAT_TO_DO])
        post(self._url, {"text": text})


class Teams:
    """One adaptive card to a workflow's webhook: https://learn.microsoft.com/connectors/teams/."""

    together = TOGETHER

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._url: str = options["url"]

    def deliver(self, notices: Sequence[Notice], _reference: str | None) -> None:
        """Send them. Raises `NotDelivered`."""
        blocks = [_block(title(notices), weight="Bolder", size="Medium")]
        blocks += [_block(line) for line in lines(notices)]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [*blocks, _block(WHAT_TO_DO, isSubtle=True)],
        }
        content = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        post(self._url, {"type": "message", "attachments": [content]})


def batch_id(notices: Sequence[Notice]) -> str:
    """Return an id of these notices together, the same whenever they are told together."""
    return hashlib.sha256("".join(sorted(each.id for each in notices)).encode()).hexdigest()[:32]


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _block(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}
