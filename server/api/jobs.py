"""Pipelines and jobs: GitLab's reading endpoints, and ours that register them (see `docs/api.md`)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from server import forms, paging
from server.access import Endpoint, principal, project
from server.api.shapes import JOB, NEW_JOB, PIPELINE, STATUS
from server.api.users import present as present_user
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES
from server.describing import NUMBER, Value, gives, lists, many, maybe
from server.errors import BadRequest, json_answer
from server.params import Check
from server.urls import API, base_url
from vault import clock
from vault.access import parse_id
from vault.artifact_types import ARCHIVE, TRACE
from vault.errors import Forbidden, NotFound, Unauthenticated
from vault.models import Job, Pipeline, Role
from vault.pipelines import STATUSES

if TYPE_CHECKING:
    from aiohttp import web

    from vault.models import Project


def present_pipeline(request: web.Request, found: Project, pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline in GitLab's fields."""
    return {
        "id": pipeline.id,
        "iid": pipeline.id,
        "project_id": pipeline.project_id,
        "sha": pipeline.sha or None,
        "ref": pipeline.ref,
        "status": pipeline.status,
        "source": "api" if pipeline.parent_id is None else "parent_pipeline",
        "created_at": pipeline.created_at,
        "updated_at": pipeline.updated_at,
        "web_url": f"{base_url(request)}/{found.full_path}/-/pipelines/{pipeline.id}",
    }


def present_job(request: web.Request, job: Job) -> dict[str, Any]:
    """Return a job in GitLab's fields; blocking, as it looks up what belongs to the job."""
    services = request.app[SERVICES]
    found = services.projects.get(job.project_id)
    pipeline = services.pipelines.get(job.project_id, job.pipeline_id)
    user = services.people.get(job.user_id)
    return {
        "id": job.id,
        "status": job.status,
        "stage": job.stage,
        "name": job.name,
        "ref": job.ref,
        "tag": False,
        "coverage": None,
        "allow_failure": False,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "duration": _duration(job),
        "queued_duration": None,
        "failure_reason": job.failure_reason,
        "user": present_user(request, user),
        "commit": None,
        "pipeline": present_pipeline(request, found, pipeline),
        "web_url": f"{base_url(request)}/{found.full_path}/-/jobs/{job.id}",
        "project": {"ci_job_token_scope_enabled": True},
        **_left_by(request, job),
        "runner": None,
        "tag_list": [],
    }


def _left_by(request: web.Request, job: Job) -> dict[str, Any]:
    """Return the fields that tell what the job left; `artifacts_file` is there while its archive is to be had."""
    artifacts = request.app[SERVICES].artifacts.of_job(job.id)
    archive = next((each for each in artifacts if each.file_type == ARCHIVE), None)
    left = archive or next((each for each in artifacts if each.file_type != TRACE), None)
    fields: dict[str, Any] = {
        "artifacts": [
            {"file_type": each.file_type, "size": each.size, "filename": each.filename, "file_format": each.file_format}
            for each in artifacts
        ],
        "artifacts_expire_at": None if left is None else left.expires_at,
    }
    if archive is not None and archive.is_available(clock.now()):
        fields["artifacts_file"] = {"filename": archive.filename, "size": archive.size}
    return fields


def _duration(job: Job) -> float | None:
    """Return how many seconds the job ran, None while it does."""
    if job.started_at is None or job.finished_at is None:
        return None
    return (datetime.fromisoformat(job.finished_at) - datetime.fromisoformat(job.started_at)).total_seconds()


async def readable(request: web.Request) -> Project:
    """Return the project of the path to who may see its jobs: all who see the project, or reporters and up.

    Which of these is the project's setting `public_jobs`. Raises `NotFound`, `Forbidden`.
    """
    found = await project(request)
    if not found.settings.get("public_jobs", True):
        role = await request.app[OFFLOAD].read(request.app[SERVICES].access.role, request[PRINCIPAL], found)
        if role < Role.REPORTER:
            raise Forbidden
    return found


def job_id(request: web.Request) -> int:
    """Return the job's id from the path. Raises `BadRequest`, `NotFound` for what cannot be one."""
    return _number(request, "job_id")


async def create_pipeline(request: web.Request) -> web.Response:
    """Register a pipeline; without `status` it follows its jobs."""
    found = await project(request, Role.DEVELOPER)
    check = Check(await forms.read(request))
    ref, sha = check.text("ref", required=True, blank=False), check.text("sha")
    parent_id, status = check.integer("parent_id"), check.choice("status", STATUSES)
    check.done()
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    made = await offload.call(
        services.pipelines.create, principal(request), found.id, ref, sha, parent_id=parent_id, status=status
    )
    return json_answer(present_pipeline(request, found, made), 201)


async def pipelines(request: web.Request) -> web.Response:
    """List a project's pipelines, newest first."""
    found = await project(request, Role.GUEST)
    page = paging.read_page(request)
    listing = await request.app[OFFLOAD].read(request.app[SERVICES].pipelines.of_project, found.id, page)
    body = [present_pipeline(request, found, each) for each in listing.rows]
    return paging.answer(request, page, listing.total, body)


async def show_pipeline(request: web.Request) -> web.Response:
    """Tell of one pipeline."""
    found = await project(request, Role.GUEST)
    number = _number(request, "pipeline_id")
    pipeline = await request.app[OFFLOAD].read(request.app[SERVICES].pipelines.get, found.id, number)
    return json_answer(present_pipeline(request, found, pipeline))


async def create_job(request: web.Request) -> web.Response:
    """Register a job; the answer holds its token, which acts as the caller while the job runs."""
    found = await project(request, Role.DEVELOPER)
    check = Check(await forms.read(request))
    name, ref = check.text("name", required=True, blank=False), check.text("ref", required=True, blank=False)
    status, pipeline_id = check.choice("status", STATUSES), check.integer("pipeline_id")
    stage = check.text("stage", "test")
    check.done()
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    job, token = await offload.call(
        services.pipelines.create_job,
        principal(request),
        found.id,
        name,
        ref,
        status=status,
        pipeline_id=pipeline_id,
        stage=stage,
    )
    body = await offload.read(present_job, request, job)
    return json_answer({**body, "token": token}, 201)


async def index(request: web.Request) -> web.Response:
    """List a project's jobs, newest first; `scope[]` takes statuses."""
    found = await readable(request)
    page = paging.read_page(request)
    check = Check(forms.query(request))
    scope = check.words("scope")
    if any(status not in STATUSES for status in scope):
        check.refuse("scope", "does not have a valid value")
    check.done()

    def work() -> tuple[list[dict[str, Any]], int]:
        listing = request.app[SERVICES].pipelines.jobs(found.id, page, scope)
        return [present_job(request, job) for job in listing.rows], listing.total

    body, total = await request.app[OFFLOAD].read(work)
    return paging.answer(request, page, total, body)


async def show(request: web.Request) -> web.Response:
    """Tell of one job."""
    found = await readable(request)
    number = job_id(request)
    job = await request.app[OFFLOAD].read(request.app[SERVICES].pipelines.job, found.id, number)
    return json_answer(await request.app[OFFLOAD].read(present_job, request, job))


async def current(request: web.Request) -> web.Response:
    """Tell a running job of itself, by its token: https://docs.gitlab.com/api/jobs/#get-job-tokens-job."""
    job = principal(request).job
    if job is None:
        raise Unauthenticated
    return json_answer(await request.app[OFFLOAD].read(present_job, request, job))


def _number(request: web.Request, part: str) -> int:
    text = request.match_info[part]
    number = parse_id(text)
    if number is None:
        if not text.isdigit():
            raise BadRequest(f"{part} is invalid")
        raise NotFound
    return number


PROJECT = f"{API}/projects/{{id:[^/]+}}"
OF_BOTH = (Value("ref", about="branch or tag", required=True), Value("status", maybe(STATUS)))
NEW_PIPELINE = (*OF_BOTH, Value("sha"), Value("parent_id", maybe(NUMBER), "the pipeline it is a child of"))
REGISTERED = (
    *OF_BOTH,
    Value("name", required=True),
    Value("stage", about="`test` unless given"),
    Value("pipeline_id", maybe(NUMBER), "a new one unless given"),
)
ENDPOINTS = (
    Endpoint("GET", f"{PROJECT}/pipelines", pipelines, action="pipeline.list", about=lists(PIPELINE)),
    Endpoint(
        "POST",
        f"{PROJECT}/pipelines",
        create_pipeline,
        action="pipeline.create",
        about=gives(PIPELINE, status=201).taking(*NEW_PIPELINE),
    ),
    Endpoint(
        "GET",
        f"{PROJECT}/pipelines/{{pipeline_id:[^/]+}}",
        show_pipeline,
        action="pipeline.show",
        about=gives(PIPELINE),
    ),
    Endpoint("GET", f"{PROJECT}/jobs", index, action="job.list", about=lists(JOB, Value("scope[]", many(STATUS)))),
    Endpoint(
        "POST", f"{PROJECT}/jobs", create_job, action="job.create", about=gives(NEW_JOB, status=201).taking(*REGISTERED)
    ),
    Endpoint("GET", f"{PROJECT}/jobs/{{job_id:[^/]+}}", show, action="job.show", about=gives(JOB)),
    Endpoint("GET", f"{API}/job", current, action="job.show_own", job_token=True, about=gives(JOB)),
)
