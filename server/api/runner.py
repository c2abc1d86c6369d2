"""The runner's side of a job: it sends what the job left, fetches what other jobs left, and says how the job ended.

The job's own token is the login. Whatever is wrong with it is 403: a runner takes a 404 for a fault on the way and
tries again, and a 403 for the end of its job. What it sends is `network/gitlab.go` of GitLab Runner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from server import auditing, forms
from server.access import Endpoint, count_job_request, count_request, count_wrong_token
from server.api.jobs import present_job
from server.api.shapes import ARTIFACT
from server.api.shapes import JOB as JOB_SHAPE
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES, SETTINGS
from server.describing import FILE, FLAG, PROBLEM, USUAL, About, Answer, Value, gives, one_of, sends
from server.errors import BadRequest, Refused, json_answer
from server.params import Check
from server.sending import send
from server.streams import received
from server.urls import API
from vault.access import parse_id
from vault.artifact_types import ARCHIVE, FORMAT_OF, FORMATS
from vault.artifacts import ACCESS_LEVELS, Label, check_access
from vault.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from vault.filenames import safe_name
from vault.models import Role

if TYPE_CHECKING:
    from aiohttp import web

    from server.forms import Values
    from vault.models import Artifact, Job, Principal
    from vault.storage import BlobWriter

JOB = f"{API}/jobs/{{job_id:[^/]+}}"
REPORTED = ("running", "success", "failed")
DEFAULTS = Label()


async def authorize(request: web.Request) -> web.Response:
    """Refuse what GitLab's own front server asks its application; there is none here."""
    raise Forbidden


async def upload(request: web.Request) -> web.Response:
    """Take in what a running job left; it is sealed as it comes, and its length need not be known."""
    services, limit = request.app[SERVICES], request.app[SETTINGS].artifact_bytes
    sender: Job | None = None
    if _token(request, forms.query(request)) is not None:
        sender = await _running_job(request, forms.query(request))

    async def begin(values: Values, filename: str) -> BlobWriter:
        nonlocal sender
        sender = sender or await _running_job(request, values)
        services.artifacts.end(_label(values))  # one that is refused is refused before its bytes are read
        safe_name(filename)
        return services.artifacts.writer(sender.project_id)

    try:
        async with received(request, limit, begin, _job_id(request)) as form:
            assert sender is not None
            name = safe_name(form.filename)
            kept = await request.app[OFFLOAD].to_end(
                services.artifacts.add, sender, _label(form.values), name, form.writer
            )
    except (Conflict, Invalid) as error:
        # In a plain sentence: a runner shows it in the job's log.
        raise Refused(400, {"message": _sentence(error)}) from error
    except (BadRequest, NotFound) as error:
        if sender is None or isinstance(error, NotFound):
            raise Forbidden from error
        raise
    return json_answer({"message": "201 Created", **present(kept)}, 201)


def present(artifact: Artifact) -> dict[str, object]:
    """Return what a runner is told of an artifact it sent."""
    return {
        "file_type": artifact.file_type,
        "file_format": artifact.file_format,
        "filename": artifact.filename,
        "size": artifact.size,
        "sha256": artifact.checksum,
        "expire_at": artifact.expires_at,
    }


async def download(request: web.Request) -> web.StreamResponse:
    """Send the archive of a job to another that runs; `direct_download` is heard and nobody is sent elsewhere."""
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    token = _token(request, forms.query(request)) or ""

    def work(caller: Principal) -> Artifact:
        try:
            job = services.pipelines.any_job(_job_id(request))
            found = services.access.project(caller, str(job.project_id))
        except NotFound as error:
            raise Forbidden from error
        auditing.name(request, within=f"/projects/{found.id}")
        role = services.access.role(caller, found)
        if role < Role.REPORTER and not found.settings.get("public_jobs", True):
            raise Forbidden
        artifact = services.artifacts.of_type(job, ARCHIVE)
        if caller.job is None or caller.job.project_id != job.project_id:
            check_access(artifact, role)
        return artifact

    try:
        caller = await offload.read(services.tokens.job, token)
    except Unauthenticated:
        count_wrong_token(request)
        raise
    request[PRINCIPAL] = caller
    count_request(request, caller)
    artifact = await offload.read(work, caller)
    return await send(request, services.artifacts.content(artifact), artifact.filename)


async def report(request: web.Request) -> web.Response:
    """Take the state that a runner tells; `running`, or none, says only that the job lives. The token ends with it."""
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    values = await forms.read(request)
    job = await _running_job(request, values)
    check = Check(values)
    state, reason = check.choice("state", REPORTED), check.maybe_text("failure_reason")
    check.done()
    if state is not None and state != job.status:
        job = await offload.call(services.pipelines.set_status, job, state, reason if state == "failed" else None)
    answer = json_answer(await offload.read(present_job, request, job))
    answer.headers["Job-Status"] = job.status
    return answer


def _label(values: Values) -> Label:
    """Return what the parameters say of an artifact; an empty one is not there. Raises `BadRequest`."""
    check = Check({name: value for name, value in values.items() if value != ""})
    label = Label(
        file_type=check.choice("artifact_type", tuple(FORMAT_OF), DEFAULTS.file_type) or DEFAULTS.file_type,
        file_format=check.choice("artifact_format", FORMATS, DEFAULTS.file_format) or DEFAULTS.file_format,
        access=check.choice("accessibility", ACCESS_LEVELS, DEFAULTS.access) or DEFAULTS.access,
        expire_in=check.text("expire_in"),
    )
    check.done()
    return label


def _sentence(error: Conflict | Invalid) -> str:
    if isinstance(error, Conflict):
        return str(error)
    # A problem that is a sentence of its own needs no field in front.
    return ", ".join(text if text[0].isupper() else f"{field} {text}" for field, text in error.problems.items())


async def _running_job(request: web.Request, values: Values) -> Job:
    """Return the job of the path when the token at hand is its own and it runs. Raises `Forbidden`, `Refused`."""
    secret = _token(request, values)
    if secret is None:
        raise Forbidden
    try:
        job = await request.app[OFFLOAD].read(request.app[SERVICES].pipelines.of_runner, _job_id(request), secret)
    except Forbidden:
        count_wrong_token(request)
        raise
    auditing.name(request, within=f"/projects/{job.project_id}")
    count_job_request(request, job)
    if job.status != "running":
        raise Refused(403, {"message": "403 Forbidden - Job is not running"}, {"Job-Status": job.status})
    try:
        request[PRINCIPAL] = await request.app[OFFLOAD].read(request.app[SERVICES].tokens.of_job, job)
    except Unauthenticated:
        raise Forbidden from None
    return job


def _token(request: web.Request, values: Values) -> str | None:
    for secret in (request.headers.get("JOB-TOKEN"), values.get("token"), values.get("job_token")):
        if isinstance(secret, str) and secret.strip():
            return secret.strip()
    return None


def _job_id(request: web.Request) -> int:
    number = parse_id(request.match_info["job_id"])
    if number is None:
        raise Forbidden
    return number


ITS_OWN = ("jobToken", "jobTokenInQuery")
WRONG = {
    403: "no token, or not that of this job, or the job does not run: Job-Status says what it does",
    500: USUAL[500],
    503: USUAL[503],
}
SENT = (
    Value("file", FILE, "what the job left", required=True),
    Value("artifact_type", one_of(*FORMAT_OF), f"{DEFAULTS.file_type} unless given"),
    Value("artifact_format", one_of(*FORMATS), f"{DEFAULTS.file_format} unless given"),
    Value("expire_in", about="a duration such as `3 weeks and 2 days`, or `never`"),
    Value("accessibility", one_of(*ACCESS_LEVELS), f"{DEFAULTS.access} unless given"),
    Value("token", about="the job's token, where it is in no header"),
)
STATE = (
    Value("token", about="the job's token, where it is in no header"),
    Value("state", one_of(*REPORTED)),
    Value("failure_reason", about="kept when the state is `failed`"),
)
GUESSED = {429: USUAL[429]}
ENDPOINTS = (
    Endpoint(
        "POST",
        f"{JOB}/artifacts/authorize",
        authorize,
        action="artifact.authorize",
        open=True,
        about=About((Answer(403, "always", PROBLEM),)).by(*ITS_OWN),
    ),
    Endpoint(
        "POST",
        f"{JOB}/artifacts",
        upload,
        action="artifact.upload",
        open=True,
        about=gives(ARTIFACT, status=201).taking(*SENT).refusing(WRONG | GUESSED).by(*ITS_OWN),
    ),
    Endpoint(
        "GET",
        f"{JOB}/artifacts",
        download,
        action="artifact.download",
        secret=True,
        open=True,
        about=sends(Value("direct_download", FLAG, "nobody is sent elsewhere"))
        .refusing({**WRONG, **GUESSED, 401: "the token is of no running job", 404: "the job left no archive"})
        .by(*ITS_OWN),
    ),
    Endpoint(
        "PUT",
        JOB,
        report,
        action="job.report",
        open=True,
        about=gives(JOB_SHAPE, headers=("Job-Status",)).taking(*STATE).refusing(WRONG | GUESSED).by(*ITS_OWN),
    ),
)
