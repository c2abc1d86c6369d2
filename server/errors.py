"""The one table from an error to GitLab's status and body.

`message` is what services say, `error` what the parameter check says; both shapes are GitLab's, and clients compare
some of the texts word by word (fastlane match: "has already been taken").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vault import errors as vault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Answer = tuple[int, dict[str, Any], dict[str, str]]
RETRY = {"Retry-After": "5"}


class BadRequest(Exception):
    """A request whose parameters cannot be taken: 400 with `error`."""


class Refused(Exception):
    """A request the HTTP layer refuses with a status of its own."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class Throttled(Exception):
    """A request beyond the caller's limit. GitLab's answer is plain text; the headers say when to come again."""


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    return status, {"message": text}, dict(headers or {})


def _invalid_token(description: str) -> Answer:
    body = {"error": "invalid_token", "error_description": description}
    header = f'Bearer realm="Protected by OAuth 2.0", error="invalid_token", error_description="{description}"'
    return 401, body, {"WWW-Authenticate": header}


def _expired(_: vault.TokenExpired) -> Answer:
    return _invalid_token("Token is expired. You can either do re-authorization or token refresh.")


def _revoked(_: vault.TokenRevoked) -> Answer:
    return _invalid_token("Token was revoked. You have to re-authorize from the user.")


def _scope(error: vault.InsufficientScope) -> Answer:
    body = {"error": "insufficient_scope", "error_description": str(error), "scope": " ".join(error.needed)}
    return 403, body, {}


def _not_found(error: vault.NotFound) -> Answer:
    # GitLab says "404 Not found" for a record and "404 Project Not Found" for what a helper looked up.
    text = f"404 {error.what} Not Found" if error.what else "404 Not found"
    return _plain(404, f"{text} - {error.reason}" if error.reason else text)


def _forbidden(error: vault.Forbidden) -> Answer:
    return _plain(403, f"403 Forbidden - {error}" if str(error) else "403 Forbidden")


def _invalid(error: vault.Invalid) -> Answer:
    return 400, {"message": {key: [text] for key, text in error.problems.items()}}, {}


def _damaged(error: vault.Damaged) -> Answer:
    return _plain(500, f"500 Internal Server Error - {error}; the administrator can run `secure-files verify`")


def _unknown_key(error: vault.UnknownKey) -> Answer:
    return _plain(500, f"500 Internal Server Error - {error}")


TABLE: dict[type[Exception], Callable[[Any], Answer]] = {
    vault.TokenExpired: _expired,
    vault.TokenRevoked: _revoked,
    vault.Unauthenticated: lambda _: _plain(401, "401 Unauthorized"),
    vault.InsufficientScope: _scope,
    vault.Forbidden: _forbidden,
    vault.NotFound: _not_found,
    vault.CannotCommit: lambda error: _plain(400, str(error)),
    vault.Conflict: lambda error: _plain(409, str(error)),
    vault.TooLarge: lambda error: _plain(413, error.message or "413 Request Entity Too Large"),
    vault.LimitExceeded: lambda error: (400, {"message": {"base": [str(error)]}}, {}),
    vault.Invalid: _invalid,
    vault.UnsafePath: lambda error: (400, {"error": str(error)}, {}),
    vault.BadArchive: lambda error: _plain(422, f"422 Unprocessable Entity - {error}"),
    vault.Damaged: _damaged,
    vault.UnknownKey: _unknown_key,
    vault.StorageFull: lambda _: _plain(507, "507 Insufficient Storage"),
    vault.Unavailable: lambda _: _plain(503, "503 Service Unavailable", RETRY),
    BadRequest: lambda error: (400, {"error": str(error)}, {}),
    Refused: lambda error: (error.status, error.body, error.headers),
}


def answer_to(error: Exception) -> web.Response | None:
    """Return the answer to an error that the table knows, by its closest class; None for any other."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            status, body, headers = TABLE[kind](error)
            return json_answer(body, status, headers)
    return None


def retry_later() -> web.Response:
    """Return the answer to a request beyond a limit, word for word GitLab's."""
    return web.Response(text="Retry later\n", status=429, content_type="text/plain")


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON answer; text or bytes that are JSON already go out as they are."""
    if not isinstance(body, bytes):
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        body = text.encode("utf-8", "replace")
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
