"""`git clone`, `fetch` and `push` at `/group/project.git`: git's smart HTTP protocol, spoken by git itself.

https://git-scm.com/docs/http-protocol. An API client's token is the password here, whatever the user's name.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from server import auditing, cgi
from server.access import Endpoint, authenticate, count_anonymous
from server.app_keys import GIT_SLOTS, OFFLOAD, SERVICES, SETTINGS
from server.describing import FILE, PLAIN, PROBLEM, TEXT, UNLISTED, USUAL, About, Answer, Value, one_of
from server.errors import Refused
from server.settings import MIB
from server.urls import base_url
from vault.errors import Forbidden, NotFound, ProjectMoved, TooLarge, Unauthenticated
from vault.models import Role
from vault.repositories.rights import may_read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    from vault.models import Principal, Project
    from vault.repositories.serving import Backend

    Asking = Callable[[web.Request], Awaitable[Principal | None]]

FETCH, PUSH = "git-upload-pack", "git-receive-pack"
SCOPES = {FETCH: ("api", "read_repository", "write_repository"), PUSH: ("api", "write_repository")}
CREDENTIALS = ("Authorization", "PRIVATE-TOKEN", "JOB-TOKEN")
# What a client may ask of the protocol; it goes into a variable.
PROTOCOL = re.compile(r"[a-z0-9=:]{1,64}")
# Which commits a client has and wants, 50 bytes each.
FETCH_LIMIT = 16 * MIB
CLIENT_SILENCE = 60.0
HIDDEN = "The project you were looking for could not be found or you don't have permission to view it."


class Caller(NamedTuple):
    """Who asks for which repository, and as what; `moved` says by a path where it lay once."""

    who: Principal | None
    project: Project
    role: Role
    moved: bool


async def refs(request: web.Request) -> web.StreamResponse:
    """Tell the refs, which every clone, fetch and push begins with."""
    service = request.query.get("service", "")
    if service not in SCOPES:
        # Without `service` a client would read files one by one, and the server could check nothing.
        return web.Response(status=403, text="This server speaks git's smart HTTP protocol only.\n")
    return await _serve(request, service, "/info/refs", f"service={service}")


async def elsewhere(request: web.Request) -> web.Response:
    """Lead git from an address without `.git`, as people type it, to the one with it, whether there is any."""
    service = request.query.get("service", "")
    if service not in SCOPES:
        raise web.HTTPNotFound
    return _lead_to(request, request.rel_url.raw_path.removesuffix("/info/refs").removeprefix("/"), service)


def _lead_to(request: web.Request, path: str, service: str) -> web.Response:
    """Have git begin again at another path; it says so, and goes on there with what it sends."""
    place = f"{base_url(request)}/{path}.git/info/refs?service={service}"
    return web.Response(status=301, headers={"Location": place})


async def fetch(request: web.Request) -> web.StreamResponse:
    """Answer a clone or fetch with a pack."""
    return await _serve(request, FETCH, f"/{FETCH}")


async def push(request: web.Request) -> web.StreamResponse:
    """Take a push."""
    return await _serve(request, PUSH, f"/{PUSH}")


async def _serve(request: web.Request, service: str, path: str, query: str = "") -> web.StreamResponse:
    try:
        caller = permitted(await identified(request), service)
    except Unauthenticated:
        text = {"message": "401 Unauthorized: the password is an access token with a scope for repositories"}
        raise Refused(401, text, {"WWW-Authenticate": 'Basic realm="GitLab"'}) from None
    except NotFound:
        return web.Response(status=404, text=f"{HIDDEN}\n")
    except Forbidden as error:
        return web.Response(status=403, text=f"{error}\n")
    if caller.moved and request.method == "GET":
        return _lead_to(request, caller.project.full_path, service)
    _check_type(request, service)
    offload, serving = request.app[OFFLOAD], request.app[SERVICES].repositories.serving
    opened = _backend(request, caller, service)
    noted = service == FETCH or request.method != "POST"

    async def note() -> None:
        nonlocal noted
        if not noted:
            noted = True
            await offload.call(serving.pushed, caller.project, backend)

    if service == FETCH:
        # It is small, and read before a program is started for it: what is wrong with it has an answer then.
        body = _again([piece async for piece in _body(request, FETCH_LIMIT)])
    else:
        body = await _begun(_body(request, request.app[SETTINGS].push_bytes + MIB))
    async with request.app[GIT_SLOTS]:
        backend = await offload.call(opened.__enter__)
        try:
            environment = {**backend.environment, **_cgi(request, path, query)}
            return await cgi.answer(request, backend.command, environment, backend.inherit, body, note)
        finally:
            try:
                await note()  # a client that went away may have left branches that were moved
            finally:
                opened.__exit__(None, None, None)  # which closes a descriptor, and has to happen at a shutdown too


def _check_type(request: web.Request, service: str) -> None:
    """Refuse a body that is not git's; git's own answer to one says nothing of its type. Raises `Refused`."""
    wanted = f"application/x-{service}-request"
    if request.method == "POST" and request.content_type != wanted:
        raise Refused(415, {"message": f"415 Unsupported Media Type: {wanted} is wanted"})


def _backend(request: web.Request, caller: Caller, service: str) -> AbstractContextManager[Backend]:
    serving = request.app[SERVICES].repositories.serving
    if service == FETCH:
        return serving.fetching(caller.project)
    assert caller.who is not None, "nobody may push"
    return serving.pushing(caller.project, caller.who.user, caller.role)


async def logged_in(request: web.Request) -> Principal | None:
    """Return whose token came, None without one. Raises as `authenticate`."""
    if any(name in request.headers for name in CREDENTIALS):
        return await authenticate(request, LOGIN)
    count_anonymous(request)
    return None


async def identified(request: web.Request, asking: Asking = logged_in) -> Caller:
    """Return who asks. Raises `Unauthenticated` where asking again with a token may help, `NotFound`."""
    who = await asking(request)
    access, offload = request.app[SERVICES].access, request.app[OFFLOAD]
    moved = False
    try:
        project = await offload.read(access.project, who, request.match_info["path"])
    except ProjectMoved as error:
        project, moved = error.project, True
    except (NotFound, Forbidden):
        if who is None:
            raise Unauthenticated from None
        raise
    auditing.name(request, path=f"projects/{project.id}")
    return Caller(who, project, await offload.read(access.role, who, project), moved)


def permitted(caller: Caller, service: str) -> Caller:
    """Return the caller, who may do this. Raises `Unauthenticated`, `Forbidden` with the reason."""
    who, project, role, _ = caller
    if who is None and (service == PUSH or not may_read(project, role)):
        raise Unauthenticated
    if who is not None and who.scopes.isdisjoint(SCOPES[service]):
        raise Forbidden(f"The token needs one of these scopes: {', '.join(SCOPES[service])}.")
    if not may_read(project, role):
        raise Forbidden("You are not allowed to download code from this project.")
    if service == PUSH and (role < Role.DEVELOPER or (who is not None and who.job is not None)):
        raise Forbidden("You are not allowed to push code to this project.")
    return caller


def _cgi(request: web.Request, path: str, query: str) -> dict[str, str]:
    """Return the variables that tell the program of the request; nothing else of it gets there.

    No CONTENT_LENGTH: git would wait for that many bytes, busily and for ever, when a client goes away before.
    """
    variables = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.content_type,
        "REMOTE_ADDR": request.remote or "",
    }
    protocol = request.headers.get("Git-Protocol", "")
    if PROTOCOL.fullmatch(protocol):
        variables["HTTP_GIT_PROTOCOL"] = protocol
    return variables


def _compressed(request: web.Request) -> bool:
    coding = request.headers.get("Content-Encoding", "identity").lower()
    if coding not in {"identity", "gzip", "x-gzip"}:
        raise Refused(415, {"message": f"415 Unsupported Media Type: Content-Encoding {coding[:20]!r}"})
    return coding != "identity"


async def _body(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the body, inflated here so that what is counted is what git gets. Raises `TooLarge`."""
    inflate = zlib.decompressobj(wbits=31) if _compressed(request) else None
    if (request.content_length or 0) > limit:
        raise TooLarge(limit)
    count = 0
    async for data in _received(request):
        for piece in _inflated(inflate, data) if inflate else (data,):
            count += len(piece)
            if count > limit:
                raise TooLarge(limit)
            yield piece


def _inflated(inflate: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    try:
        while piece := inflate.decompress(data, MIB):
            yield piece
            data = inflate.unconsumed_tail
    except zlib.error as error:
        raise Refused(400, {"message": "400 Bad Request: the body is not gzip"}) from error


async def _again(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _begun(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return the body once its first piece is there: what is wrong with that has an answer, no broken connection."""
    first = await anext(body, b"")

    async def whole() -> AsyncIterator[bytes]:
        if first:
            yield first
        async for piece in body:
            yield piece

    return whole()


async def _received(request: web.Request) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(CLIENT_SILENCE):
                data = await request.content.readany()
        except TimeoutError as error:
            raise Refused(408, {"message": "408 Request Timeout"}, {"Connection": "close"}) from error
        if not data:
            return
        yield data


def _spoken(*types: str) -> About:
    """Describe a route that git itself answers, in its own types; refusals are plain words for whoever types."""
    plain = {403: "the token's scopes or the caller's role do not reach", 404: USUAL[404]}
    return About(
        (
            *(Answer(200, "what git says", FILE, media) for media in types),
            Answer(401, "asks for a token as the password", PROBLEM, headers=("WWW-Authenticate",)),
            *(Answer(status, when, TEXT, PLAIN) for status, when in plain.items()),
        ),
        security=("basic", "bearer", "privateToken"),
    ).refusing({status: USUAL[status] for status in (429, 500, 503)})


def _sent(service: str) -> About:
    """Describe a route that takes a body of git's."""
    told = replace(_spoken(f"application/x-{service}-result"), media=(f"application/x-{service}-request",))
    refused = (400, 408, 413, 415, *((507,) if service == PUSH else ()))
    return told.refusing({status: USUAL[status] for status in refused})


LOGIN = Endpoint(
    "GET",
    "",
    refs,
    action="git.login",
    anonymous=True,
    any_scope=True,
    streams=True,
    job_token=True,
    basic_job_token=True,
)
ROOT = "/{path:.+}.git"
BARE = "/{path:(?!api/|-/).+}/info/refs"
ENDPOINTS = (
    Endpoint(
        "GET",
        f"{ROOT}/info/refs",
        refs,
        action="git.list_refs",
        open=True,
        about=_spoken("*/*").asking(Value("service", one_of(FETCH, PUSH), required=True)),
    ),
    Endpoint("GET", BARE, elsewhere, action="git.redirect", open=True, about=UNLISTED),
    Endpoint("POST", f"{ROOT}/{FETCH}", fetch, action="git.fetch", open=True, about=_sent(FETCH)),
    Endpoint("POST", f"{ROOT}/{PUSH}", push, action="git.push", open=True, about=_sent(PUSH)),
)
