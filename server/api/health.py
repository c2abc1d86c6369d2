"""Whether the server is there and able to work, and which version of GitLab's API it speaks."""

from __future__ import annotations

from aiohttp import web

from server.access import Endpoint
from server.api.shapes import HEALTH, METADATA, VERSION
from server.app_keys import DRAINING, OFFLOAD, SERVICES
from server.describing import PLAIN, TEXT, About, Answer, gives
from server.errors import json_answer
from server.urls import API, base_url
from server.version import GITLAB_VERSION, REVISION


async def health(request: web.Request) -> web.Response:
    """Say that the process answers, as GitLab's load balancer check does."""
    return web.Response(text="GitLab OK", content_type="text/plain")


async def liveness(request: web.Request) -> web.Response:
    """Say that the event loop turns."""
    return json_answer({"status": "ok"})


async def readiness(request: web.Request) -> web.Response:
    """Say whether requests can be served, and what is wrong when not: 200 or 503."""
    if request.app[DRAINING].is_set():
        problems = "the server is ending"
    else:
        problems = await request.app[OFFLOAD].call(request.app[SERVICES].problems)
    if problems:
        return json_answer({"status": "failed", "master_check": [{"status": "failed", "message": problems}]}, 503)
    return json_answer({"status": "ok", "master_check": [{"status": "ok"}]})


async def version(request: web.Request) -> web.Response:
    """Tell the version of the API spoken."""
    return json_answer({"version": GITLAB_VERSION, "revision": REVISION})


async def metadata(request: web.Request) -> web.Response:
    """Tell the version as GitLab's newer endpoint does: https://docs.gitlab.com/api/metadata/."""
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    body = {"version": GITLAB_VERSION, "revision": REVISION, "kas": kas, "enterprise": False}
    return json_answer({**body, "external_url": base_url(request)})


ENDPOINTS = (
    Endpoint("GET", "/-/health", health, open=True, about=About((Answer(200, "the process answers", TEXT, PLAIN),))),
    Endpoint("GET", "/-/liveness", liveness, open=True, about=gives(HEALTH)),
    Endpoint("GET", "/-/readiness", readiness, open=True, about=gives(HEALTH).also(Answer(503, "and why not", HEALTH))),
    Endpoint("GET", f"{API}/version", version, scopes=("read_api", "read_user"), about=gives(VERSION)),
    Endpoint("GET", f"{API}/metadata", metadata, scopes=("read_api", "read_user"), about=gives(METADATA)),
)
