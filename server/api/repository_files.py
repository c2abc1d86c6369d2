"""Repository files: https://docs.gitlab.com/api/repository_files/, and what goes beyond it.

Route by route in `docs/api-repositories.md`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from aiohttp import web

from server import forms, ignored
from server.access import Endpoint, project
from server.api.repository_writes import ENCODINGS, create, needed, remove, update
from server.api.shapes import BLAME_RANGE, REPOSITORY_FILE, WRITTEN
from server.app_keys import GIT_SLOTS, OFFLOAD, PRINCIPAL, SERVICES
from server.describing import FLAG, NUMBER, UNCHANGED, UNLISTED, Answer, Value, gives, many, one_of, removes, sends
from server.downloads import matches
from server.errors import Refused, json_answer
from server.params import Check
from server.repository_raw import send_raw
from server.sending import send
from server.settings import MIB
from server.urls import API
from vault.errors import Forbidden, NotFound, TooLarge
from vault.repositories import Lines
from vault.repositories.pointers import LIMIT as POINTER_LIMIT
from vault.repositories.pointers import pointer_in
from vault.repositories.rights import may_read

if TYPE_CHECKING:
    from server.settings import Settings
    from vault.models import LfsObject, Project
    from vault.repositories import BlameRange, File

# A larger file is refused as JSON, which needs it in memory whole and a third longer; raw streams any size.
JSON_LIMIT = 32 * MIB


async def readable(request: web.Request) -> Project:
    """Return the project the path names, whose files the caller may read. Raises `NotFound`, `Forbidden`."""
    found = await project(request)
    role = await request.app[OFFLOAD].read(request.app[SERVICES].access.role, request[PRINCIPAL], found)
    if not may_read(found, role):
        raise Forbidden
    if request.body_exists:
        await ignored.warn(request)
    return found


async def _file(request: web.Request, found: Project, ref: str | None) -> File:
    reading = request.app[SERVICES].repositories.reading
    return await request.app[OFFLOAD].call(reading.file, found, ref, request.match_info["file_path"])


def _ref(request: web.Request, check: Check) -> str:
    """Return the ref, whatever it holds: one that cannot be is not found."""
    ref = request.query.getall("ref", [""])[-1]
    if ref.strip():
        return ref
    return needed(check, "ref")


async def _asked(request: web.Request) -> tuple[Project, File]:
    """Return the project and the file of a request that has to name a ref."""
    found = await readable(request)
    check = Check(forms.query(request))
    ref = _ref(request, check)
    check.done()
    return found, await _file(request, found, ref)


def facts(file: File) -> dict[str, str]:
    """Return GitLab's ten headers; control characters, which no header may hold, are escaped."""
    values = {
        "Blob-Id": file.blob_id,
        "Commit-Id": file.commit_id,
        "Content-Sha256": file.sha256,
        "Encoding": "base64",
        "Execute-Filemode": "true" if file.executable else "false",
        "File-Name": _visible(file.name),
        "File-Path": _visible(file.path),
        "Last-Commit-Id": file.last_commit_id,
        "Ref": file.ref,
        "Size": str(file.size),
    }
    return {f"X-Gitlab-{name}": value for name, value in values.items()}


def _visible(text: str) -> str:
    return "".join(f"%{ord(char):02X}" if char < " " or char == "\x7f" else char for char in text)


async def show(request: web.Request) -> web.Response:
    """Tell of one file with its content in base64; HEAD tells the same in headers and reads no content."""
    found, file = await _asked(request)
    headers = facts(file)
    if request.method == "HEAD":
        return web.Response(headers=headers, content_type="application/json")
    tag = _tag(headers)
    if matches(request.headers.get("If-None-Match", ""), tag):
        return web.Response(status=304, headers={**headers, "ETag": f'W/"{tag}"'})
    if file.size > JSON_LIMIT:
        raise TooLarge(JSON_LIMIT, f"413 The file has {file.size} bytes, too many for JSON: read it from its /raw")
    reading = request.app[SERVICES].repositories.reading

    def work() -> bytes:
        return present(file, reading.content(found, file))

    body = await request.app[OFFLOAD].call(work)
    return web.Response(body=body, headers={**headers, "ETag": f'W/"{tag}"'}, content_type="application/json")


def _tag(headers: dict[str, str]) -> str:
    return hashlib.sha256("\n".join(headers.values()).encode()).hexdigest()[:32]


def present(file: File, content: bytes) -> bytes:
    """Return a file in GitLab's fields as JSON."""
    before = {"file_name": file.name, "file_path": file.path, "size": file.size, "encoding": "base64"}
    after = {
        "content_sha256": file.sha256,
        "ref": file.ref,
        "blob_id": file.blob_id,
        "commit_id": file.commit_id,
        "last_commit_id": file.last_commit_id,
        "execute_filemode": file.executable,
    }
    # The content is the most of it and holds nothing to escape.
    return b'%b,"content":"%b",%b' % (_json(before)[:-1], base64.b64encode(content), _json(after)[1:])


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


async def raw(request: web.Request) -> web.StreamResponse:
    """Send a file as it is, by default of the default branch: whole, one range, or 304 for who has it.

    With `lfs=true` and a pointer it is the Git LFS object that is sent, or 404 where the project has none.
    """
    found = await readable(request)
    check = Check(forms.query(request))
    ref = _ref(request, check) if check.has("ref") else None
    lfs = check.boolean("lfs")
    check.done()
    file = await _file(request, found, ref)
    large = await _behind_pointer(request, found, file) if lfs and file.size < POINTER_LIMIT else None
    if large is None:
        return await send_raw(request, found, file, facts(file))
    return await send(request, request.app[SERVICES].lfs.content(large), file.name, more=facts(file))


async def _behind_pointer(request: web.Request, found: Project, file: File) -> LfsObject | None:
    """Return the project's object that a file points to; None for a file that is no pointer. Raises `NotFound`."""
    services = request.app[SERVICES]

    def work() -> LfsObject | None:
        pointer = pointer_in(services.repositories.reading.content(found, file))
        return None if pointer is None else services.lfs.find(found.id, pointer.oid)

    try:
        return await request.app[OFFLOAD].call(work)
    except NotFound as error:
        if error.what != "LFS Object":
            raise
        raise NotFound("File", "the project does not have its Git LFS object") from None


async def blame(request: web.Request) -> web.Response:
    """Tell who changed each line last; HEAD tells of the file only."""
    found = await readable(request)
    check = Check(forms.query(request))
    ref = _ref(request, check)
    asked = _range(check)
    check.done()
    if asked is not None and asked.first > asked.last:
        raise Refused(400, {"message": "range[start] must be less than or equal to range[end]"})
    file = await _file(request, found, ref)
    if request.method == "HEAD":
        return web.Response(headers=facts(file), content_type="application/json")
    if file.size > JSON_LIMIT:
        raise TooLarge(JSON_LIMIT, f"413 The file has {file.size} bytes, too many to blame")
    reading = request.app[SERVICES].repositories.reading

    def work() -> bytes:
        return _json([_present_range(each) for each in reading.blame(found, file, asked)])

    async with request.app[GIT_SLOTS]:
        body = await request.app[OFFLOAD].call(work)
    return web.Response(body=body, headers=facts(file), content_type="application/json")


def _present_range(found: BlameRange) -> dict[str, Any]:
    return {"commit": asdict(found.commit), "lines": found.lines}


def _range(check: Check) -> Lines | None:
    """Return the lines asked for: both ends or neither, each above zero."""
    names = ("range[start]", "range[end]")
    if check.has("range"):
        check.refuse("range", "is invalid")
    if not any(check.has(name) for name in names):
        return None
    ends = []
    for name in names:
        if not needed(check, name).strip():
            continue
        number = check.integer(name)
        if number is not None and number < 1:
            check.refuse(name, "does not have a valid value")
        ends.append(number or 0)
    return Lines(ends[0], ends[1]) if len(ends) == len(names) else None


async def unencoded(request: web.Request) -> web.Response:
    """Say what is wrong with a path whose slashes came as they are: no route has them, here or at GitLab."""
    text = "404 Not Found: write the slashes of file_path as %2F; a proxy in front may have decoded them"
    return json_answer({"error": text}, 404)


PROJECT = f"{API}/projects/{{id:[^/]+}}"
ONE = f"{PROJECT}/repository/files/{{file_path:[^/]+}}"
SCOPES = ("read_api", "read_repository")


def _body_limit(settings: Settings) -> int:
    return settings.repository_body_bytes


REF = Value("ref", about="branch, tag, commit or HEAD", required=True)
FACTS = tuple(
    f"X-Gitlab-{name}"
    for name in (
        *("Blob-Id", "Commit-Id", "Content-Sha256", "Encoding", "Execute-Filemode"),
        *("File-Name", "File-Path", "Last-Commit-Id", "Ref", "Size"),
    )
)
COMMIT = (
    Value("branch", about="where the commit goes", required=True),
    Value("commit_message", required=True),
    Value("start_branch", about="where a new branch begins"),
    Value("author_name"),
    Value("author_email"),
    Value("last_commit_id", about="refuse when the file was changed since"),
)
CONTENT = (
    Value("content", required=True),
    Value("encoding", one_of(*ENCODINGS), "text unless given"),
    Value("execute_filemode", FLAG),
)
LINES = (Value("range[start]", NUMBER), Value("range[end]", NUMBER))
TOO_LARGE = {413: "the file is too large for JSON: read it raw"}
UNCHANGED_OR_NOT = replace(
    gives(REPOSITORY_FILE, REF, headers=("ETag", *FACTS)).also(UNCHANGED), headers=("If-None-Match",)
)
ENDPOINTS = (
    Endpoint(
        "GET",
        f"{ONE}/blame",
        blame,
        action="repository_file.blame",
        secret=True,
        anonymous=True,
        scopes=SCOPES,
        about=gives(many(BLAME_RANGE), REF, *LINES, headers=FACTS).refusing(TOO_LARGE),
    ),
    Endpoint(
        "GET",
        f"{ONE}/raw",
        raw,
        action="repository_file.download",
        secret=True,
        anonymous=True,
        scopes=SCOPES,
        job_token=True,
        about=sends(replace(REF, required=False), Value("lfs", FLAG), media="*/*", headers=FACTS),
    ),
    Endpoint(
        "GET",
        ONE,
        show,
        action="repository_file.download",
        secret=True,
        anonymous=True,
        scopes=SCOPES,
        about=UNCHANGED_OR_NOT.refusing(TOO_LARGE),
    ),
    Endpoint(
        "POST",
        ONE,
        create,
        action="repository_file.create",
        body_limit=_body_limit,
        long_text=True,
        about=gives(WRITTEN, status=201).taking(*COMMIT, *CONTENT),
    ),
    Endpoint(
        "PUT",
        ONE,
        update,
        action="repository_file.change",
        body_limit=_body_limit,
        long_text=True,
        about=gives(WRITTEN)
        .also(Answer(201, "made, as `create` asked", WRITTEN))
        .taking(*COMMIT, *CONTENT, Value("create", FLAG, "make the file where there is none")),
    ),
    Endpoint(
        "DELETE",
        ONE,
        remove,
        action="repository_file.delete",
        body_limit=_body_limit,
        long_text=True,
        about=removes("X-Gitlab-Commit-Id").taking(*COMMIT),
    ),
    *(
        Endpoint(
            method,
            f"{PROJECT}/repository/files/{{rest:(?![^/]+/(raw|blame)$).+}}",
            unencoded,
            action="repository_file.unencoded",
            open=True,
            about=UNLISTED,
        )
        for method in ("GET", "POST", "PUT", "DELETE")
    ),
)
