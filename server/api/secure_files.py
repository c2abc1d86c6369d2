"""Secure files: https://docs.gitlab.com/api/secure_files/, and what goes beyond (see `docs/api.md`)."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from aiohttp import web

from server import forms, incoming, paging
from server.access import Endpoint, principal, project
from server.api.shapes import SECURE_FILE, SECURE_FILE_ANYWHERE
from server.app_keys import OFFLOAD, SERVICES, SETTINGS
from server.describing import FILE, WHEN, Value, gives, lists, removes, sends
from server.downloads import whole_or_part
from server.errors import json_answer
from server.held import Answer, whole
from server.params import Check
from server.sending import opened, send
from server.urls import API
from vault.abridging import abridged, too_long
from vault.access import parse_id
from vault.errors import NotFound
from vault.models import Role
from vault.secure_files import present

if TYPE_CHECKING:
    from server.held import Lend
    from server.settings import Settings

COLLECTION = f"{API}/projects/{{id:[^/]+}}/secure_files"
ONE = f"{COLLECTION}/{{secure_file_id:[^/]+}}"


class Filters(TypedDict):
    """What a list may be narrowed by."""

    name: str | None
    expires_before: str | None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def file_id(request: web.Request) -> int:
    """Return the file's id from the path. Raises `NotFound` for what cannot be one."""
    number = parse_id(request.match_info["secure_file_id"])
    if number is None:
        raise NotFound
    return number


def body_limit(settings: Settings) -> int:
    """Return how many bytes a request with a secure file may have."""
    return settings.secure_file_bytes + forms.MULTIPART_SLACK


async def index(request: web.Request) -> web.Response:
    """List a project's files, newest first."""
    found = await project(request, Role.DEVELOPER)
    page, filters = paging.read_page(request), _filters(request)
    files = request.app[SERVICES].secure_files
    listing = await request.app[OFFLOAD].read(files.documents, found.id, page, **filters)
    if not listing.too_long:
        return paging.answer(request, page, listing.total, listing.body, listing.digest)
    rows = await _fitting(request, listing.rows)
    return paging.answer(request, page, listing.total, f"[{','.join(rows)}]")


async def _fitting(request: web.Request, documents: list[str]) -> list[str]:
    """Return what fits into one answer; only a page that does not is worth a thread."""
    return await request.app[OFFLOAD].call(abridged, documents) if too_long(documents) else documents


def _filters(request: web.Request) -> Filters:
    check = Check(forms.query(request))
    filters = Filters(name=check.maybe_text("name"), expires_before=check.moment("expires_before"))
    check.done()
    return filters


async def everywhere(request: web.Request) -> web.Response:
    """List the files of all projects the caller may read, soonest expiry first, each with its project."""
    page, filters = paging.read_page(request), _filters(request)
    files = request.app[SERVICES].secure_files
    listing = await request.app[OFFLOAD].call(files.readable, principal(request), page, **filters)
    documents = await _fitting(request, [present(file) for file, _ in listing.rows])
    rows = (
        f'{document[:-1]},"kind":{_json(file.kind)},"project_id":{file.project_id},"project":{_json(project)}}}'
        for document, (file, project) in zip(documents, listing.rows, strict=True)
    )
    return paging.answer(request, page, listing.total, f"[{','.join(rows)}]")


async def show(request: web.Request) -> web.Response:
    """Tell of one file."""
    found = await project(request, Role.DEVELOPER)
    file = await request.app[OFFLOAD].read(request.app[SERVICES].secure_files.get, found.id, file_id(request))
    return json_answer(present(file))


async def download(request: web.Request) -> web.StreamResponse:
    """Send a file's content, opened and verified as a whole before the first byte goes out."""
    found = await project(request, Role.DEVELOPER)
    files, offload = request.app[SERVICES].secure_files, request.app[OFFLOAD]
    file, small = await offload.read(files.content_in_row, found.id, file_id(request))
    if small is not None:
        return whole_or_part(request, small, file.name, file.checksum).response()

    async def in_memory(lend: Lend) -> Answer:
        fetch = offload.read if files.fetches_quickly else offload.call
        kept, content = await fetch(files.fetch, found.id, file.id)
        return whole_or_part(request, await opened(offload, content, lend), kept.name, kept.checksum)

    if (answer := await whole(request, file.size, in_memory)) is not None:
        return answer
    file, source = await offload.call(files.source, found.id, file.id)
    return await send(request, source, file.name)


async def create(request: web.Request) -> web.Response:
    """Take a new file in; the answer has its metadata already."""
    found = await project(request, Role.MAINTAINER)
    files, offload = request.app[SERVICES].secure_files, request.app[OFFLOAD]
    async with incoming.form(request, body_limit(request.app[SETTINGS]), partial(files.incoming, found.id)) as values:
        check = Check(values)
        name = check.text("name", required=True)
        file, password = check.file("file"), check.maybe_text("password")
        check.done()
        quick = files.adds_quickly(name, file.content)
        adding = partial(files.adding, found.id, name, file.content, password, queued=quick)
        return json_answer(present(await offload.committed(adding, here=quick)), 201)


async def update(request: web.Request) -> web.Response:
    """Replace a file's content; its id and name stay."""
    found = await project(request, Role.MAINTAINER)
    number = file_id(request)
    files, offload = request.app[SERVICES].secure_files, request.app[OFFLOAD]
    known = await offload.read(files.get, found.id, number)
    begin = partial(files.incoming, found.id, known.name)
    async with incoming.form(request, body_limit(request.app[SETTINGS]), lambda _: begin()) as values:
        check = Check(values)
        file, password = check.file("file"), check.maybe_text("password")
        check.done()
        replacing = partial(files.replacing, found.id, number, file.content, password)
        return json_answer(present(await offload.committed(replacing)))


async def read_again(request: web.Request) -> web.Response:
    """Read a file's metadata again, with the password given; that is used once and not stored."""
    found = await project(request, Role.MAINTAINER)
    number = file_id(request)
    check = Check(await forms.read(request))
    password = check.maybe_text("password")
    check.done()
    files = request.app[SERVICES].secure_files
    return json_answer(present(await request.app[OFFLOAD].call(files.read_again, found.id, number, password)))


async def remove(request: web.Request) -> web.Response:
    """Delete a file."""
    found = await project(request, Role.MAINTAINER)
    await request.app[OFFLOAD].call(request.app[SERVICES].secure_files.remove, found.id, file_id(request))
    return web.Response(status=204)


NARROWED = (Value("name", about="exactly this name"), Value("expires_before", WHEN, "files that expire before it"))
CONTENT = (
    Value("file", FILE, "the content", required=True),
    Value("password", about="opens the file for this one reading; not stored"),
)
NAME = Value("name", about="unique in the project; may hold slashes", required=True)
ENDPOINTS = (
    Endpoint("GET", COLLECTION, index, action="secure_file.list", job_token=True, about=lists(SECURE_FILE, *NARROWED)),
    Endpoint(
        "POST",
        COLLECTION,
        create,
        action="secure_file.create",
        job_token=True,
        body_limit=body_limit,
        takes_place=True,
        about=gives(SECURE_FILE, status=201).taking(NAME, *CONTENT),
    ),
    Endpoint("GET", ONE, show, action="secure_file.show", job_token=True, about=gives(SECURE_FILE)),
    Endpoint(
        "PUT",
        ONE,
        update,
        action="secure_file.replace",
        job_token=True,
        body_limit=body_limit,
        takes_place=True,
        about=gives(SECURE_FILE).taking(*CONTENT),
    ),
    Endpoint("DELETE", ONE, remove, action="secure_file.delete", job_token=True, about=removes()),
    Endpoint(
        "GET", f"{ONE}/download", download, action="secure_file.download", secret=True, job_token=True, about=sends()
    ),
    Endpoint(
        "POST",
        f"{ONE}/metadata",
        read_again,
        action="secure_file.read_again",
        job_token=True,
        about=gives(SECURE_FILE).taking(CONTENT[1]),
    ),
    Endpoint(
        "GET",
        f"{API}/secure_files",
        everywhere,
        action="secure_file.list",
        job_token=True,
        about=lists(SECURE_FILE_ANYWHERE, *NARROWED),
    ),
)
