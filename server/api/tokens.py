"""Personal access tokens: https://docs.gitlab.com/api/personal_access_tokens/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from server import forms, paging
from server.access import Endpoint, principal
from server.api.shapes import NEW_TOKEN, TOKEN
from server.api.users import named_user, require_administrator
from server.app_keys import OFFLOAD, SERVICES
from server.describing import NUMBER, TEXT, WHEN, Value, gives, lists, many, maybe, removes
from server.errors import json_answer
from server.params import Check
from server.urls import API
from vault import clock
from vault.access import parse_id
from vault.errors import NotFound, Unauthenticated

if TYPE_CHECKING:
    from vault.models import Token


def present(token: Token) -> dict[str, Any]:
    """Return a token without its secret."""
    expired = token.expires_at is not None and token.expires_at <= clock.today()
    return {
        "id": token.id,
        "name": token.name,
        "revoked": token.revoked,
        "created_at": token.created_at,
        "description": None,
        "scopes": list(token.scopes),
        "user_id": token.user_id,
        "last_used_at": token.last_used_at,
        "active": not token.revoked and not expired,
        "expires_at": token.expires_at,
    }


async def create(request: web.Request) -> web.Response:
    """Make a token for a user; its secret is in this answer only."""
    require_administrator(request)
    user = await named_user(request, "user_id")
    check = Check(await forms.read(request))
    name, scopes = check.text("name", required=True), check.words("scopes", required=True)
    expires_at = check.date("expires_at")
    check.done()
    tokens = request.app[SERVICES].tokens
    token, secret = await request.app[OFFLOAD].call(tokens.create, user, name, scopes, expires_at)
    return json_answer({**present(token), "token": secret}, 201)


async def _asked(request: web.Request) -> Token:
    """Return the token the path names: `self`, or an id that is the caller's own or an administrator's business."""
    caller = principal(request)
    tokens = request.app[SERVICES].tokens
    text = request.match_info.get("token_id", "self")
    if text == "self":
        if caller.token_id is None:
            raise Unauthenticated
        return await request.app[OFFLOAD].read(tokens.get, caller.token_id)
    number = parse_id(text)
    if number is None:
        raise NotFound
    token = await request.app[OFFLOAD].read(tokens.get, number)
    if token.user_id != caller.user.id and not caller.user.is_admin:
        raise NotFound
    return token


async def index(request: web.Request) -> web.Response:
    """List the caller's own tokens; an administrator may ask for another's with `user_id`."""
    caller = principal(request)
    check = Check(forms.query(request))
    user_id = check.integer("user_id") or caller.user.id
    check.done()
    if user_id != caller.user.id:
        require_administrator(request)
    found = await request.app[OFFLOAD].read(request.app[SERVICES].tokens.of_user, user_id)
    return paging.cut(request, found, present)


async def show(request: web.Request) -> web.Response:
    """Tell of a token."""
    return json_answer(present(await _asked(request)))


async def revoke(request: web.Request) -> web.Response:
    """Revoke a token."""
    token = await _asked(request)
    await request.app[OFFLOAD].call(request.app[SERVICES].tokens.revoke, token.id)
    return web.Response(status=204)


READ = ("read_api", "read_user")
SELF = f"{API}/personal_access_tokens/self"
ONE = f"{API}/personal_access_tokens/{{token_id:[^/]+}}"
NEW = (
    Value("name", required=True),
    Value("scopes", many(TEXT), required=True),
    Value("expires_at", maybe(WHEN), "from that day on it is expired; without it, never"),
)
ENDPOINTS = (
    Endpoint(
        "POST",
        f"{API}/users/{{user_id:[^/]+}}/personal_access_tokens",
        create,
        action="token.create",
        about=gives(NEW_TOKEN, status=201).taking(*NEW),
    ),
    Endpoint(
        "GET",
        f"{API}/personal_access_tokens",
        index,
        action="token.list",
        scopes=READ,
        about=lists(TOKEN, Value("user_id", NUMBER, "for administrators")),
    ),
    Endpoint("GET", SELF, show, action="token.show", any_scope=True, about=gives(TOKEN)),
    Endpoint("DELETE", SELF, revoke, action="token.revoke", any_scope=True, about=removes()),
    Endpoint("GET", ONE, show, action="token.show", scopes=READ, about=gives(TOKEN)),
    Endpoint("DELETE", ONE, revoke, action="token.revoke", about=removes()),
)
