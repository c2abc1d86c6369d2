"""Users: https://docs.gitlab.com/api/users/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server import forms, paging
from server.access import Endpoint, principal
from server.api.shapes import FULL_USER, USER
from server.app_keys import OFFLOAD, SERVICES
from server.describing import FLAG, Value, gives, lists
from server.errors import json_answer
from server.params import Check
from server.urls import API, base_url
from vault.access import parse_id
from vault.errors import Conflict, Forbidden, NotFound

if TYPE_CHECKING:
    from aiohttp import web

    from vault.models import User


def present(request: web.Request, user: User) -> dict[str, Any]:
    """Return a user as everybody signed in may see one."""
    return {
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "state": user.state,
        "locked": False,
        "avatar_url": None,
        "web_url": f"{base_url(request)}/{user.username}",
    }


def present_fully(request: web.Request, user: User) -> dict[str, Any]:
    """Return a user as he himself or an administrator sees one."""
    more = {"created_at": user.created_at, "email": user.email, "is_admin": user.is_admin, "bot": False}
    return {**present(request, user), **more, "can_create_group": True, "can_create_project": True}


async def current(request: web.Request) -> web.Response:
    """Tell who asks."""
    return json_answer(present_fully(request, principal(request).user))


async def index(request: web.Request) -> web.Response:
    """List users, by exact `username` or by `search`."""
    page = paging.read_page(request)
    check = Check(forms.query(request))
    username, search = check.maybe_text("username"), check.maybe_text("search")
    check.done()
    listing = await request.app[OFFLOAD].read(request.app[SERVICES].people.find, page, username, search)
    view = present_fully if principal(request).user.is_admin else present
    body = [view(request, user) for user in listing.rows]
    return paging.answer(request, page, listing.total, body)


async def show(request: web.Request) -> web.Response:
    """Tell of one user."""
    user = await named_user(request, "user_id")
    mine = principal(request).user
    return json_answer((present_fully if mine.is_admin or mine.id == user.id else present)(request, user))


async def create(request: web.Request) -> web.Response:
    """Make a user; a password is taken and dropped, as nobody signs in with one."""
    require_administrator(request)
    check = Check(await forms.read(request))
    username, email = check.text("username", required=True), check.text("email", required=True)
    name = check.text("name", required=True)
    is_admin = check.boolean("admin")
    check.done()
    people = request.app[SERVICES].people
    try:
        user = await request.app[OFFLOAD].call(people.create, username, name, email, is_admin=is_admin)
    except Conflict as error:
        return json_answer({"message": str(error)}, 409)
    return json_answer(present_fully(request, user), 201)


def require_administrator(request: web.Request) -> None:
    """Refuse everybody else. Raises `Forbidden`."""
    if not principal(request).user.is_admin:
        raise Forbidden


async def named_user(request: web.Request, part: str) -> User:
    """Return the user whose id the path names. Raises `NotFound`."""
    number = parse_id(request.match_info[part])
    if number is None:
        raise NotFound("User")
    return await request.app[OFFLOAD].read(request.app[SERVICES].people.get, number)


READ = ("read_api", "read_user")
NEW = (
    *(Value(name, required=True) for name in ("username", "email", "name")),
    Value("admin", FLAG),
    Value("password", about="taken and dropped"),
)
ENDPOINTS = (
    Endpoint("GET", f"{API}/user", current, action="user.show_own", scopes=READ, about=gives(FULL_USER)),
    Endpoint(
        "GET",
        f"{API}/users",
        index,
        action="user.list",
        scopes=READ,
        about=lists(USER, Value("username", about="exactly this one"), Value("search", about="part of the username")),
    ),
    Endpoint(
        "POST",
        f"{API}/users",
        create,
        action="user.create",
        about=gives(FULL_USER, status=201).taking(*NEW).refusing({409: "the username or the email is taken"}),
    ),
    Endpoint("GET", f"{API}/users/{{user_id:[^/]+}}", show, action="user.show", scopes=READ, about=gives(USER)),
)
