"""What surrounds every page: the session in a cookie, protection against forged forms, and errors as pages."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aiohttp import web

from server import auditing, forms
from server.access import check_scope, count_anonymous, count_request, placed, principal
from server.app_keys import OFFLOAD, PRINCIPAL, REQUEST_ID, SERVICES, SETTINGS
from server.errors import Refused, Throttled, answer_to
from server.middlewares import log_crash
from server.urls import base_url
from server.web.rendering import SESSION, form_token, problem, see_other
from vault.errors import Damaged, Unauthenticated, Unavailable, UnknownKey

if TYPE_CHECKING:
    from server.access import Endpoint, Handler

COOKIE = "secure_files_session"
FIELD = "authenticity_token"


def paged(endpoint: Endpoint) -> Handler:
    """Return a page's handler behind its session; who has none is sent to sign in, and back."""

    route = auditing.Route(endpoint)

    async def handler(request: web.Request) -> web.StreamResponse:
        auditing.begin(request, route)
        try:
            base_url(request)
            await _enter(request, endpoint)
            auditing.require(request)
            return await endpoint.handler(request)
        except Unauthenticated:
            if request.method == "GET" and not endpoint.open:
                return see_other(f"/-/sign_in?to={quote(request.path_qs, safe='')}")
            return problem(request, 401, "Sign in again: the session is over.")
        except Throttled as error:
            return problem(request, 429, words(error))
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:  # noqa: BLE001 - a page says what the API says in JSON
            answer = answer_to(error)
            if answer is not None and answer.status < 500:
                return problem(
                    request, answer.status, words(error), error.headers if isinstance(error, Refused) else {}
                )
            log_crash(request, error)
            return problem(request, answer.status if answer else 500, _trouble(request, error))

    return placed(handler) if endpoint.takes_place else handler


async def _enter(request: web.Request, endpoint: Endpoint) -> None:
    secret = request.cookies.get(COOKIE, "")
    request[SESSION] = ""
    request[PRINCIPAL] = None
    if not secret:
        count_anonymous(request)
        if not endpoint.open:
            raise Unauthenticated
        _require_same_site(request)
        return
    try:
        request[PRINCIPAL] = await request.app[OFFLOAD].read(request.app[SERVICES].sessions.principal, secret)
        request[SESSION] = secret
        count_request(request, principal(request))
    except Unauthenticated:
        if not endpoint.open:
            raise
    _require_same_site(request)
    if endpoint.open:
        return
    check_scope(request, endpoint, principal(request))
    if request.method == "POST":
        await _require_own_form(request, endpoint)


def _require_same_site(request: web.Request) -> None:
    """Refuse what another site's page sends: browsers say where a POST comes from.

    `Sec-Fetch-Site` counts before `Origin`, which is `null` on pages that send no referrer, as ours.
    """
    if request.method != "POST":
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = urlsplit(base_url(request)).netloc
    if site not in (None, "same-origin", "none") or (site is None and origin and urlsplit(origin).netloc != own):
        raise Refused(403, {"message": "403 Forbidden - This form was sent from another site."})


async def _require_own_form(request: web.Request, endpoint: Endpoint) -> None:
    values = await forms.read(request, endpoint.body_limit(request.app[SETTINGS]))
    sent = values.get(FIELD)
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), form_token(request[SESSION]).encode()):
        raise Refused(403, {"message": "403 Forbidden - This form is not of this session; load the page again."})


def _trouble(request: web.Request, error: Exception) -> str:
    """Return what a person is told of a fault that is not his."""
    if isinstance(error, Unavailable):
        return "The vault cannot do that right now; try again in a moment."
    told = str(error).capitalize() + ". " if isinstance(error, Damaged | UnknownKey) else ""
    return f"{told}Whoever runs the vault finds the details in its log under {request[REQUEST_ID]}."


def words(error: Exception) -> str:
    """Return an error as a sentence for a person."""
    if isinstance(error, Throttled) or (isinstance(error, Refused) and error.status == 429):
        return "That was more than may be asked in a minute. Wait a little, then try again."
    if isinstance(error, Refused):
        return str(error.body.get("message", "")).partition(" - ")[2] or str(error.body.get("message", ""))
    if problems := getattr(error, "problems", None):
        return ". ".join(f"{name} {text}".capitalize() for name, text in problems.items()) + "."
    text = str(error)
    return WORDS.get(type(error).__name__, f"{text[:1].upper()}{text[1:].rstrip('.')}.")


WORDS = {
    "Forbidden": "Your role in this project does not permit that.",
    "InsufficientScope": "The token you signed in with may only read.",
    "NotFound": "There is no such page, or you may not see it.",
    "TooLarge": "The file is too large.",
}


def with_session(response: web.Response, request: web.Request, secret: str) -> web.Response:
    """Give the browser a session, or with an empty secret take it away."""
    secure = base_url(request).startswith("https:")
    if secret:
        response.set_cookie(COOKIE, secret, httponly=True, samesite="Lax", secure=secure, path="/")
    else:
        response.del_cookie(COOKIE, httponly=True, samesite="Lax", secure=secure, path="/")
    return response
