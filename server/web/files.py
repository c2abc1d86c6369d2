"""A project's secure files: look, upload, replace, download, delete, try a password."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from server import auditing, forms
from server.access import Endpoint, project
from server.api.secure_files import body_limit, download, file_id
from server.app_keys import OFFLOAD, SERVICES, SETTINGS
from server.errors import BadRequest
from server.forms import UploadedFile
from server.web.guard import words
from server.web.rendering import Told, document_of, expiry_of, in_project, issuer_of, see_other
from vault.doctor import UNREADABLE
from vault.errors import VaultError
from vault.models import Page, Role

if TYPE_CHECKING:
    from aiohttp import web

ALL = 1000
PROJECT = "/-/projects/{id:[0-9]+}"
FILE = PROJECT + "/files/{secure_file_id:[0-9]+}"


async def index(request: web.Request, problem: str = "", status: int = 200) -> web.Response:
    """Show a project's files, with what can be done to whom may do it."""
    found = await project(request, Role.DEVELOPER)
    files = await request.app[OFFLOAD].call(request.app[SERVICES].secure_files.of_project, found.id, Page(1, ALL))
    return await in_project(
        request,
        "files.html",
        found,
        status,
        files=[(file, expiry_of(file), issuer_of(file)) for file in files],
        limit=request.app[SETTINGS].secure_file_bytes,
        problem=problem,
        tab="files",
    )


async def create(request: web.Request) -> web.Response:
    """Take a file in; what is wrong with it is said on the same page."""
    found = await project(request, Role.MAINTAINER)
    values = await forms.read(request)
    file, password = values.get("file"), str(values.get("password") or "")
    try:
        if not isinstance(file, UploadedFile) or not file.filename:
            raise BadRequest("choose a file first")
        name = str(values.get("name") or "").strip() or file.filename.replace("\\", "/").rpartition("/")[2]
        files = request.app[SERVICES].secure_files
        adding = partial(files.adding, found.id, name, file.content, password or None)
        stored = await request.app[OFFLOAD].committed(adding)
    except (VaultError, BadRequest) as error:
        return await index(request, words(error), 400)
    auditing.name(request, detail=f"/{stored.id}")
    return see_other(f"/-/projects/{found.id}/files/{stored.id}?done=uploaded")


async def show(request: web.Request) -> web.Response:
    """Show what a file holds."""
    found = await project(request, Role.DEVELOPER)
    number, services = file_id(request), request.app[SERVICES]
    file = await request.app[OFFLOAD].read(services.secure_files.get, found.id, number)
    return await in_project(
        request,
        "file.html",
        found,
        file=file,
        metadata=document_of(file)["metadata"] or Told(),
        expiry=expiry_of(file),
        reason=UNREADABLE.get(file.metadata_error or ""),
        tab="files",
    )


async def replace(request: web.Request) -> web.Response:
    """Put another content in a file's place."""
    found, number = await project(request, Role.MAINTAINER), file_id(request)
    values = await forms.read(request)
    file, password = values.get("file"), str(values.get("password") or "")
    if not isinstance(file, UploadedFile) or not file.filename:
        raise BadRequest("Choose a file first.")
    files = request.app[SERVICES].secure_files
    await request.app[OFFLOAD].committed(partial(files.replacing, found.id, number, file.content, password or None))
    return see_other(f"/-/projects/{found.id}/files/{number}?done=replaced")


async def read_again(request: web.Request) -> web.Response:
    """Try a password; it is used once and not kept."""
    found, number = await project(request, Role.MAINTAINER), file_id(request)
    password = str((await forms.read(request)).get("password") or "")
    again = request.app[SERVICES].secure_files.read_again
    file = await request.app[OFFLOAD].call(again, found.id, number, password)
    return see_other(f"/-/projects/{found.id}/files/{number}?done={'unread' if file.metadata_error else 'read'}")


async def remove(request: web.Request) -> web.Response:
    """Delete a file, whose name the form had to repeat nothing of: the button stands behind a question."""
    found = await project(request, Role.MAINTAINER)
    await request.app[OFFLOAD].call(request.app[SERVICES].secure_files.remove, found.id, file_id(request))
    return see_other(f"/-/projects/{found.id}?done=deleted")


ENDPOINTS = (
    Endpoint("GET", PROJECT, index, action="secure_file.list"),
    Endpoint("POST", f"{PROJECT}/files", create, action="secure_file.create", body_limit=body_limit, takes_place=True),
    Endpoint("GET", FILE, show, action="secure_file.show"),
    Endpoint("GET", f"{FILE}/download", download, action="secure_file.download", secret=True),
    Endpoint("POST", f"{FILE}/replace", replace, action="secure_file.replace", body_limit=body_limit, takes_place=True),
    Endpoint("POST", f"{FILE}/password", read_again, action="secure_file.read_again"),
    Endpoint("POST", f"{FILE}/delete", remove, action="secure_file.delete"),
)
