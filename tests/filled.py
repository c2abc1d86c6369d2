"""A vault with something of every family in it, on disk, made once and copied for each test."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from tests.harness import RunningVault
from tests.server.ci import ZIP, Ci

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Client

LARGE = 300_000
"""A size of several segments, which does not lie in the catalog."""


def fill(data: Path) -> None:
    """Make a vault with secure files, uploads, artifacts and a repository, small ones and large ones."""
    with RunningVault(data) as vault:
        put_one_of_each(vault, vault.project()["id"])


def put_one_of_each(vault: RunningVault, project: int) -> None:
    """Put a small and a large file of each family into a project."""
    root, path = vault.root, f"/projects/{project}"
    for name, size in (("small", 100), ("large", LARGE)):
        content = os.urandom(size)
        assert root.upload(project, name, content).status == 201
        assert root.post(f"{path}/uploads", files={"file": (name, content)}).status == 201
        body = {"branch": "main", "encoding": "text", "content": content.hex(), "commit_message": name}
        assert root.post(f"{path}/repository/files/{name}", json=body).status == 201
    ci = Ci(vault, {"id": project})
    for archive in (ZIP, ZIP + os.urandom(LARGE)):
        ci.job(left=None)
        number, client = ci.running()
        assert ci.send(client, number, archive).status == 201


def everything(client: Client, project: int) -> dict[str, str]:
    """Return what can be downloaded of a project's secure files and repository, by name, as SHA-256."""
    path, found = f"/projects/{project}", {}
    for file in client.get(f"{path}/secure_files?per_page=100").json:
        down = client.get(f"{path}/secure_files/{file['id']}/download")
        assert down.status == 200, down
        found[file["name"]] = hashlib.sha256(down.body).hexdigest()
    for name in ("small", "large"):
        raw = client.get(f"{path}/repository/files/{name}/raw?ref=main")
        assert raw.status == 200, raw
        found[f"git:{name}"] = hashlib.sha256(raw.body).hexdigest()
    return found
