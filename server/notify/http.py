"""One JSON request to a recipient: quick to give up, and never a secret in what it says went wrong."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from server.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS = 10
LARGEST_ANSWER = 1024 * 1024


class NotDelivered(Exception):
    """A recipient could not be reached, or said no. The text says which and why; it holds no secret."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: what is posted, and the token beside it, is for the address that was set."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def post(url: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
    """Send `body` as JSON (bytes as they are) and return the JSON that comes back, None when none does.

    Raises `NotDelivered`.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method="POST")  # noqa: S310 - `recipients` has checked the scheme
    request.add_header("Content-Type", "application/json")
    request.add_header("User-Agent", f"secure-files/{VERSION}")
    for name, value in (headers or {}).items():
        request.add_unredirected_header(name, value)
    # The address may be the secret: what is told of it is its host.
    where = urlsplit(url).hostname or "the recipient"
    try:
        with urllib.request.build_opener(_Stay()).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return _json(answer.read(LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            raise NotDelivered(f"{where} answered {error.code}", error.code) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        told = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
        raise NotDelivered(f"{where} does not answer: {told}") from None


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
