"""Projects: https://docs.gitlab.com/api/projects/, as far as clients of the four families need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server import auditing, forms, paging
from server.access import Endpoint, principal, project
from server.api.shapes import PROJECT, REPOSITORY_ACCESS, VISIBILITY
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES
from server.describing import FLAG, NUMBER, Value, accepts, gives, lists, maybe
from server.errors import BadRequest, Refused, json_answer
from server.params import Check
from server.urls import API, base_url
from vault.errors import Conflict
from vault.models import Namespace, Project, RepositoryAccess, Role, Visibility
from vault.projects import check_default_branch
from vault.repositories import Action, Change
from vault.repositories.rights import may_read

if TYPE_CHECKING:
    from aiohttp import web

    from server.wiring import Services
    from vault.models import Principal


def present(request: web.Request, found: Project, caller: Principal | None) -> dict[str, Any]:
    """Return a project in GitLab's fields; glab crashes without `namespace`, semantic-release without `permissions`."""
    services = request.app[SERVICES]
    namespace = services.projects.namespace(found.namespace_id)
    own, inherited = services.access.levels(caller, found)
    url = f"{base_url(request)}/{found.full_path}"
    return {
        "id": found.id,
        "description": found.description,
        "name": found.name,
        "name_with_namespace": f"{namespace.name} / {found.name}",
        "path": found.path,
        "path_with_namespace": found.full_path,
        "created_at": found.created_at,
        "default_branch": found.default_branch,
        "tag_list": [],
        "topics": [],
        "http_url_to_repo": f"{url}.git",
        "ssh_url_to_repo": None,
        "web_url": url,
        "readme_url": None,
        "avatar_url": None,
        "forks_count": 0,
        "star_count": 0,
        "last_activity_at": found.last_activity_at,
        "namespace": present_namespace(request, namespace),
        "visibility": found.visibility,
        "archived": found.archived,
        "empty_repo": services.repositories.empty(found.id),
        "creator_id": found.creator_id,
        "repository_access_level": found.repository_access,
        "public_jobs": found.settings.get("public_jobs", True),
        "permissions": {"project_access": _level(own), "group_access": _level(inherited)},
    }


def _level(role: Role | None) -> dict[str, int] | None:
    return None if role is None else {"access_level": int(role), "notification_level": 3}


def present_namespace(request: web.Request, namespace: Namespace) -> dict[str, Any]:
    """Return the namespace that a project lies in."""
    return {
        "id": namespace.id,
        "name": namespace.name,
        "path": namespace.path,
        "kind": namespace.kind,
        "full_path": namespace.full_path,
        "parent_id": namespace.parent_id,
        "avatar_url": None,
        "web_url": f"{base_url(request)}/{'groups/' if namespace.kind == 'group' else ''}{namespace.full_path}",
    }


async def index(request: web.Request) -> web.Response:
    """List the projects the caller may know of, newest first."""
    page = paging.read_page(request)
    check = Check(forms.query(request))
    filters = {
        "membership": check.boolean("membership"),
        "owned": check.boolean("owned"),
        "search": check.maybe_text("search"),
        "visibility": check.choice("visibility", tuple(Visibility)),
    }
    check.done()

    def work() -> tuple[list[dict[str, Any]], int]:
        listing = request.app[SERVICES].projects.find(request[PRINCIPAL], page, **filters)  # type: ignore[arg-type]
        return [present(request, found, request[PRINCIPAL]) for found in listing.rows], listing.total

    body, total = await request.app[OFFLOAD].read(work)
    return paging.answer(request, page, total, body)


async def show(request: web.Request) -> web.Response:
    """Tell of one project."""
    found = await project(request)
    return json_answer(await request.app[OFFLOAD].read(present, request, found, request[PRINCIPAL]))


async def create(request: web.Request) -> web.Response:
    """Make a project in a namespace the caller may use, by default his own."""
    caller = principal(request)
    check = Check(await forms.read(request))
    name, path = check.text("name"), check.text("path")
    namespace_id = check.integer("namespace_id")
    visibility = check.choice("visibility", tuple(Visibility), Visibility.PRIVATE)
    description = check.text("description")
    branch = check.text("default_branch", "main")
    with_readme = check.boolean("initialize_with_readme")
    settings = _settings(check)
    check.done()
    if not name and not path:
        raise BadRequest("name, path are missing, at least one parameter must be provided")
    projects, access = request.app[SERVICES].projects, request.app[SERVICES].access

    def work() -> dict[str, Any]:
        made = projects.create(
            caller,
            name,
            path,
            namespace=access.namespace(caller, namespace_id, Role.DEVELOPER) if namespace_id is not None else None,
            visibility=Visibility(visibility or Visibility.PRIVATE),
            description=description,
            default_branch=check_default_branch(branch),
            settings=settings,
        )
        if with_readme and may_read(made, Role.OWNER):
            _add_readme(request.app[SERVICES], made, caller)
        return present(request, made, caller)

    return json_answer(await request.app[OFFLOAD].call(work), 201)


def _settings(check: Check) -> dict[str, Any]:
    """Return the settings that a request gives, each under the name it is kept by."""
    settings: dict[str, Any] = {}
    if public := [check.boolean(name) for name in ("public_jobs", "public_builds") if check.has(name)]:
        settings["public_jobs"] = all(public)
    if check.has("repository_access_level"):
        settings["repository_access_level"] = check.choice("repository_access_level", tuple(RepositoryAccess))
    return settings


def _add_readme(services: Services, made: Project, caller: Principal) -> None:
    """Make the repository's first commit; whoever may make a project may make that."""
    text = f"# {made.name}\n\n{made.description}\n" if made.description else f"# {made.name}\n"
    readme = Change(Action.CREATE, "README.md", made.default_branch, "Initial commit", text.encode())
    services.repositories.writing.write(made, caller.user, Role.OWNER, readme)


async def update(request: web.Request) -> web.Response:
    """Change a project's name, path, description, visibility, default branch or settings."""
    found = await project(request, Role.MAINTAINER)
    check = Check(await forms.read(request))
    changes: dict[str, Any] = {
        name: check.text(name) for name in ("name", "path", "description", "default_branch") if check.has(name)
    }
    if check.has("visibility"):
        changes["visibility"] = check.choice("visibility", tuple(Visibility))
    changes["settings"] = _settings(check)
    check.done()
    if "default_branch" in changes:
        check_default_branch(changes["default_branch"])
    changed = await request.app[OFFLOAD].call(request.app[SERVICES].projects.update, found.id, changes)
    auditing.name_move(request, found.full_path, changed.full_path)
    return json_answer(await request.app[OFFLOAD].read(present, request, changed, principal(request)))


async def transfer(request: web.Request) -> web.Response:
    """Have a project lie in another namespace; its former path leads to it."""
    found, caller = await project(request, Role.OWNER), principal(request)
    check = Check(await forms.read(request))
    ref = check.text("namespace", required=True, blank=False)
    check.done()
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    namespace = await offload.read(services.access.namespace_called, caller, ref, Role.MAINTAINER)
    try:
        moved = await offload.call(services.projects.transfer, found.id, namespace.id)
    except Conflict as error:
        raise Refused(400, {"message": f'Failed to transfer project {{:new_namespace=>["{error}"]}}'}) from None
    auditing.name_move(request, found.full_path, moved.full_path)
    return json_answer(await offload.read(present, request, moved, caller))


async def remove(request: web.Request) -> web.Response:
    """Delete a project and all that is in it."""
    found = await project(request, Role.OWNER)
    await request.app[OFFLOAD].call(request.app[SERVICES].projects.delete, found.id)
    return json_answer({"message": "202 Accepted"}, 202)


ONE = f"{API}/projects/{{id:[^/]+}}"
NARROWED = (
    Value("membership", FLAG, "those the caller is a member of"),
    Value("owned", FLAG, "those the caller owns"),
    Value("search", about="part of the path"),
    Value("visibility", VISIBILITY),
)
SETTINGS = (
    Value("repository_access_level", REPOSITORY_ACCESS, "whom the repository is there for; `private` means members"),
    Value("public_jobs", FLAG, "whether all who see the project see its jobs"),
    Value("public_builds", FLAG, "the same"),
)
NEW = (
    Value("name", about="this or `path`"),
    Value("path", about="made of the name unless given"),
    Value("namespace_id", maybe(NUMBER), "the caller's own unless given"),
    Value("visibility", VISIBILITY),
    Value("description"),
    Value("default_branch"),
    Value("initialize_with_readme", FLAG),
    *SETTINGS,
)
CHANGED = (
    *(Value(name) for name in ("name", "path", "description", "default_branch")),
    Value("visibility", VISIBILITY),
    *SETTINGS,
)
ENDPOINTS = (
    Endpoint("GET", f"{API}/projects", index, action="project.list", anonymous=True, about=lists(PROJECT, *NARROWED)),
    Endpoint(
        "POST",
        f"{API}/projects",
        create,
        action="project.create",
        about=gives(PROJECT, status=201).taking(*NEW).refusing({404: "there is no `namespace_id`, or it is hidden"}),
    ),
    Endpoint("GET", ONE, show, action="project.show", anonymous=True, job_token=True, about=gives(PROJECT)),
    Endpoint("PUT", ONE, update, action="project.change", about=gives(PROJECT).taking(*CHANGED)),
    Endpoint(
        "PUT",
        f"{ONE}/transfer",
        transfer,
        action="project.transfer",
        about=gives(PROJECT).taking(Value("namespace", about="number or full path", required=True)),
    ),
    Endpoint("DELETE", ONE, remove, action="project.delete", about=accepts()),
)
