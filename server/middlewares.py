"""What surrounds every request: an id, one place where errors become answers, and a log without secrets."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from server import auditing
from server.app_keys import AUDITED, METRICS, QUOTA, REQUEST_ID, SETTINGS, TRUSTED
from server.errors import Throttled, answer_to, json_answer, retry_later
from server.ids import request_id_of
from server.logs import ACCESS, RequestRecord, without_secrets
from server.proxies import origin
from server.tls import STRICT_TRANSPORT_SECURITY
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("secure_files.server")
access = logging.getLogger(ACCESS)

HEADERS = {
    "Server": "secure-files",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
}

# Lists, and what they tell of files: kept by who asked, who asks whether it is still so.
CHECKED_AGAIN = "max-age=0, private, must-revalidate"
# Content, and answers to writes: a new token or the secret of an upload's address may be among them.
NOT_KEPT = "private, no-store"


async def begin_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers that every answer has on one that is about to start, and write its line in the audit log.

    Raises `Unavailable` when that has to be written and cannot be: then it does not start.
    """
    _add_headers(request, response)
    auditing.before_answer(request, response)


def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    headers.update(HEADERS)
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = CHECKED_AGAIN if _is_harmless(request) else NOT_KEPT
    if (called := request.get(REQUEST_ID)) is not None:
        headers["X-Request-Id"] = called
        if quota := request[QUOTA]:
            headers.update(quota)
    if request.app[SETTINGS].tls_certificate:
        headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY


def _is_harmless(request: web.Request) -> bool:
    noted = request.get(AUDITED)
    return noted is None or not noted.route.always


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id: the client's own when it is a plain word, else a new one.

    One that trusted proxies handed on gets the address, scheme and host that they tell of its client.
    """
    request[REQUEST_ID] = request_id_of(request.headers.get("X-Request-Id", ""))
    request[QUOTA] = {}
    trusted = request.app[TRUSTED]
    if trusted and (found := origin(request.remote or "", request.headers, trusted)):
        scheme, host = found.scheme or request.scheme, found.host or request.host
        request = request.clone(remote=found.address, scheme=scheme, host=host)
    return await handler(request)


@web.middleware
async def access_log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count each request, and log a line of it, secrets in its address replaced."""
    start = time.monotonic()
    try:
        response = await handler(request)
    except BaseException:
        request.app[METRICS].answered(request, None, time.monotonic() - start)
        raise
    elapsed = time.monotonic() - start
    request.app[METRICS].answered(request, response, elapsed)
    if access.isEnabledFor(logging.INFO):
        path = without_secrets(request.raw_path)
        facts = (request.remote, request.method, path, response.status, request[REQUEST_ID], elapsed * 1000)
        access.handle(RequestRecord(*facts))
    return response


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into the answer GitLab would give; an unforeseen one is logged and is a plain 500."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return json_refusal(error)
    except Throttled:
        return retry_later()
    except (asyncio.CancelledError, ConnectionError):
        raise
    except (HttpProcessingError, RequestPayloadError, ClientError):
        # What the reader of a body raises into a handler; aiohttp's default would be a 500.
        return json_answer({"error": "the request body cannot be read"}, 400)
    except Exception as error:  # noqa: BLE001 - the outermost place
        answer = answer_to(error)
        if answer is None or answer.status >= 500:
            return _crash(request, error, answer)
        return answer


def _crash(request: web.Request, error: Exception, answer: web.Response | None = None) -> web.Response:
    log_crash(request, error)
    return answer or json_answer({"message": "500 Internal Server Error"}, 500)


def log_crash(request: web.Request, error: Exception) -> None:
    """Log an error of the program's, or of what is stored, under the request's id.

    One that an engine is away for is no mistake of ours, and there may be thousands of them: its text is enough.
    """
    if isinstance(error, Unavailable):
        log.error("%s: %s: %s", request[REQUEST_ID], type(error).__name__, error)
    else:
        log.error("%s: %s", request[REQUEST_ID], type(error).__name__, exc_info=error)


def json_refusal(error: web.HTTPException) -> web.StreamResponse:
    """Say what aiohttp itself refuses (no such route, no such method) in JSON."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return json_answer({"error": "405 Not Allowed"}, 405, {"Allow": error.headers["Allow"]})
    if error.status == 404:
        return json_answer({"error": "404 Not Found"}, 404)
    return json_answer({"message": f"{error.status} {error.reason}"}, error.status)
