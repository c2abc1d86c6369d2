"""Pipelines, jobs and what they left, through the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.zips import archive

if TYPE_CHECKING:
    from tests.harness import Answer, Client, RunningVault

FILES = {
    "some/release/file.pdf": b"%PDF-1.7 of a release",
    "index.html": b"<script>alert(1)</script>",
    "report.json": b'{"good": true}',
    "a b+c&d?.txt": b"odd name",
    "ü/鍵.bin": b"\x00\xff",
}
ZIP = archive(FILES)
LONG_AGO = "2020-01-01T00:00:00.000Z"


@dataclass
class Ci:
    """The CI of one project, run by the administrator. Jobs end well and leave `ZIP` unless told otherwise."""

    vault: RunningVault
    project: dict[str, Any]

    @property
    def path(self) -> str:
        """The project's path below /api/v4."""
        return f"/projects/{self.project['id']}"

    def pipeline(self, ref: str = "main", **fields: Any) -> int:
        made = self.vault.root.post(f"{self.path}/pipelines", json={"ref": ref, **fields})
        assert made.status == 201, made
        return int(made.json["id"])

    def running(self, **fields: Any) -> tuple[int, Client]:
        """Register a running job and return its id and a client with its token."""
        job, client = self.vault.job(self.vault.root, self.project["id"], **fields)
        return job["id"], client

    def job(self, status: str = "success", left: bytes | None = ZIP, query: str = "", **fields: Any) -> int:
        """Run a job to its end as a runner does, and return its id; `query` goes with the upload."""
        number, client = self.running(**fields)
        if left is not None:
            sent = self.send(client, number, left, query)
            assert sent.status == 201, sent
        if status != "running":
            ended = client.put(f"/jobs/{number}", json={"token": client.token, "state": status})
            assert ended.status == 200, ended
        return number

    def send(self, client: Client, job: int, data: bytes = ZIP, query: str = "", name: str = "artifacts.zip") -> Answer:
        """Upload an artifact as a client."""
        return client.post(f"/jobs/{job}/artifacts{query}", files={"file": (name, data)})

    def archive(self, job: int) -> str:
        """The path of what a job left."""
        return f"{self.path}/jobs/{job}/artifacts"

    def age(self, *jobs: int) -> None:
        """Have the time of the jobs' artifacts be over."""
        for job in jobs:
            self.vault.services.database.write(
                lambda tx, job=job: tx.query(  # type: ignore[misc]
                    "UPDATE artifacts SET expires_at = :end WHERE job_id = :job", end=LONG_AGO, job=job
                )
            )
