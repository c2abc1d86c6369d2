"""What leaves a line in the audit log: every write, every read of content, every refusal, and the first use of a token.

Each route has the name of its action in `ENDPOINTS`; the rest of a line is made here, from the request and the status.
The line is written before the answer's first byte leaves, also that of one that is streamed; where it cannot be, what
has to leave a line is refused with 503 (507 on a full disk).
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from server.app_keys import AUDITED, LOGINS, PRINCIPAL, REQUEST_ID, SERVICES
from server.errors import answer_to
from server.logs import redact
from server.urls import API
from vault import clock
from vault.audit.lines import Entry
from vault.audit.log import LEAST, MAKES_ROOM, ORDINARY
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from server.access import Endpoint
    from vault.models import Principal

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("secure_files.server")

REFUSALS = frozenset((401, 403, 404, 429))
# Nobody was told how it ended: the client was gone, or the server was ending.
UNANSWERED = 499
BROKEN_OFF = 500
ID_FIRST = re.compile(rb'\{"id":(\d+)[,}]')
PLACE = re.compile(r"\{(\w+):[^{}]*\}")
# What stands for a part of a path that is a secret itself.
HIDDEN = frozenset(("secret",))
LONGEST_TARGET = 1000
LOGINS_REMEMBERED = 2000
LOGIN_SECONDS = 24 * 3600.0


class Route:
    """What the log tells of the requests of one route."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.action = endpoint.action
        self.always = endpoint.secret or endpoint.method not in ("GET", "HEAD")
        self.leave = MAKES_ROOM if endpoint.method == "DELETE" else ORDINARY
        self.begin, *rest = PLACE.split(endpoint.path.removeprefix(API))
        self.places = tuple(zip(rest[::2], rest[1::2], strict=True))
        """The names of the path's parts, each with what stands behind it."""


class Audited:
    """What is known of a request for its line; `names` stand in the place of parts of its path."""

    __slots__ = ("broken_off", "detail", "names", "route", "token", "within", "written")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.names: dict[str, str] = {}
        self.within = self.detail = ""
        self.token: tuple[str | None, int | None] = (None, None)
        self.written = False
        self.broken_off = False

    def target(self, request: web.Request) -> str:
        """Return the path below the API, projects and groups by number, nothing secret in it."""
        values, names = request.match_info, self.names
        path = self.within + self.route.begin
        for name, literal in self.route.places:
            path += (names.get(name) or _quoted(name, values[name])) + literal
        return redact(path[:LONGEST_TARGET]) + self.detail


class Logins:
    """Which tokens were used from which address lately, so that each such first use becomes a line; bounded.

    Those in use stay known: each job has a token of its own, and would push out the others.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[object, object], float] = OrderedDict()

    def is_new(self, token: object, address: object) -> bool:
        """Say whether this is the first use for a day, as far as is remembered."""
        used = token, address
        seen = self._seen.get(used)
        if seen is None:
            return True
        self._seen.move_to_end(used)
        return self._clock() - seen >= LOGIN_SECONDS

    def remember(self, token: object, address: object) -> None:
        """Note a use that has its line."""
        self._seen[token, address] = self._clock()
        self._seen.move_to_end((token, address))
        if len(self._seen) > LOGINS_REMEMBERED:
            self._seen.popitem(last=False)


def begin(request: web.Request, route: Route) -> None:
    """Say which route a request is of."""
    request[AUDITED] = Audited(route)


def require(request: web.Request) -> None:
    """Raise `Unavailable` when a line that a change will need could not be written: before anything is done.

    What is only read is done when its line is written, which is before it leaves.
    """
    route = request[AUDITED].route
    if route.always and request.method not in ("GET", "HEAD"):
        request.app[SERVICES].audit.check(route.leave)


def name(request: web.Request, *, within: str = "", detail: str = "", **names: object) -> None:
    """Tell what parts of the path stand for, such as a project's number, and what the path does not tell: what it lies
    `within`, a `detail` behind it.
    """
    noted = request[AUDITED]
    for key, value in names.items():
        noted.names[key] = str(value)
    noted.within, noted.detail = within or noted.within, detail or noted.detail


def name_move(request: web.Request, before: str, after: str) -> None:
    """Tell where a project or a group lay and where it lies, unless that is the same path."""
    if before != after:
        name(request, detail=f"?from={before}&to={after}")


def broken_off(request: web.Request) -> None:
    """Note that an answer whose line is written ended before its end."""
    if (noted := request.get(AUDITED)) is not None:
        noted.broken_off = True


@web.middleware
async def audit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the request's line; a line that has to be and cannot be written makes the answer a refusal."""
    try:
        response = await handler(request)
    except BaseException:
        with suppress(Unavailable):
            _write(request, UNANSWERED)
        raise
    try:
        _write(request, response.status, response)
    except Unavailable as error:
        return answer_to(error) or web.Response(status=503)
    return response


def before_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Write the line of an answer that begins to be streamed. Raises `Unavailable`: then it may not."""
    _write(request, response.status)


def _write(request: web.Request, status: int, response: web.StreamResponse | None = None) -> None:
    noted = request.get(AUDITED)
    if noted is None:
        return
    if noted.written:
        if noted.broken_off:
            _record_aside(request, noted, f"{noted.route.action}.broken_off", BROKEN_OFF)
            noted.broken_off = False
        return
    noted.written = True
    who = request.get(PRINCIPAL)
    if who is not None and status < 400:
        _note_login(request, who)
    if noted.route.always and request.method != "HEAD":
        target = noted.target(request) + (_made(response) if status == 201 else "")
        entry = _entry(request, noted, who, noted.route.action, target, status)
        try:
            request.app[SERVICES].audit.record(entry, noted.route.leave)
        except Unavailable:
            if status < 400:  # else nothing was given or changed
                raise
    elif status in REFUSALS:
        _record_aside(request, noted, noted.route.action, status)


def _record_aside(request: web.Request, noted: Audited, action: str, status: int) -> None:
    """Write a line that changes nothing of the answer when it cannot be written: nothing is given away."""
    entry = _entry(request, noted, request.get(PRINCIPAL), action, noted.target(request), status)
    with suppress(Unavailable):
        request.app[SERVICES].audit.record(entry, LEAST)


def _note_login(request: web.Request, who: Principal) -> None:
    logins, token = request.app[LOGINS], _token(who)
    if not logins.is_new(token, request.remote):
        return
    entry = Entry(
        clock.now(),
        who.user.username,
        token,
        request.remote,
        "login",
        f"/users/{who.user.id}",
        200,
        request[REQUEST_ID],
    )
    with suppress(Unavailable):
        request.app[SERVICES].audit.record(entry, LEAST)
        logins.remember(token, request.remote)


def _entry(request: web.Request, noted: Audited, who: Principal | None, action: str, target: str, status: int) -> Entry:
    actor, token = noted.token if who is None else (who.user.username, _token(who))
    return Entry(clock.now(), actor, token, request.remote, action, target, status, request[REQUEST_ID])


def _token(who: Principal) -> int | str | None:
    return f"job:{who.job.id}" if who.job is not None else who.token_id


def _quoted(name: str, value: str) -> str:
    if name in HIDDEN:
        return "[FILTERED]"
    return value if value.isascii() and value.isalnum() else quote(value, safe="", errors="replace")


def _made(response: web.StreamResponse | None) -> str:
    """Return the id of what was made, as the answer tells it, as the end of its path."""
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return ""
    if found := ID_FIRST.match(response.body):  # as most answers have it
        return f"/{int(found[1])}"
    with suppress(ValueError):
        body = json.loads(response.body)
        if isinstance(body, dict) and isinstance(body.get("id"), int):
            return f"/{body['id']}"
    return ""
