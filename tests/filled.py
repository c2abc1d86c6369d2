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
    """Make a vault with files of every family, a repository and Git LFS objects, small ones and large ones."""
    with RunningVault(data) as vault:
        put_one_of_each(vault, vault.project()["id"])


def put_one_of_each(vault: RunningVault, project: int) -> None:
    """Put a small and a large file of each family into a project."""
    root, path = vault.root, f"/projects/{project}"
    write(root, project, ".gitattributes", "*.lfs filter=lfs")
    for name, size in (("small", 100), ("large", LARGE)):
        content = os.urandom(size)
        assert root.upload(project, name, content).status == 201
        assert root.post(f"{path}/uploads", files={"file": (name, content)}).status == 201
        write(root, project, name, content.hex())
        write(root, project, f"{name}.lfs", os.urandom(size).hex())
    ci = Ci(vault, {"id": project})
    for archive in (ZIP, ZIP + os.urandom(LARGE)):
        ci.job(left=None)
        number, client = ci.running()
        assert ci.send(client, number, archive).status == 201


def write(client: Client, project: int, name: str, text: str) -> None:
    """Commit a file to a project's repository."""
    body = {"branch": "main", "content": text, "commit_message": name}
    assert client.post(f"/projects/{project}/repository/files/{name}", json=body).status == 201


def everything(client: Client, project: int) -> dict[str, str]:
    """Return what can be downloaded of a project's secure files, repository and LFS objects, by name, as SHA-256."""
    path, found = f"/projects/{project}", {}
    for file in client.get(f"{path}/secure_files?per_page=100").json:
        down = client.get(f"{path}/secure_files/{file['id']}/download")
        assert down.status == 200, down
        found[file["name"]] = hashlib.sha256(down.body).hexdigest()
    for name in ("small", "large", "small.lfs", "large.lfs"):
        raw = client.get(f"{path}/repository/files/{name}/raw?ref=main&lfs=true")
        assert raw.status == 200, raw
        found[f"git:{name}"] = hashlib.sha256(raw.body).hexdigest()
    return found
