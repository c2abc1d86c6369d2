"""One file up, sealed, listed, down: the walk that every change keeps going."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.harness import RunningVault


def test_a_file_goes_up_is_listed_and_comes_down_the_same(vault: RunningVault, project: dict[str, Any]) -> None:
    content = bytes(range(256)) * 500

    made = vault.root.upload(project["id"], "certs/release.bin", content)
    listed = vault.root.get(f"/projects/{project['id']}/secure_files")
    down = vault.root.get(f"/projects/{project['id']}/secure_files/{made.json['id']}/download")

    assert made.status == 201
    assert made.json["checksum"] == hashlib.sha256(content).hexdigest()
    assert [file["name"] for file in listed.json] == ["certs/release.bin"]
    assert down.body == content
