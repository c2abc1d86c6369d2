"""Groups: https://docs.gitlab.com/api/groups/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server import auditing, forms, paging
from server.access import Endpoint, principal
from server.api.shapes import GROUP, VISIBILITY
from server.app_keys import OFFLOAD, SERVICES
from server.describing import NUMBER, Value, accepts, gives, lists, maybe
from server.errors import json_answer
from server.params import Check
from server.urls import API, base_url
from vault.errors import Conflict
from vault.models import Role, Visibility

if TYPE_CHECKING:
    from aiohttp import web

    from vault.models import Namespace


def present(request: web.Request, group: Namespace) -> dict[str, Any]:
    """Return a group in GitLab's fields."""
    return {
        "id": group.id,
        "web_url": f"{base_url(request)}/groups/{group.full_path}",
        "name": group.name,
        "path": group.path,
        "description": group.description,
        "visibility": group.visibility,
        "full_name": group.full_path.replace("/", " / "),
        "full_path": group.full_path,
        "created_at": group.created_at,
        "parent_id": group.parent_id,
        "avatar_url": None,
    }


async def group_of(request: web.Request, needed: Role = Role.NONE) -> Namespace:
    """Return the group the path names. Raises `NotFound`, `Forbidden`."""
    access = request.app[SERVICES].access
    group = await request.app[OFFLOAD].read(access.group, principal(request), request.match_info["id"], needed)
    auditing.name(request, id=group.id)
    return group


async def index(request: web.Request) -> web.Response:
    """List the groups the caller may know of."""
    page = paging.read_page(request)
    check = Check(forms.query(request))
    search = check.maybe_text("search")
    check.done()
    projects = request.app[SERVICES].projects
    listing = await request.app[OFFLOAD].read(projects.groups, principal(request), page, search)
    body = [present(request, group) for group in listing.rows]
    return paging.answer(request, page, listing.total, body)


async def show(request: web.Request) -> web.Response:
    """Tell of one group."""
    return json_answer(present(request, await group_of(request)))


async def create(request: web.Request) -> web.Response:
    """Make a group, or a subgroup of one the caller maintains."""
    check = Check(await forms.read(request))
    name, path = check.text("name", required=True), check.text("path", required=True)
    parent_id = check.integer("parent_id")
    visibility = check.choice("visibility", tuple(Visibility), Visibility.PRIVATE)
    description = check.text("description")
    check.done()
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    if parent_id is not None:
        await offload.read(services.access.group, principal(request), str(parent_id), Role.MAINTAINER)
    try:
        group = await offload.call(
            services.projects.create_group,
            principal(request),
            name,
            path,
            parent_id=parent_id,
            visibility=Visibility(visibility or Visibility.PRIVATE),
            description=description,
        )
    except Conflict as error:
        return json_answer({"message": str(error)}, 400)
    return json_answer(present(request, group), 201)


async def update(request: web.Request) -> web.Response:
    """Change a group's name, path, description or visibility; former paths lead to the projects in it."""
    group = await group_of(request, Role.OWNER)
    check = Check(await forms.read(request))
    changes: dict[str, Any] = {name: check.text(name) for name in ("name", "path", "description") if check.has(name)}
    if check.has("visibility"):
        changes["visibility"] = check.choice("visibility", tuple(Visibility))
    check.done()
    changed = await request.app[OFFLOAD].call(request.app[SERVICES].projects.update_group, group.id, changes)
    auditing.name_move(request, group.full_path, changed.full_path)
    return json_answer(present(request, changed))


async def remove(request: web.Request) -> web.Response:
    """Delete a group with all that is in it."""
    group = await group_of(request, Role.OWNER)
    await request.app[OFFLOAD].call(request.app[SERVICES].projects.delete_group, group.id)
    return json_answer({"message": "202 Accepted"}, 202)


ONE = f"{API}/groups/{{id:[^/]+}}"
NEW = (
    Value("name", required=True),
    Value("path", required=True),
    Value("parent_id", maybe(NUMBER)),
    Value("visibility", VISIBILITY),
    Value("description"),
)
CHANGED = (*(Value(name) for name in ("name", "path", "description")), Value("visibility", VISIBILITY))
ENDPOINTS = (
    Endpoint(
        "GET",
        f"{API}/groups",
        index,
        action="group.list",
        about=lists(GROUP, Value("search", about="part of the path")),
    ),
    Endpoint(
        "POST",
        f"{API}/groups",
        create,
        action="group.create",
        about=gives(GROUP, status=201).taking(*NEW).refusing({404: "there is no `parent_id`, or it is hidden"}),
    ),
    Endpoint("GET", ONE, show, action="group.show", about=gives(GROUP)),
    Endpoint("PUT", ONE, update, action="group.change", about=gives(GROUP).taking(*CHANGED)),
    Endpoint("DELETE", ONE, remove, action="group.delete", about=accepts()),
)
