"""The half of repository files that writes: one request, one commit."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from aiohttp import web

from server import forms
from server.access import principal, project
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES, SETTINGS, TURNS
from server.errors import json_answer
from server.forms import UploadedFile
from server.params import Check
from vault.errors import Forbidden
from vault.models import Role
from vault.repositories import Action, Change
from vault.repositories.paths import clean_path
from vault.repositories.rights import may_read

if TYPE_CHECKING:
    from vault.repositories import Written

ENCODINGS = ("text", "base64")
BLANKS = str.maketrans("", "", " \t\r\n")


def needed(check: Check, name: str) -> str:
    """Return a text that has to be there and not blank, with GitLab's two complaints when it is missing."""
    text = check.text(name, required=True, blank=False)
    if not check.has(name):
        check.refuse(name, "is empty")
    return text


async def create(request: web.Request) -> web.Response:
    """Make a file."""
    change, written = await _write(request, Action.CREATE)
    return json_answer(_present(change, written), 201)


async def update(request: web.Request) -> web.Response:
    """Give a file new content; with `create=true` also one that is not there yet."""
    change, written = await _write(request, Action.UPDATE)
    return json_answer(_present(change, written), 201 if written.created else 200)


async def remove(request: web.Request) -> web.Response:
    """Delete a file; the commit's id is in a header, as the answer has no body."""
    _, written = await _write(request, Action.DELETE)
    return web.Response(status=204, headers={"X-Gitlab-Commit-Id": written.commit_id})


async def _write(request: web.Request, action: Action) -> tuple[Change, Written]:
    found = await project(request, Role.DEVELOPER)
    if not may_read(found, Role.DEVELOPER):
        raise Forbidden
    path = clean_path(request.match_info["file_path"])
    values = await forms.read(request, request.app[SETTINGS].repository_body_bytes, long_text=True)
    change = read_change(Check(values), values, action, path)
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    caller = principal(request)
    role = await offload.read(services.access.role, request[PRINCIPAL], found)
    writing = services.repositories.writing
    prepared = await offload.call(writing.prepare, found, caller.user, role, change)
    # The vault has a queue of its own, across processes; waiting there would cost a thread for each who waits.
    async with request.app[TURNS].of((found.id, change.branch)):
        return change, await offload.call(writing.land, prepared)


def _present(change: Change, written: Written) -> dict[str, Any]:
    return {
        "file_path": change.path,
        "branch": change.branch,
        "commit_id": written.commit_id,
        "blob_id": written.blob_id,
        "content_sha256": written.sha256,
    }


def read_change(check: Check, values: forms.Values, action: Action, path: str) -> Change:
    """Return the change a request asks for. Raises `BadRequest` with all that is wrong with it."""
    branch, message = needed(check, "branch"), needed(check, "commit_message")
    content = b"" if action is Action.DELETE else _content(check, values)
    if action is Action.UPDATE and check.boolean("create"):
        action = Action.PUT
    change = Change(
        action=action,
        path=path,
        branch=branch,
        message=message,
        content=content,
        start_branch=check.maybe_text("start_branch") or None,
        author_name=check.maybe_text("author_name"),
        author_email=check.maybe_text("author_email"),
        last_commit_id=check.maybe_text("last_commit_id") or None,
        executable=check.boolean("execute_filemode") if check.has("execute_filemode") else None,
    )
    check.done()
    return change


def _content(check: Check, values: forms.Values) -> bytes:
    """Return the file's new bytes; text is kept byte for byte, line ends and NUL included."""
    encoding = check.choice("encoding", ENCODINGS, "text")
    value = values.get("content")
    if value is None:
        check.refuse("content", "is missing")
        return b""
    if isinstance(value, bool | list | dict | UploadedFile):
        check.refuse("content", "is invalid")
        return b""
    try:
        if encoding == "base64":
            return base64.b64decode(str(value).translate(BLANKS), validate=True)
        return str(value).encode("utf-8")
    except (binascii.Error, ValueError):
        check.refuse("content", "is not base64" if encoding == "base64" else "is invalid")
        return b""
