"""Requests that schemathesis makes of the description of the API: whatever comes back is as the description says.

Many more of them: SCHEMATHESIS_EXAMPLES=100 pytest tests/server/test_schemathesis.py
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi import checks as openapi

from tests.conforming import document
from tests.harness import ROOT_TOKEN
from tests.server.reaching import Scene

if TYPE_CHECKING:
    from schemathesis import Case
    from schemathesis.hooks import HookContext

    from tests.harness import RunningVault

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "2"))
CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
    openapi.response_headers_conformance,
]
# What would take away that which the other requests need.
TAKES_AWAY = {("DELETE", "id"), ("DELETE", "token_id"), ("DELETE", "user_id")}
SCHEMA = schemathesis.openapi.from_dict(document())
KNOWN: dict[str, str] = {}


@schemathesis.serializer("application/x-git-upload-pack-request", "application/x-git-receive-pack-request")
def as_bytes(context: Any, value: Any) -> bytes:
    """Return what git would say as a body; what it means is git's own business."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@SCHEMA.hook
def map_path_parameters(context: HookContext, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Have two of three requests be about something that is there."""
    method = context.operation.method.upper()
    for name, value in (path_parameters or {}).items():
        assert path_parameters is not None
        is_last = context.operation.path.endswith(f"{{{name}}}")
        if is_last and (method, name) in TAKES_AWAY:
            path_parameters[name] = f"99{value}"
        elif name in KNOWN and len(str(value)) % 3:
            path_parameters[name] = KNOWN[name]
    return path_parameters


@pytest.fixture(scope="module")
def scene(vault: RunningVault) -> Scene:
    """A project with something of everything, whose names and numbers go into paths."""
    made = Scene(vault)
    file = made.root.upload(made.project["id"], "file", b"12345").json
    upload = made.root.post(f"{made.own}/uploads", files={"file": ("a.bin", b"1")}).json
    change = {"branch": "main", "commit_message": "m", "content": "one\n"}
    assert made.root.post(f"{made.own}/repository/files/a%2Fb.txt", json=change).status == 201
    job, client = made.left()
    assert client.put(f"/jobs/{job}", json={"token": client.token, "state": "success"}).status == 200
    _, secret, filename = upload["url"].removeprefix("/").split("/")
    KNOWN.update(
        {"id": str(made.project["id"]), "secure_file_id": str(file["id"]), "upload_id": str(upload["id"])},
        secret=secret,
        filename=filename,
        file_path="a/b.txt",
        job_id=str(job),
        pipeline_id="1",
        ref_name="main",
        artifact_path="a/b.txt",
        user_id="1",
        token_id="1",
        path=made.project["path_with_namespace"],
    )
    return made


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="SCHEMATHESIS_EXAMPLES" not in os.environ,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case: Case, vault: RunningVault, scene: Scene) -> None:
    token = ROOT_TOKEN
    if case.operation.path.endswith("/self") and case.method == "DELETE":
        made = vault.root.post("/users/1/personal_access_tokens", json={"name": "t", "scopes": ["api"]})
        token = made.json["token"]

    case.call_and_validate(base_url=vault.url, headers={"PRIVATE-TOKEN": token}, checks=CHECKS)
