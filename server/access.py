"""Who asks, and whether the token reaches: the first checks of every endpoint, before anything is looked up.

https://docs.gitlab.com/api/rest/authentication/
"""

from __future__ import annotations

import base64
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from server import auditing, forms
from server.app_keys import AUDITED, OFFLOAD, PRINCIPAL, QUOTA, SERVICES, SETTINGS, SHARED, TAKE_PLACE
from server.errors import Refused, Throttled
from server.guessing import network
from server.urls import base_url
from vault.errors import InsufficientScope, ProjectMoved, TokenEnded, Unauthenticated
from vault.models import Principal, Project, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from aiohttp import web

    from server.describing import About
    from server.rates import Quota
    from server.settings import Settings
    from vault.models import Job

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

READING = frozenset(("GET", "HEAD"))
# Where the path of a request names a project.
NAMED = re.compile(r"(/projects/+)[^/]+")


@dataclass(frozen=True)
class Endpoint:
    """One route and what its callers must bring.

    `job_token`: the token of a running job is a login here; `basic_job_token`: also as the password of Basic, which
    is git's only way. `anonymous`: nobody may ask too (the project's visibility decides). `scopes`: besides `api`,
    what is enough for reading; `any_scope`: every token will do, for reading and writing. `body_limit`: how many bytes
    a body may have. `long_text`: a field of a form too. `streams`: the body is a file too large to look for a token
    in. `takes_place`: the body is a file that is held in memory, of which so many may be on the way at one time.
    `open`: nobody is asked who he is. `about`: what it takes and answers, for OpenAPI; every route of the API has it.

    `action`: its name in the audit log, where every refusal stands. So does every other answer of a method that writes,
    and where what is read is `secret`: the content of files.
    """

    method: str
    path: str
    handler: Handler
    action: str = field(kw_only=True)
    secret: bool = False
    job_token: bool = False
    basic_job_token: bool = False
    anonymous: bool = False
    scopes: tuple[str, ...] = ("read_api",)
    any_scope: bool = False
    body_limit: Callable[[Settings], int] = lambda _: forms.BODY_LIMIT
    streams: bool = False
    long_text: bool = False
    takes_place: bool = False
    open: bool = False
    about: About | None = None


class Credential(NamedTuple):
    """A secret and how it was sent: as a personal token, a job's, or either."""

    secret: str
    personal: bool
    job: bool


def guarded(endpoint: Endpoint) -> Handler:
    """Return the endpoint's handler behind the check of its caller."""
    route = auditing.Route(endpoint)

    async def handler(request: web.Request) -> web.StreamResponse:
        auditing.begin(request, route)
        if not endpoint.open:
            base_url(request)  # a Host that is none is refused before anything is done
            request[PRINCIPAL] = await authenticate(request, endpoint)
        auditing.require(request)
        return await endpoint.handler(request)

    return placed(handler) if endpoint.takes_place else handler


def placed(handler: Handler) -> Handler:
    """Return a handler whose request gives its place among the uploads back when it ends, if it took one."""

    async def with_a_place(request: web.Request) -> web.StreamResponse:
        async with AsyncExitStack() as stack:
            request[TAKE_PLACE] = partial(_take_place, request, stack)
            return await handler(request)

    return with_a_place


async def authenticate(request: web.Request, endpoint: Endpoint) -> Principal | None:
    """Return who asks, None where that may be nobody; the request is counted against his limit.

    Raises `Unauthenticated`, `InsufficientScope`, `Throttled`.
    """
    credential = _from_headers(request.headers, endpoint) or _from_values(request.query, endpoint)
    if credential is None and not endpoint.streams and request.body_exists and request.method not in READING:
        credential = _from_values(await _values(request, endpoint), endpoint)
    if credential is None:
        count_anonymous(request)
        if endpoint.anonymous and request.method in READING:
            return None
        raise Unauthenticated
    try:
        principal = await request.app[OFFLOAD].read(_principal, request, credential)
    except TokenEnded as error:
        request[AUDITED].token = (error.username, error.token_id)
        count_anonymous(request)
        raise
    except Unauthenticated:
        count_wrong_token(request)
        raise
    request[PRINCIPAL] = principal
    count_request(request, principal)
    if not endpoint.any_scope:
        check_scope(request, endpoint, principal)
    return principal


def count_wrong_token(request: web.Request) -> None:
    """Note that a wrong token came. Raises `Refused` (429) when too many came from the same address."""
    count_anonymous(request)
    if wait := request.app[SHARED].guesses.wrong(request.remote or ""):
        raise Refused(429, {"message": "429 Too Many Requests"}, {"Retry-After": str(wait)})


def count_request(request: web.Request, who: Principal) -> None:
    """Note a request against the limit of a token. Raises `Throttled` when it is one too many."""
    _check_quota(request, request.app[SHARED].rates.of_token(sender(who)))


def count_job_request(request: web.Request, job: Job) -> None:
    """Note a request with a job's own token. Raises `Throttled` when it is one too many."""
    _check_quota(request, request.app[SHARED].rates.of_token(_of_job(job)))


def count_anonymous(request: web.Request) -> None:
    """Note a request without a good token. Raises `Throttled` when it is one too many of its address."""
    _check_quota(request, request.app[SHARED].rates.of_address(network(request.remote or "")))


def _check_quota(request: web.Request, quota: Quota | None) -> None:
    if quota is None:
        return
    request[QUOTA].update(quota.headers())
    if quota.exceeded:
        raise Throttled


async def _take_place(request: web.Request, stack: AsyncExitStack) -> None:
    who = request.get(PRINCIPAL)  # not known yet when the token is a field of the form
    key = sender(who) if who else network(request.remote or "")
    await stack.enter_async_context(request.app[SHARED].places.of(key))


def sender(who: Principal) -> Hashable:
    """Return what limits of one sender go by: his token."""
    return _of_job(who.job) if who.job else (who.user.id, who.token_id)


def _of_job(job: Job) -> Hashable:
    return ("job", job.id)


async def _values(request: web.Request, endpoint: Endpoint) -> Mapping[str, object]:
    limit = endpoint.body_limit(request.app[SETTINGS])
    return await forms.read(request, limit, long_text=endpoint.long_text)


def _principal(request: web.Request, credential: Credential) -> Principal:
    tokens = request.app[SERVICES].tokens
    if not credential.personal:
        return tokens.job(credential.secret)
    try:
        return tokens.personal(credential.secret)
    except Unauthenticated as error:
        if not credential.job or type(error) is not Unauthenticated:
            raise
        return tokens.job(credential.secret)


def check_scope(request: web.Request, endpoint: Endpoint, principal: Principal) -> None:
    """Raise `InsufficientScope` when the caller's token does not reach."""
    enough = ("api", *endpoint.scopes) if request.method in READING else ("api",)
    if principal.scopes.isdisjoint(enough):
        raise InsufficientScope(enough)


def _from_headers(headers: Mapping[str, str], endpoint: Endpoint) -> Credential | None:
    scheme, _, rest = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return Credential(rest.strip(), personal=True, job=endpoint.job_token)
    if secret := headers.get("PRIVATE-TOKEN", "").strip():
        return Credential(secret, personal=True, job=False)
    if scheme.lower() == "basic" and (secret := _basic_password(rest)):
        return Credential(secret, personal=True, job=endpoint.basic_job_token)
    if endpoint.job_token and (secret := headers.get("JOB-TOKEN", "").strip()):
        return Credential(secret, personal=False, job=True)
    return None


def _from_values(values: Mapping[str, object], endpoint: Endpoint) -> Credential | None:
    for name in ("private_token", "access_token"):
        if isinstance(secret := values.get(name), str) and secret:
            return Credential(secret, personal=True, job=endpoint.job_token and name == "access_token")
    for name in ("job_token", "token") if endpoint.job_token else ():
        if isinstance(secret := values.get(name), str) and secret:
            return Credential(secret, personal=False, job=True)
    return None


def _basic_password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")[2]
    except ValueError:  # no base64, no ASCII, or no UTF-8 inside
        return ""


def principal(request: web.Request) -> Principal:
    """Return who asks. Raises `Unauthenticated` where nobody does."""
    who = request[PRINCIPAL]
    if who is None:
        raise Unauthenticated
    return who


async def project(request: web.Request, needed: Role = Role.NONE) -> Project:
    """Return the project the path names. Raises `NotFound` when it is hidden or missing, `Forbidden`.

    From a path where it lay once it leads on: raises `Refused` with GitLab's 301, or its 405 for what writes.
    """
    access = request.app[SERVICES].access
    try:
        found = await request.app[OFFLOAD].read(access.project, request[PRINCIPAL], request.match_info["id"], needed)
    except ProjectMoved as error:
        auditing.name(request, id=error.project.id)
        raise _elsewhere(request, error.project) from None
    auditing.name(request, id=found.id)
    return found


def _elsewhere(request: web.Request, found: Project) -> Refused:
    place = NAMED.sub(lambda start: f"{start[1]}{found.id}", request.rel_url.raw_path, count=1)
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    location = {"Location": f"{base_url(request)}{place}{query}"}
    if request.method in READING:
        return Refused(
            301, {"message": f"This resource has been moved permanently to {base_url(request)}{place}"}, location
        )
    # A client that followed it would send a GET; GitLab does not say where it lies.
    text = "Non GET methods are not allowed for moved projects"
    return Refused(405, {"message": text}, {**location, "Allow": "GET, HEAD"})
