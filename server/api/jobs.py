"""Pipelines and jobs: GitLab's reading endpoints, and ours that register them (see `docs/api.md`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server import forms, paging
from server.access import Endpoint, principal, project
from server.api.users import present as present_user
from server.app_keys import OFFLOAD, SERVICES
from server.errors import BadRequest, json_answer
from server.params import Check
from server.urls import API, base_url
from vault.access import parse_id
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
        "duration": None,
        "queued_duration": None,
        "failure_reason": job.failure_reason,
        "user": present_user(request, user),
        "commit": None,
        "pipeline": present_pipeline(request, found, pipeline),
        "web_url": f"{base_url(request)}/{found.full_path}/-/jobs/{job.id}",
        "project": {"ci_job_token_scope_enabled": True},
        "artifacts": [],
        "artifacts_expire_at": None,
        "runner": None,
        "tag_list": [],
    }


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
    found = await project(request, Role.GUEST)
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
    found = await project(request, Role.GUEST)
    number = _number(request, "job_id")
    job = await request.app[OFFLOAD].read(request.app[SERVICES].pipelines.job, found.id, number)
    return json_answer(await request.app[OFFLOAD].read(present_job, request, job))


async def report(request: web.Request) -> web.Response:
    """Take the state that a job's runner reports; the job's own token is the login, and ends with the job."""
    job = principal(request).job
    if job is None or job.id != _number(request, "job_id"):
        raise Forbidden
    check = Check(await forms.read(request))
    state, reason = check.choice("state", REPORTED), check.maybe_text("failure_reason")
    check.done()
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    if state is not None:
        job = await offload.call(services.pipelines.set_status, job, state, reason if state == "failed" else None)
    return json_answer(await offload.read(present_job, request, job))


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


# What a runner tells of a job: https://docs.gitlab.com/runner/ sends no other states.
REPORTED = ("running", "success", "failed")
PROJECT = f"{API}/projects/{{id:[^/]+}}"
ENDPOINTS = (
    Endpoint("GET", f"{PROJECT}/pipelines", pipelines),
    Endpoint("POST", f"{PROJECT}/pipelines", create_pipeline),
    Endpoint("GET", f"{PROJECT}/pipelines/{{pipeline_id:[^/]+}}", show_pipeline),
    Endpoint("GET", f"{PROJECT}/jobs", index),
    Endpoint("POST", f"{PROJECT}/jobs", create_job),
    Endpoint("GET", f"{PROJECT}/jobs/{{job_id:[^/]+}}", show),
    Endpoint("GET", f"{API}/job", current, job_token=True),
    Endpoint("PUT", f"{API}/jobs/{{job_id:[^/]+}}", report, job_token=True),
)
