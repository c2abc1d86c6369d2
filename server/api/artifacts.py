"""Job artifacts: https://docs.gitlab.com/api/job_artifacts/, and lists of an archive (see `docs/api-artifacts.md`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from aiohttp import web

from server import auditing, paging
from server.access import Endpoint, project
from server.api.jobs import job_id, present_job, readable
from server.api.shapes import ENTRY
from server.api.shapes import JOB as JOB_SHAPE
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES
from server.describing import FLAG, NUMBER, Value, accepts, gives, lists, one_of, removes, sends
from server.errors import Refused, json_answer
from server.media import named_type
from server.params import Check
from server.sending import send
from server.urls import API
from vault.artifact_types import ARCHIVE, FORMAT_OF
from vault.artifacts import check_access
from vault.errors import NotFound
from vault.models import Role

if TYPE_CHECKING:
    from vault.archive_listing import Listed
    from vault.models import Artifact, Job, Project

PROJECT = f"{API}/projects/{{id:[^/]+}}"
JOB = f"{PROJECT}/jobs/{{job_id:[^/]+}}"
REF = f"{PROJECT}/jobs/artifacts/{{ref_name:.+}}"


async def archive(request: web.Request) -> web.StreamResponse:
    """Send what a job left, whatever its state: the archive, or with `file_type` another of its files."""
    found = await readable(request)
    check = Check(dict(request.query))
    file_type = check.choice("file_type", tuple(FORMAT_OF), ARCHIVE) or ARCHIVE
    check.done()
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    job = await _job(request, found)
    artifact = await offload.read(services.artifacts.of_type, job, file_type)
    return await _send(request, found, artifact)


async def archive_of_ref(request: web.Request) -> web.StreamResponse:
    """Send the archive of a job of the newest successful pipeline of a branch or tag."""
    found = await readable(request)
    return await _send(request, found, await _of_ref(request, found))


async def entry(request: web.Request) -> web.StreamResponse:
    """Send one file out of a job's archive."""
    found = await readable(request)
    job = await _job(request, found)
    artifact = await request.app[OFFLOAD].read(request.app[SERVICES].artifacts.available, job)
    return await _send_entry(request, found, artifact)


async def entry_of_ref(request: web.Request) -> web.StreamResponse:
    """Send one file out of the archive of a job of the newest successful pipeline of a branch or tag."""
    found = await readable(request)
    return await _send_entry(request, found, await _of_ref(request, found))


async def tree(request: web.Request) -> web.Response:
    """List a folder of a job's archive: https://docs.gitlab.com/api/job_artifacts/."""
    found = await readable(request)
    page, check = paging.read_page(request), Check(dict(request.query))
    folder, recursive = check.text("path"), check.boolean("recursive")
    check.done()
    job = await _job(request, found)
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    artifact = await offload.read(services.artifacts.available, job)
    await _check_access(request, found, artifact)
    listed = await offload.call(services.artifacts.archives.listing, artifact, folder, recursive=recursive)
    rows = [present_listed(each) for each in listed[page.offset : page.offset + page.size]]
    return paging.answer(request, page, len(listed), rows)


def present_listed(listed: Listed) -> dict[str, Any]:
    """Return a file or folder of an archive; what only its own entry tells is null for a folder without one."""
    of_entry = None if listed.is_folder else listed.entry
    return {
        "name": listed.name,
        "path": listed.path,
        "type": "directory" if listed.is_folder else "file",
        "size": of_entry and of_entry.size,
        "mode": f"{listed.entry.mode:06o}" if listed.entry and listed.entry.mode else None,
        "crc32": of_entry and f"{of_entry.crc32:08x}",
    }


async def keep(request: web.Request) -> web.Response:
    """Let a job's artifacts never expire."""
    found = await project(request, Role.DEVELOPER)
    job = await _job(request, found)
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    await offload.call(services.artifacts.keep, job)
    return json_answer(await offload.read(present_job, request, job))


async def remove(request: web.Request) -> web.Response:
    """Delete what a job left."""
    found = await project(request, Role.MAINTAINER)
    job = await _job(request, found)
    await request.app[OFFLOAD].call(request.app[SERVICES].artifacts.remove, job)
    return web.Response(status=204)


async def remove_all(request: web.Request) -> web.Response:
    """Let all artifacts of a project expire that are not locked; they are removed soon. Two headers tell how many."""
    found = await project(request, Role.MAINTAINER)
    counts = await request.app[OFFLOAD].call(request.app[SERVICES].artifacts.expire_all, found.id)
    headers = {"X-Artifacts-Expired": str(counts.expired), "X-Artifacts-Locked": str(counts.locked)}
    return json_answer({"message": "202 Accepted"}, 202, headers)


async def _job(request: web.Request, found: Project) -> Job:
    number = job_id(request)
    try:
        return await request.app[OFFLOAD].read(request.app[SERVICES].pipelines.job, found.id, number)
    except NotFound as error:
        raise NotFound(reason=f"there is no job {number} in this project") from error


async def _of_ref(request: web.Request, found: Project) -> Artifact:
    """Return the archive that ref, job name and the parameters beyond GitLab's mean. Raises `NotFound`."""
    check = Check(dict(request.query))
    name = check.text("job", required=True, blank=False)
    recent, pipeline_id = check.boolean("search_recent_successful_pipelines"), check.integer("pipeline_id")
    check.done()
    services, ref = request.app[SERVICES], request.match_info["ref_name"]

    def work() -> Artifact:
        search = services.artifacts.search
        if pipeline_id is None:
            return search.newest(found.id, ref, name, recent=recent)[1]
        return search.of_pipeline(services.pipelines.get(found.id, pipeline_id), ref, name)[1]

    artifact = await request.app[OFFLOAD].read(work)
    auditing.name(request, detail=f"?job_id={artifact.job_id}")
    return artifact


async def _send(request: web.Request, found: Project, artifact: Artifact) -> web.StreamResponse:
    await _check_access(request, found, artifact)
    return await send(request, request.app[SERVICES].artifacts.content(artifact), artifact.filename)


async def _send_entry(request: web.Request, found: Project, artifact: Artifact) -> web.StreamResponse:
    await _check_access(request, found, artifact)
    path = entry_path(request)
    archives, name = request.app[SERVICES].artifacts.archives, path.rpartition("/")[2]
    content = await request.app[OFFLOAD].call(archives.entry, artifact, path)
    return await send(request, content, name, content_type=named_type(name))


async def _check_access(request: web.Request, found: Project, artifact: Artifact) -> None:
    role = await request.app[OFFLOAD].read(request.app[SERVICES].access.role, request[PRINCIPAL], found)
    check_access(artifact, role)


def entry_path(request: web.Request) -> str:
    """Return the path of an entry as the request names it; 400 when it is no text."""
    path = request.match_info["artifact_path"]
    try:
        # The path at hand holds what is not UTF-8 in its escaped form.
        unquote_to_bytes(request.raw_path.partition("?")[0]).decode("utf-8")
    except UnicodeDecodeError:
        path = "\0"
    if "\0" in path:
        raise Refused(400, {"message": "400 Bad request - the path has to be UTF-8 without NUL"})
    return path


OF_REF = (
    Value("job", about="name of the job", required=True),
    Value("search_recent_successful_pipelines", FLAG, "look into the last 100 successful pipelines"),
    Value("pipeline_id", NUMBER, "look into this pipeline, however it ended"),
)
BAD_ARCHIVE = {422: "the archive or the entry cannot be read; the message says why"}
ENDPOINTS = (
    Endpoint(
        "GET",
        f"{REF}/download",
        archive_of_ref,
        action="artifact.download",
        secret=True,
        anonymous=True,
        job_token=True,
        about=sends(*OF_REF),
    ),
    Endpoint(
        "GET",
        f"{REF}/raw/{{artifact_path:.+}}",
        entry_of_ref,
        action="artifact.download_entry",
        secret=True,
        anonymous=True,
        job_token=True,
        about=sends(*OF_REF, media="*/*").refusing(BAD_ARCHIVE),
    ),
    Endpoint(
        "GET",
        f"{JOB}/artifacts",
        archive,
        action="artifact.download",
        secret=True,
        anonymous=True,
        job_token=True,
        about=sends(Value("file_type", one_of(*FORMAT_OF), "another file that the job left")),
    ),
    Endpoint("DELETE", f"{JOB}/artifacts", remove, action="artifact.delete", about=removes()),
    Endpoint(
        "GET",
        f"{JOB}/artifacts/tree",
        tree,
        action="artifact.list_entries",
        anonymous=True,
        job_token=True,
        about=lists(ENTRY, Value("path", about="folder to list"), Value("recursive", FLAG)).refusing(BAD_ARCHIVE),
    ),
    Endpoint("POST", f"{JOB}/artifacts/keep", keep, action="artifact.keep", about=gives(JOB_SHAPE)),
    Endpoint(
        "GET",
        f"{JOB}/artifacts/{{artifact_path:.+}}",
        entry,
        action="artifact.download_entry",
        secret=True,
        anonymous=True,
        job_token=True,
        about=sends(media="*/*").refusing(BAD_ARCHIVE),
    ),
    Endpoint(
        "DELETE",
        f"{PROJECT}/artifacts",
        remove_all,
        action="artifact.delete_all",
        about=accepts("X-Artifacts-Expired", "X-Artifacts-Locked"),
    ),
)
