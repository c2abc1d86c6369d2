"""Git LFS at `/group/project.git/info/lfs`: the batch API with its basic transfer. Locks are not kept.

https://github.com/git-lfs/git-lfs/tree/main/docs/api. Tokens and rights are those of `git fetch` and `git push`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from aiohttp import web

from server import forms
from server.access import Endpoint, count_request, count_wrong_token, sender
from server.api.git_http import FETCH, HIDDEN, PUSH, ROOT, Caller, identified, permitted
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES, SETTINGS, SHARED
from server.describing import ANYTHING, OCTETS, PROBLEM, UNLISTED, USUAL, About, Answer, sends
from server.errors import BadRequest, Refused, answer_to
from server.pipes import Pipe
from server.sending import send
from server.urls import base_url
from vault.errors import Forbidden, Invalid, NotFound, TooLarge, Unauthenticated, VaultError
from vault.lfs_passes import LASTS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from server.access import Handler
    from vault.lfs import LfsObjects
    from vault.models import LfsObject, Principal, Project

MEDIA = "application/vnd.git-lfs+json"
TYPES = (MEDIA, "application/json")
AUTHENTICATE = {"LFS-Authenticate": 'Basic realm="GitLab"', "WWW-Authenticate": 'Basic realm="GitLab"'}
# Not Authorization: who has git send that in a header of his own would send two, which proxies refuse.
PASS = "LFS-Pass"
OID = re.compile(r"[0-9a-f]{64}")
LONGEST_SIZE = 18
# git-lfs asks for 100 at a time.
MOST_OBJECTS = 1000
GONE = "Object does not exist on the server or you don't have permissions to access it"
NO_OID = "has to be a SHA-256 in lower-case hex"
NO_LOCKS = "Git LFS locks are not kept here"


@dataclass(frozen=True)
class Asked:
    """One object of a request, as it names it; `problem` says why it is none."""

    oid: str
    size: int
    problem: str = ""


def spoken(handler: Handler) -> Handler:
    """Return a handler whose refusals are in the protocol's own type, and say how to log in."""

    @wraps(handler)
    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (VaultError, BadRequest, Refused) as error:
            refusal = _refusal(error)
            if refusal.status >= 500:
                raise
            return refusal

    return wrapped


def _refusal(error: VaultError | BadRequest | Refused) -> web.Response:
    """Return the answer to an error, in the words of git's own routes where those have any."""
    match error:
        case Unauthenticated():
            text = "401 Unauthorized: the password is an access token with a scope for repositories"
            return _answer({"message": str(error) or text}, 401, AUTHENTICATE)
        case NotFound():
            return _answer({"message": GONE if error.what == "LFS Object" else HIDDEN}, 404)
        case Forbidden():
            return _answer({"message": str(error)}, 403)
        case Invalid():
            return _answer({"message": f"422 Unprocessable Entity: {error}"}, 422)
        case BadRequest():
            return _answer({"message": f"400 Bad Request: {error}"}, 400)
    answer = answer_to(error) or web.Response(status=500)
    answer.content_type = MEDIA
    return answer


@spoken
async def batch(request: web.Request) -> web.Response:
    """Say of each object where it is to be had, or where it is to go; an object that cannot be has an `error`."""
    caller = permitted(await identified(request), FETCH)
    body = await _document(request)
    operation, asked = body.get("operation"), _objects(body)
    if operation not in {"download", "upload"}:
        raise Invalid("operation", "is neither download nor upload")
    if operation == "upload":
        permitted(caller, PUSH)
    transfers = body.get("transfers") or ["basic"]
    if not isinstance(transfers, list) or "basic" not in transfers:
        raise Invalid("transfers", "have to include basic")
    if body.get("hash_algo") not in {None, "sha256"}:
        raise Refused(409, {"message": "409 Conflict: objects are named by their SHA-256"})
    known = await request.app[OFFLOAD].call(_known, request.app[SERVICES].lfs, caller.project, asked)
    place = _Place(request, caller, writes=operation == "upload")
    limit = request.app[SETTINGS].lfs_object_bytes
    told = [
        _to_download(place, each, known.get(each.oid))
        if operation == "download"
        else _to_upload(place, each, known.get(each.oid), limit)
        for each in asked
    ]
    return _answer({"transfer": "basic", "objects": told, "hash_algo": "sha256"})


def _known(objects: LfsObjects, project: Project, asked: Sequence[Asked]) -> dict[str, LfsObject]:
    found = (objects.get(project.id, each.oid) for each in asked if not each.problem)
    return {each.oid: each for each in found if each is not None}


class _Place:
    """Where objects of a project are, for one who may do what he asks for."""

    def __init__(self, request: web.Request, caller: Caller, *, writes: bool) -> None:
        self._git = f"{base_url(request)}/{caller.project.full_path}.git"
        self._with: dict[str, Any] = {}
        if caller.who is not None:
            text = request.app[SERVICES].lfs_passes.make(caller.who, caller.project.id, writes=writes)
            self._with = {"header": {PASS: text}, "expires_in": LASTS_SECONDS}

    def of(self, asked: Asked, **paths: str) -> dict[str, Any]:
        """Return what is told of an object: its places by what to do there, and what to show at the door."""
        actions = {name: {"href": f"{self._git}/{path}", **self._with} for name, path in paths.items()}
        told = {"oid": asked.oid, "size": asked.size, "actions": actions}
        return {**told, "authenticated": True} if self._with else told


def _to_download(place: _Place, asked: Asked, found: LfsObject | None) -> dict[str, Any]:
    if asked.problem:
        return _refused(asked, 422, asked.problem)
    if found is None or found.size != asked.size:
        return _refused(asked, 404, GONE)
    return place.of(asked, download=f"gitlab-lfs/objects/{asked.oid}")


def _to_upload(place: _Place, asked: Asked, found: LfsObject | None, limit: int) -> dict[str, Any]:
    if asked.problem:
        return _refused(asked, 422, asked.problem)
    if asked.size > limit:
        return _refused(asked, 422, f"an object may have {limit} bytes")
    if found is None:
        return place.of(asked, upload=f"gitlab-lfs/objects/{asked.oid}/{asked.size}", verify="info/lfs/verify")
    if found.size != asked.size:
        return _refused(asked, 422, f"the object has {found.size} bytes")
    return {"oid": asked.oid, "size": asked.size}  # without actions: it is here already


def _refused(asked: Asked, code: int, message: str) -> dict[str, Any]:
    return {"oid": asked.oid, "size": asked.size, "error": {"code": code, "message": message}}


async def _admitted(request: web.Request, service: str) -> Caller:
    """Return who asks for one object: by the pass that a batch gave him, or by a token as everywhere."""
    text = request.headers.get(PASS)
    if text is None:
        return permitted(await identified(request), service)
    try:
        who, project_id, writes = await request.app[OFFLOAD].read(request.app[SERVICES].lfs_passes.read, text)
    except Unauthenticated:
        count_wrong_token(request)
        raise

    async def known(_: web.Request) -> Principal:
        request[PRINCIPAL] = who
        count_request(request, who)
        return who

    caller = permitted(await identified(request, known), service)
    if caller.project.id != project_id or (service == PUSH and not writes):
        raise Forbidden("This was given for something else: ask the batch API again.")
    return caller


@spoken
async def download(request: web.Request) -> web.StreamResponse:
    """Send an object; ranges go on with what was broken off."""
    caller = await _admitted(request, FETCH)
    objects = request.app[SERVICES].lfs
    found = await request.app[OFFLOAD].read(objects.find, caller.project.id, request.match_info["oid"])
    return await send(request, objects.content(found), found.oid)


@spoken
async def upload(request: web.Request) -> web.Response:
    """Take in an object, sealed as it comes; it is kept when its SHA-256 and its size are those of the address."""
    caller = await _admitted(request, PUSH)
    assert caller.who is not None, "nobody may push"
    oid, size = request.match_info["oid"], _size(request)
    if not OID.fullmatch(oid):
        raise Invalid("oid", NO_OID)
    offload, objects = request.app[OFFLOAD], request.app[SERVICES].lfs
    async with request.app[SHARED].places.of(sender(caller.who)):
        pipe = Pipe(offload, objects.writer(caller.project.id))
        try:
            async for data in forms.chunks(request, size):
                await pipe.write(data)
            await pipe.flush()
            await offload.to_end(objects.add, caller.project.id, oid, size, pipe.writer)
        finally:
            await pipe.close()
    return web.Response()


def _size(request: web.Request) -> int:
    """Return the size that an address tells. Raises `NotFound` where it is none, `TooLarge`."""
    digits, limit = request.match_info["size"], request.app[SETTINGS].lfs_object_bytes
    if not (digits.isascii() and digits.isdecimal()):
        raise NotFound("LFS Object")
    if len(digits) > LONGEST_SIZE or int(digits) > limit:
        raise TooLarge(limit, f"413 Request Entity Too Large: an object may have {limit} bytes")
    return int(digits)


@spoken
async def verify(request: web.Request) -> web.Response:
    """Say whether an object is here, whole, as a client asks that has sent it."""
    caller = await _admitted(request, PUSH)
    asked = _object(await _document(request))
    if asked.problem:
        raise Invalid("object", asked.problem)
    found = await request.app[OFFLOAD].read(request.app[SERVICES].lfs.find, caller.project.id, asked.oid)
    if found.size != asked.size:
        raise Invalid("size", f"is {found.size} here")
    return _answer({})


async def locks(request: web.Request) -> web.Response:
    """Say that there are no locks: git-lfs then goes on without."""
    return _answer({"message": NO_LOCKS}, 404)


async def _document(request: web.Request) -> dict[str, Any]:
    """Return the JSON object that the body is. Raises `Refused`, `BadRequest`, `TooLarge`."""
    if request.content_type not in TYPES:
        raise Refused(415, {"message": f"415 Unsupported Media Type: {MEDIA} is wanted"})
    return await forms.read(request)


def _objects(body: Mapping[str, Any]) -> list[Asked]:
    """Return the objects that a request names. Raises `Invalid` when it names none, `TooLarge` when too many."""
    objects = body.get("objects")
    if not isinstance(objects, list) or not objects or not all(isinstance(each, dict) for each in objects):
        raise Invalid("objects", "have to be a list of objects with oid and size")
    if len(objects) > MOST_OBJECTS:
        text = f"413 Request Entity Too Large: {MOST_OBJECTS} objects may be asked for at a time"
        raise TooLarge(MOST_OBJECTS, text)
    return [_object(each) for each in objects]


def _object(told: Mapping[str, Any]) -> Asked:
    oid, size = told.get("oid"), told.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        return Asked(str(oid), 0, "size has to be a number of bytes")
    if not isinstance(oid, str) or not OID.fullmatch(oid):
        return Asked(str(oid), size, f"oid {NO_OID}")
    return Asked(oid, size)


def _answer(body: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, headers=headers, content_type=MEDIA)


def _told(*answers: Answer, refusals: Sequence[int] = ()) -> About:
    """Describe a route of the protocol, whose refusals have its own type."""
    texts = {**USUAL, 409: "another hash is wanted than SHA-256", 422: "what is asked for, or came, cannot be"}
    asks = Answer(401, "asks for a token as the password", PROBLEM, MEDIA, ("LFS-Authenticate", "WWW-Authenticate"))
    refused = (Answer(status, texts[status], PROBLEM, MEDIA) for status in (403, 404, 429, *refusals))
    broken = (Answer(status, USUAL[status], PROBLEM) for status in (500, 503, 507))
    return About((*answers, asks, *refused, *broken), security=("basic", "bearer", "privateToken"))


def _talk(*refusals: int) -> About:
    """Describe a route that takes and gives JSON."""
    body = (400, 408, 413, 415, 422, *refusals)
    return replace(_told(Answer(200, "done", ANYTHING, MEDIA), refusals=body), media=(MEDIA,))


TAKEN = replace(_told(Answer(200, "kept"), refusals=(408, 413, 415, 422)), media=(OCTETS,))
SENT = replace(_told(*sends().answers), headers=sends().headers)
LFS = f"{ROOT}/info/lfs"
OBJECT = f"{ROOT}/gitlab-lfs/objects/{{oid:[^/]+}}"
ENDPOINTS = (
    Endpoint("POST", f"{LFS}/objects/batch", batch, action="lfs_object.batch", open=True, about=_talk(409)),
    Endpoint("POST", f"{LFS}/verify", verify, action="lfs_object.verify", open=True, about=_talk()),
    Endpoint("GET", OBJECT, download, action="lfs_object.download", secret=True, open=True, about=SENT),
    Endpoint("PUT", f"{OBJECT}/{{size:[^/]+}}", upload, action="lfs_object.upload", open=True, about=TAKEN),
    *(
        Endpoint(method, f"{LFS}/locks{{rest:.*}}", locks, action="lfs_object.lock", open=True, about=UNLISTED)
        for method in ("GET", "POST")
    ),
)
