"""What the tests of the Git LFS API share: its requests, as one client sends them for one project."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.harness import Answer, Client, RunningVault
    from tests.server.repository_support import Repository

MEDIA = "application/vnd.git-lfs+json"
BYTES = random.Random(7).randbytes(200_000)
GUEST, REPORTER, DEVELOPER = 10, 20, 30


def oid_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def named(content: bytes) -> dict[str, Any]:
    """Return an object as requests name it."""
    return {"oid": oid_of(content), "size": len(content)}


class Lfs:
    """The API of one project, asked by one client."""

    def __init__(self, repository: Repository, client: Client | None = None) -> None:
        self.repository = repository
        self.client = client or repository.root
        self.git = f"/{repository.project['path_with_namespace']}.git"

    def talk(self, place: str, body: Any, kind: str = MEDIA) -> Answer:
        return self.client.post(f"{self.git}/info/lfs/{place}", json=body, headers={"Content-Type": kind})

    def batch(self, operation: str, *objects: Any, **more: Any) -> Answer:
        return self.talk("objects/batch", {"operation": operation, "objects": list(objects), **more})

    def put(self, content: bytes, oid: str | None = None, size: int | str | None = None, **more: Any) -> Answer:
        """Send content as the object of its address, which is its own unless told otherwise."""
        place = f"{self.git}/gitlab-lfs/objects/{oid or oid_of(content)}/{len(content) if size is None else size}"
        return self.client.put(place, data=content, **more)

    def get(self, content: bytes, **more: Any) -> Answer:
        return self.client.get(f"{self.git}/gitlab-lfs/objects/{oid_of(content)}", **more)


def passes(answer: Answer) -> dict[str, Any]:
    """Return what an answer of the batch API says of how to show who one is, which is the same in all its places."""
    [actions] = [each["actions"] for each in answer.json["objects"]]
    [told] = {json.dumps({name: action[name] for name in ("header", "expires_in")}) for action in actions.values()}
    return dict(json.loads(told))


def objects(lfs: Lfs) -> int:
    sql = "SELECT COUNT(*) AS n FROM lfs_objects WHERE project_id = :id"
    return int(lfs.repository.vault.services.database.query(sql, id=lfs.repository.id)[0]["n"])


def left(vault: RunningVault) -> set[str]:
    """Return what lies in the store and has no row."""
    known = {row["id"] for row in vault.services.database.query("SELECT id FROM blobs")}
    return set(vault.services.blobs.ids()) - known
