"""What is to be known of a project's secure files as one set: see `docs/doctor.md`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from server.access import Endpoint, project
from server.api.secure_files import COLLECTION
from server.api.shapes import FINDING
from server.app_keys import OFFLOAD, SERVICES
from server.describing import gives, many
from server.errors import json_answer
from vault.models import Role

if TYPE_CHECKING:
    from aiohttp import web


async def health(request: web.Request) -> web.Response:
    """List the findings, the most severe first."""
    found = await project(request, Role.DEVELOPER)
    findings = await request.app[OFFLOAD].call(request.app[SERVICES].secure_files.examine, found.id)
    return json_answer([asdict(finding) for finding in findings])


ENDPOINTS = (
    Endpoint(
        "GET", f"{COLLECTION}/health", health, action="secure_file.health", job_token=True, about=gives(many(FINDING))
    ),
)
