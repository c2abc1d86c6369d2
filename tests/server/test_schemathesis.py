"""Requests that schemathesis makes of the description of the API: whatever comes back is as the description says.

Many more of them: SCHEMATHESIS_EXAMPLES=100 pytest tests/server/test_schemathesis.py
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi import checks as openapi

from tests.conforming import document
from tests.harness import ROOT_TOKEN
from tests.server.reaching import Scene

if TYPE_CHECKING:
    from schemathesis import Case

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
TAKES_AWAY = re.compile(r"\{(id|token_id|user_id|secure_file_id|upload_id|filename|job_id)\}(/artifacts)?$")
SCHEMA = schemathesis.openapi.from_dict(document())
KNOWN: dict[str, str] = {}
# What schemathesis makes up for a login is wrong and goes before the one that is right.
LOGINS = ("Authorization", "JOB-TOKEN", "private_token", "access_token", "job_token")


@schemathesis.serializer("application/x-git-upload-pack-request", "application/x-git-receive-pack-request")
def as_bytes(context: Any, value: Any) -> bytes:
    """Return what git would say as a body; what it means is git's own business."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def aim(case: Case) -> None:
    """Have three of four parts of an address be of something that is there, and most callers be known.

    (schemathesis has a hook for this, which requests that are wrong on purpose pass by.)
    """
    taken = TAKES_AWAY.search(case.operation.path) if case.method == "DELETE" else None
    for name, value in (case.path_parameters or {}).items():
        if taken and taken[1] == name:
            case.path_parameters[name] = f"99{value}"
        elif name in KNOWN and crc32(repr(value).encode()) % 4:
            case.path_parameters[name] = KNOWN[name]
    if crc32(repr(case.query).encode()) % 8:
        for name in LOGINS:
            (case.headers or {}).pop(name, None)
            (case.query or {}).pop(name, None)


@pytest.fixture(scope="module")
def scene(vault: RunningVault) -> Scene:
    """A project with something of everything, whose names and numbers go into paths."""
    made = Scene(vault)
    file = made.root.upload(made.project["id"], "file", b"12345").json
    upload = made.root.post(f"{made.own}/uploads", files={"file": ("a.bin", b"1")}).json
    change = {"branch": "main", "commit_message": "m", "content": "one\n"}
    assert made.root.post(f"{made.own}/repository/files/a%2Fb.txt", json=change).status == 201
    made.vault.services.lfs.keep(made.project["id"], b"12345")
    job, client = made.left()
    assert client.put(f"/jobs/{job}", json={"token": client.token, "state": "success"}).status == 200
    _, secret, filename = upload["url"].removeprefix("/").split("/")
    KNOWN.update(
        {"id": str(made.project["id"]), "secure_file_id": str(file["id"]), "upload_id": str(upload["id"])},
        secret=secret,
        filename=filename,
        file_path="a%2Fb.txt",
        job_id=str(job),
        pipeline_id="1",
        ref_name="main",
        artifact_path="a/b.txt",
        user_id="1",
        token_id="1",
        path=made.project["path_with_namespace"],
        job_token=str(made.left()[1].token),
        oid=sha256(b"12345").hexdigest(),
        size="5",
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
    login = {"PRIVATE-TOKEN": ROOT_TOKEN}
    if case.operation.path.endswith("/self") and case.method == "DELETE":
        made = vault.root.post("/users/1/personal_access_tokens", json={"name": "t", "scopes": ["api"]})
        login = {"PRIVATE-TOKEN": made.json["token"]}
    elif case.operation.path.startswith("/api/v4/job"):
        login = {"JOB-TOKEN": KNOWN["job_token"]}
    aim(case)

    case.call_and_validate(base_url=vault.url, headers=login, checks=CHECKS)
