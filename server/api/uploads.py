"""Markdown uploads: https://docs.gitlab.com/api/project_markdown_uploads/, and the link that Markdown text uses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from server import auditing, media, paging
from server.access import Endpoint, principal, project, sender
from server.api.shapes import NEW_UPLOAD, UPLOAD
from server.app_keys import OFFLOAD, SERVICES, SETTINGS
from server.describing import FILE, PROBLEM, About, Answer, Value, gives, lists, removes, sends
from server.downloads import OCTETS
from server.errors import BadRequest, Refused, json_answer
from server.sending import send
from server.streams import received
from server.urls import API
from vault.access import parse_id
from vault.errors import Forbidden, NotFound, UnsafePath
from vault.filenames import alternative_text, markdown, safe_name
from vault.models import Role
from vault.secure_file_names import TRAVERSAL

if TYPE_CHECKING:
    from server.forms import Values
    from vault.models import Upload
    from vault.storage import BlobWriter

COLLECTION = f"{API}/projects/{{id:[^/]+}}/uploads"
BY_ID = f"{COLLECTION}/{{upload_id:[^/]+}}"
BY_SECRET = f"{COLLECTION}/{{secret:[^/]+}}/{{filename:[^/]+}}"
LINK = "/-/project/{id:[0-9]+}/uploads/{secret:[^/]+}/{filename:[^/]+}"
UNKNOWN = (
    "400 Bad request - The resource that you are attempting to access does not exist or you don't have permission to "
    "perform this action."
)


def present_new(upload: Upload, secret: str) -> dict[str, Any]:
    """Return what its sender is told of an upload, the secret in its address included."""
    url = f"/uploads/{secret}/{upload.filename}"
    return {
        "id": upload.id,
        "alt": alternative_text(upload.filename),
        "url": url,
        "full_path": f"/-/project/{upload.project_id}{url}",
        "markdown": markdown(upload.filename, url),
    }


def present(upload: Upload) -> dict[str, Any]:
    """Return what a list tells of an upload: never its secret."""
    uploader = None
    if upload.uploader_username is not None:
        uploader = {"id": upload.uploader_id, "name": upload.uploader_name, "username": upload.uploader_username}
    return {
        "id": upload.id,
        "size": upload.size,
        "filename": upload.filename,
        "created_at": upload.created_at,
        "uploaded_by": uploader,
    }


async def create(request: web.Request) -> web.Response:
    """Take in a file; it is sealed as it comes."""
    settings, services = request.app[SETTINGS], request.app[SERVICES]
    found = await project(request, settings.least_upload_role())

    async def begin(_: Values, filename: str) -> BlobWriter:
        safe_name(filename)  # one that is refused is refused before its bytes are read
        return services.uploads.writer(found.id)

    caller = principal(request)
    async with received(request, settings.upload_bytes, begin, sender(caller)) as form:
        name = safe_name(form.filename)
        quick = services.uploads.adds_quickly(form.writer)
        adding = partial(services.uploads.adding, caller, found.id, name, form.writer, queued=quick)
        kept, secret = await request.app[OFFLOAD].committed(adding, here=quick)
    return json_answer(present_new(kept, secret), 201)


async def authorize(request: web.Request) -> web.Response:
    """Refuse what GitLab's own front server asks its application; there is none here."""
    raise Forbidden


async def index(request: web.Request) -> web.Response:
    """List a project's uploads, newest first."""
    found = await project(request, Role.MAINTAINER)
    page = paging.read_page(request)
    listing = await request.app[OFFLOAD].read(request.app[SERVICES].uploads.page, found.id, page)
    return paging.answer(request, page, listing.total, [present(upload) for upload in listing.rows])


async def by_id(request: web.Request) -> web.StreamResponse:
    """Send an upload that a maintainer names by its id, which can be guessed."""
    found = await project(request, Role.MAINTAINER)
    uploads = request.app[SERVICES].uploads
    upload = await request.app[OFFLOAD].read(uploads.get, found.id, _upload_id(request))
    return await send(request, uploads.content(upload), upload.filename)


async def by_secret(request: web.Request) -> web.StreamResponse:
    """Send an upload to whoever sees the project and knows the secret."""
    upload = await _named(request)
    return await send(request, request.app[SERVICES].uploads.content(upload), upload.filename)


async def link(request: web.Request) -> web.StreamResponse:
    """Send what a link in Markdown text points to; images, sound and film are shown in place when they are what
    their name says, and everything else is to be saved.
    """
    upload = await _named(request)
    content = request.app[SERVICES].uploads.content(upload)
    shown = None
    if media.may_be_shown(upload.filename):
        head = await request.app[OFFLOAD].call(content.read, 0, min(media.HEAD_BYTES, upload.size))
        shown = media.shown_type(upload.filename, bytes(head))
    kind = "attachment" if shown is None else "inline"
    return await send(request, content, upload.filename, content_type=shown or OCTETS, kind=kind)


async def remove(request: web.Request) -> web.Response:
    """Delete the upload with an id."""
    found = await project(request, Role.MAINTAINER)
    await request.app[OFFLOAD].call(request.app[SERVICES].uploads.remove, found.id, _upload_id(request))
    return web.Response(status=204)


async def remove_by_secret(request: web.Request) -> web.Response:
    """Delete the upload with a secret; one that is not there is 400, as GitLab has it."""
    found = await project(request, Role.MAINTAINER)
    try:
        upload = await _named(request)
        await request.app[OFFLOAD].call(request.app[SERVICES].uploads.remove, found.id, upload.id)
    except NotFound as error:
        raise Refused(400, {"message": UNKNOWN}) from error
    return web.Response(status=204)


async def _named(request: web.Request) -> Upload:
    """Return the upload whose secret and name the path gives. Raises `NotFound`, `UnsafePath`."""
    found = await project(request)
    secret, name = request.match_info["secret"], request.match_info["filename"]
    if "\0" in name or TRAVERSAL.search(name):
        raise UnsafePath("filename")
    upload = await request.app[OFFLOAD].read(request.app[SERVICES].uploads.find, found.id, secret, name)
    auditing.name(request, secret=upload.id)
    return upload


def _upload_id(request: web.Request) -> int:
    text = request.match_info["upload_id"]
    number = parse_id(text)
    if number is None:
        if not text.lstrip("-").isdecimal():
            raise BadRequest("upload_id is invalid")
        raise NotFound
    return number


NEVER = About((Answer(403, "always", PROBLEM),)).without(404, 405)
ENDPOINTS = (
    Endpoint(
        "POST",
        COLLECTION,
        create,
        action="upload.create",
        streams=True,
        about=gives(NEW_UPLOAD, status=201).taking(Value("file", FILE, "the content", required=True)),
    ),
    Endpoint("POST", f"{COLLECTION}/authorize", authorize, action="upload.authorize", streams=True, about=NEVER),
    Endpoint("GET", COLLECTION, index, action="upload.list", anonymous=True, about=lists(UPLOAD)),
    Endpoint("GET", BY_ID, by_id, action="upload.download", secret=True, anonymous=True, about=sends()),
    Endpoint("DELETE", BY_ID, remove, action="upload.delete", about=removes()),
    Endpoint("GET", BY_SECRET, by_secret, action="upload.download", secret=True, anonymous=True, about=sends()),
    Endpoint("DELETE", BY_SECRET, remove_by_secret, action="upload.delete", about=removes()),
    Endpoint("GET", LINK, link, action="upload.download", secret=True, anonymous=True, about=sends(media="*/*")),
)
