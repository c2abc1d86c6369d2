"""What else a project has: findings about its signing set, jobs with what they left, uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.access import Endpoint, project
from server.api import artifacts as artifacts_api
from server.api import uploads as uploads_api
from server.api.audit_events import catch_up, wanted_of_project
from server.api.jobs import job_id, readable
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES
from server.web.files import PROJECT
from server.web.rendering import in_project
from vault.artifacts import check_access
from vault.errors import NotFound
from vault.models import Page, Role

if TYPE_CHECKING:
    from aiohttp import web

    from server.wiring import Services
    from vault.archive_listing import Listed
    from vault.models import Artifact, Job, Principal, Project, Upload

JOB = PROJECT + "/jobs/{job_id:[0-9]+}"
SHOWN, LISTED = 50, 2000


async def findings(request: web.Request) -> web.Response:
    """Show what is to be known of the signing set as a whole."""
    found = await project(request, Role.DEVELOPER)
    rows = await request.app[OFFLOAD].call(request.app[SERVICES].secure_files.examine, found.id)
    return await in_project(request, "findings.html", found, findings=rows, tab="findings")


async def jobs(request: web.Request) -> web.Response:
    """Show the newest jobs and what each left."""
    found = await readable(request)

    def gather(services: Services) -> list[tuple[Job, Artifact | None]]:
        rows = services.pipelines.jobs(found.id, Page(1, SHOWN)).rows
        return [(job, _archive(services.artifacts.of_job(job.id))) for job in rows]

    rows = await request.app[OFFLOAD].call(gather, request.app[SERVICES])
    return await in_project(request, "jobs.html", found, jobs=rows, tab="jobs")


def _archive(artifacts: list[Artifact]) -> Artifact | None:
    """Return what of a job's artifacts can be browsed, None when it left no such thing."""
    return next((artifact for artifact in artifacts if artifact.file_type == "archive"), None)


async def browse(request: web.Request) -> web.Response:
    """Show a folder of a job's archive."""
    found, number, folder = await readable(request), job_id(request), request.query.get("path", "").strip("/")

    def gather(services: Services, who: Principal | None) -> tuple[Job, Artifact, list[Listed]]:
        job = services.pipelines.job(found.id, number)
        artifact = services.artifacts.available(job)
        check_access(artifact, services.access.role(who, found))
        return job, artifact, services.artifacts.archives.listing(artifact, folder, recursive=False)

    job, artifact, rows = await request.app[OFFLOAD].call(gather, request.app[SERVICES], request[PRINCIPAL])
    return await in_project(
        request,
        "browse.html",
        found,
        job=job,
        artifact=artifact,
        rows=rows[:LISTED],
        left_out=max(0, len(rows) - LISTED),
        trail=_trail(folder),
        tab="jobs",
    )


def _trail(folder: str) -> list[tuple[str, str]]:
    """Return the folders on the way: the name of each and its path."""
    parts = [part for part in folder.split("/") if part]
    return [(part, "/".join(parts[: number + 1])) for number, part in enumerate(parts)]


async def uploads(request: web.Request) -> web.Response:
    """Show the newest uploads; their secrets are not known to anybody here."""
    found: Project = await project(request, Role.MAINTAINER)
    listing = await request.app[OFFLOAD].read(request.app[SERVICES].uploads.page, found.id, Page(1, SHOWN))
    rows: list[Upload] = listing.rows
    return await in_project(request, "uploads.html", found, uploads=rows, total=listing.total, tab="uploads")


async def activity(request: web.Request) -> web.Response:
    """Show who did what in the project, newest first; developers see what they did themselves."""
    found, wanted = await project(request, Role.DEVELOPER), await wanted_of_project(request)
    await catch_up(request)
    page = Page(1, SHOWN)
    listing = await request.app[OFFLOAD].call(request.app[SERVICES].audit.catalog.page, wanted, page)
    return await in_project(request, "activity.html", found, events=listing.rows, total=listing.total, tab="activity")


async def elsewhere(_: web.Request) -> web.Response:
    """Say that there is no such page, as a page."""
    raise NotFound


ENDPOINTS = (
    Endpoint("GET", f"{PROJECT}/findings", findings, action="secure_file.health"),
    Endpoint("GET", f"{PROJECT}/jobs", jobs, action="job.list"),
    Endpoint("GET", f"{JOB}/browse", browse, action="artifact.list_entries"),
    Endpoint("GET", f"{JOB}/archive", artifacts_api.archive, action="artifact.download", secret=True),
    Endpoint(
        "GET", f"{JOB}/raw/{{artifact_path:.+}}", artifacts_api.entry, action="artifact.download_entry", secret=True
    ),
    Endpoint("GET", f"{PROJECT}/uploads", uploads, action="upload.list"),
    Endpoint(
        "GET", f"{PROJECT}/uploads/{{upload_id:[0-9]+}}", uploads_api.by_id, action="upload.download", secret=True
    ),
    Endpoint("GET", f"{PROJECT}/activity", activity, action="audit_event.list"),
    Endpoint("GET", "/-/projects{rest:.*}", elsewhere, action="web.elsewhere"),
)
