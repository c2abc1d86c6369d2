"""OpenAPI 3.1 of the server, made from its routes and what they say of themselves.

`python -m server.api` prints it without a server.
"""

from __future__ import annotations

import re
from inspect import getdoc
from typing import TYPE_CHECKING, Any

from server.describing import FORM, JSON, MULTIPART, PLAIN, PROBLEM, TEXT, USUAL, Answer, Shape
from server.urls import API
from server.version import GITLAB_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from server.access import Endpoint
    from server.describing import About, Schema, Value

    Object = dict[str, Any]

READING = ("GET", "HEAD")
# `{name:pattern}` of a route; a pattern may hold braces.
PART = re.compile(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})*))?\}")
PARTS = {
    "id": "number or full path of the project or group, each `/` as `%2F`",
    "secure_file_id": "number of the secure file",
    "upload_id": "number of the upload",
    "secret": "secret of the upload, 32 hex digits",
    "filename": "name of the upload",
    "file_path": "path of the file, each `/` as `%2F`",
    "job_id": "number of the job",
    "pipeline_id": "number of the pipeline",
    "ref_name": "branch or tag; slashes may be written as they are",
    "artifact_path": "path inside the archive; slashes may be written as they are",
    "user_id": "number of the user",
    "token_id": "number of the token",
    "audit_event_id": "number of the event",
    "path": "full path of the project; slashes are written as they are",
    "oid": "SHA-256 of the object's content, in lower-case hex",
    "size": "how many bytes the object has",
}
SECURITY = {
    "privateToken": {"type": "apiKey", "in": "header", "name": "PRIVATE-TOKEN"},
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "a personal access token, or a job's where jobs may ask",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "a token as the password of any name"},
    "privateTokenInQuery": {"type": "apiKey", "in": "query", "name": "private_token"},
    "jobToken": {"type": "apiKey", "in": "header", "name": "JOB-TOKEN"},
    "jobTokenInQuery": {"type": "apiKey", "in": "query", "name": "job_token"},
}
OF_A_PROJECT = f"{API}/projects/{{id"
PERSONAL = ("privateToken", "bearer", "basic", "privateTokenInQuery")
OF_JOBS = ("jobToken", "jobTokenInQuery")
ABOUT = """\
GitLab's REST API v4, as far as secure files, Markdown uploads, repository files, job artifacts and their clients need
it. Fields of a body may come as JSON, as a form or as multipart, and in the query; the body's win. `null` is absent,
an unknown name is ignored."""


def described(endpoints: Iterable[Endpoint], base: str = "") -> Object:
    """Return the document of all endpoints that say something of themselves, for a server at the address `base`."""
    shapes: dict[str, Object] = {}
    paths: dict[str, Object] = {}
    for endpoint in endpoints:
        if endpoint.about is None or not endpoint.about.answers:
            continue
        place = paths.setdefault(PART.sub(r"{\1}", endpoint.path), {})
        for method in ("GET", "HEAD") if endpoint.method == "GET" else (endpoint.method,):
            place[method.lower()] = _plain(_operation(endpoint, endpoint.about, method), shapes)
    responses = _plain({str(status): _told(usual(status), bodiless=False) for status in USUAL}, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Secure Files Vault", "version": GITLAB_VERSION, "description": ABOUT},
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(shapes.items())), "responses": responses, "securitySchemes": SECURITY},
    }


def usual(status: int) -> Answer:
    """Return the answer with this status that routes of many kinds have."""
    return Answer(status, USUAL.get(status, ""), PROBLEM, headers=("Location",) if status in (301, 405) else ())


def statuses(endpoint: Endpoint, about: About, method: str) -> dict[int, Answer]:
    """Return every answer that the endpoint may give, in order: its own, and what all of its kind have."""
    found = {status: usual(status) for status in _usual(endpoint, about) - about.never}
    found.update((answer.status, answer) for answer in about.answers)
    if method == "HEAD":
        found = {status: answer for status, answer in found.items() if status not in (206, 416)}
    return dict(sorted(found.items()))


def _usual(endpoint: Endpoint, about: About) -> set[int]:
    writes = endpoint.method not in READING
    found: set[int] = set()
    if endpoint.path.startswith(OF_A_PROJECT):
        found.add(405 if writes else 301)
    if not endpoint.open:
        found |= {400, 401, 429, 500, 503}
        if not endpoint.any_scope:
            found.add(403)
        if PART.search(endpoint.path):
            found.add(404)
    if writes and (about.body or not (endpoint.streams or endpoint.open)):
        found |= {400, 408, 413, 415, 507}
    if writes or endpoint.secret:
        found |= {503, 507}  # whatever it is about, its line in the audit log may find no room
    return found


def _operation(endpoint: Endpoint, about: About, method: str) -> Object:
    handler = getattr(endpoint.handler, "func", endpoint.handler)
    name = re.sub(r"\W+", "_", PART.sub(r"\1", endpoint.path.removeprefix("/api/v4"))).strip("_")
    parameters = [*_parts(endpoint.path), *map(_in_query, about.query), *map(_in_header, about.headers)]
    operation: Object = {
        "operationId": f"{method.lower()}_{name}",
        "tags": [handler.__module__.rpartition(".")[2].replace("_", " ")],
        "summary": " ".join((getdoc(handler) or "").partition("\n\n")[0].split()),
        "parameters": [each for each in parameters if method == "GET" or each["name"] != "Range"],
        "responses": {
            str(answer.status): _response(answer, bodiless=method == "HEAD")
            for answer in statuses(endpoint, about, method).values()
        },
        "security": _security(endpoint, about),
    }
    if body := _body(about):
        operation["requestBody"] = body
    return operation


def _parts(path: str) -> list[Object]:
    found = []
    for name, pattern in PART.findall(path):
        schema = (
            {"type": "string", "pattern": "^[0-9]+$"} if pattern == "[0-9]+" else {"type": "string", "minLength": 1}
        )
        found.append({"name": name, "in": "path", "required": True, "description": PARTS[name], "schema": schema})
    return found


def _in_query(value: Value) -> Object:
    told: Object = {"name": value.name, "in": "query", "required": value.required, "schema": value.schema}
    return {**told, "description": value.about} if value.about else told


def _in_header(name: str) -> Object:
    return {"name": name, "in": "header", "schema": {"type": "string"}}


def _body(about: About) -> Object | None:
    if about.media:
        return {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in about.media}}
    if not about.body:
        return None
    fields: Object = {
        value.name: {**value.schema, "description": value.about}
        if value.about and isinstance(value.schema, dict)
        else value.schema
        for value in about.body
    }
    required = [value.name for value in about.body if value.required]
    schema: Object = {"type": "object", "properties": fields, **({"required": required} if required else {})}
    has_file = any(isinstance(each.schema, dict) and each.schema.get("format") == "binary" for each in about.body)
    media = (MULTIPART,) if has_file else (JSON, FORM, MULTIPART)
    return {"required": bool(required), "content": {each: {"schema": schema} for each in media}}


def _response(answer: Answer, *, bodiless: bool) -> Object:
    if not bodiless and answer == usual(answer.status):
        return {"$ref": f"#/components/responses/{answer.status}"}
    return _told(answer, bodiless=bodiless)


def _told(answer: Answer, *, bodiless: bool) -> Object:
    told: Object = {"description": answer.about}
    if answer.headers:
        told["headers"] = {name: {"schema": TEXT} for name in answer.headers}
    if answer.schema is not None and not bodiless:
        told["content"] = {answer.media: {"schema": answer.schema}}
        if answer.status == 429:
            # What is over the limit of requests is refused in GitLab's words, which are no JSON.
            told["content"][PLAIN] = {"schema": TEXT}
    return told


def _security(endpoint: Endpoint, about: About) -> list[Object]:
    if about.security is not None:
        names: tuple[str, ...] = about.security
    elif endpoint.open:
        names = ()
    else:
        names = (*PERSONAL, *(OF_JOBS if endpoint.job_token else ()))
    nobody: list[Object] = [{}] if endpoint.anonymous and endpoint.method in READING else []
    return [*nobody, *({name: []} for name in names)]


def _plain(value: Any, shapes: dict[str, Object]) -> Any:
    """Return the value with each shape replaced by a reference, and have the shape among the document's."""
    if isinstance(value, Shape):
        if value.name not in shapes:
            shapes[value.name] = {}  # it may hold itself
            shapes[value.name] = _object(value, shapes)
        return {"$ref": f"#/components/schemas/{value.name}"}
    if isinstance(value, dict):
        return {key: _plain(each, shapes) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each, shapes) for each in value]
    return value


def _object(shape: Shape, shapes: dict[str, Object]) -> Object:
    fields: Mapping[str, Schema] = {**shape.fields, **(shape.optional or {})}
    return {
        "type": "object",
        "properties": _plain(dict(fields), shapes),
        "required": list(shape.fields),
        "additionalProperties": False,
    }
