"""Whether the server is there and able to work, and which version of GitLab's API it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from server.access import Endpoint
from server.api.shapes import HEALTH, METADATA, VERSION
from server.app_keys import DRAINING, READINESS
from server.describing import PLAIN, TEXT, About, Answer, gives
from server.errors import json_answer
from server.urls import API, base_url
from server.version import GITLAB_VERSION, REVISION

if TYPE_CHECKING:
    from collections.abc import Mapping


async def health(request: web.Request) -> web.Response:
    """Say that the process answers, as GitLab's load balancer check does."""
    return web.Response(text="GitLab OK", content_type="text/plain")


async def liveness(request: web.Request) -> web.Response:
    """Say that the event loop turns."""
    return json_answer({"status": "ok"})


async def readiness(request: web.Request) -> web.Response:
    """Say whether requests can be served, check by check, and what is wrong when not: 200 or 503."""
    if request.app[DRAINING].is_set():
        return _ready({}, "the server is ending")
    found = await request.app[READINESS].problems()
    return _ready(found, "; ".join(filter(None, found.values())))


def _ready(found: Mapping[str, str], wrong: str) -> web.Response:
    body = {"status": "failed" if wrong else "ok", "master_check": [_told(wrong)]}
    checks = {f"{name}_check": [_told(text)] for name, text in found.items()}
    return json_answer({**body, **checks}, 503 if wrong else 200)


def _told(problem: str) -> dict[str, str]:
    return {"status": "failed", "message": problem} if problem else {"status": "ok"}


async def version(request: web.Request) -> web.Response:
    """Tell the version of the API spoken."""
    return json_answer({"version": GITLAB_VERSION, "revision": REVISION})


async def metadata(request: web.Request) -> web.Response:
    """Tell the version as GitLab's newer endpoint does: https://docs.gitlab.com/api/metadata/."""
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    body = {"version": GITLAB_VERSION, "revision": REVISION, "kas": kas, "enterprise": False}
    return json_answer({**body, "external_url": base_url(request)})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/-/health",
        health,
        action="server.health",
        open=True,
        about=About((Answer(200, "the process answers", TEXT, PLAIN),)),
    ),
    Endpoint("GET", "/-/liveness", liveness, action="server.liveness", open=True, about=gives(HEALTH)),
    Endpoint(
        "GET",
        "/-/readiness",
        readiness,
        action="server.readiness",
        open=True,
        about=gives(HEALTH).also(Answer(503, "and why not", HEALTH)),
    ),
    Endpoint(
        "GET",
        f"{API}/version",
        version,
        action="server.version",
        scopes=("read_api", "read_user"),
        about=gives(VERSION),
    ),
    Endpoint(
        "GET",
        f"{API}/metadata",
        metadata,
        action="server.metadata",
        scopes=("read_api", "read_user"),
        about=gives(METADATA),
    ),
)
