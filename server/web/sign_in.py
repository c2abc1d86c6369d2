"""Signing in with a token, and out; and the style and script of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from server import forms
from server.access import Endpoint, count_wrong_token
from server.app_keys import AUDITED, OFFLOAD, PRINCIPAL, SERVICES
from server.web.guard import with_session
from server.web.rendering import SESSION, render, see_other
from server.web.static_files import TYPES, content
from vault.errors import NotFound, TokenEnded, TokenExpired, TokenRevoked, Unauthenticated

if TYPE_CHECKING:
    from vault.models import Principal

ENOUGH = ("api", "read_api")


async def show(request: web.Request) -> web.Response:
    """Ask for a token."""
    if request[PRINCIPAL] is not None:
        return see_other("/")
    return render(request, "sign_in.html", to=_back(request.query.get("to", "")), problem="")


async def begin(request: web.Request) -> web.Response:
    """Begin a session, always a new one: one that was planted in the browser before is of no use."""
    values = await forms.read(request)
    token, back = values.get("token"), _back(str(values.get("to", "")))
    try:
        secret = await _begin(request, token.strip() if isinstance(token, str) else "")
    except Unauthenticated as error:
        if isinstance(error, TokenEnded):
            request[AUDITED].token = (error.username, error.token_id)
        else:
            count_wrong_token(request)
        return render(request, "sign_in.html", 401, to=back, problem=_reason(error))
    await _end(request)
    return with_session(see_other(back), request, secret)


async def _begin(request: web.Request, token: str) -> str:
    secret, who = await request.app[OFFLOAD].call(request.app[SERVICES].sessions.begin, token)
    if not _may_read(who):
        await request.app[OFFLOAD].call(request.app[SERVICES].sessions.end, secret)
        raise TokenRevoked(
            "the page needs a token with the scope api or read_api", token_id=who.token_id, username=who.user.username
        )
    request[PRINCIPAL] = who
    return secret


def _may_read(who: Principal) -> bool:
    return not who.scopes.isdisjoint(ENOUGH)


def _reason(error: Unauthenticated) -> str:
    if isinstance(error, TokenExpired):
        return "That token has expired."
    if isinstance(error, TokenRevoked):
        return str(error)[:1].upper() + str(error)[1:] + "." if str(error) else "That token was revoked."
    return "That is no token of this vault."


async def end(request: web.Request) -> web.Response:
    """End the session: who kept its cookie cannot use it."""
    await _end(request)
    return with_session(see_other("/-/sign_in"), request, "")


async def _end(request: web.Request) -> None:
    if request[SESSION]:
        await request.app[OFFLOAD].call(request.app[SERVICES].sessions.end, request[SESSION])


def _back(path: str) -> str:
    """Return where to go after signing in: a page of this vault, whatever the link said."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


async def static(request: web.Request) -> web.Response:
    """Send the style, the script or the picture."""
    name = request.match_info["name"]
    if name not in TYPES:
        raise NotFound
    headers = {"Cache-Control": "public, max-age=3600", "Content-Security-Policy": "default-src 'none'"}
    return web.Response(body=content(name), content_type=TYPES[name], charset="utf-8", headers=headers)


ENDPOINTS = (
    Endpoint("GET", "/-/sign_in", show, action="web.show_sign_in", open=True),
    Endpoint("POST", "/-/sign_in", begin, action="web.sign_in", open=True),
    Endpoint("POST", "/-/sign_out", end, action="web.sign_out"),
    Endpoint("GET", "/-/static/{name:[^/]+}", static, action="web.static", open=True),
)
