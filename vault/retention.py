"""What becomes of artifacts in time: the sweep that removes what has had it, and a report of what stays and why."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault import clock
from vault.artifact_types import TRACE
from vault.catalog import artifacts as sql
from vault.people import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.catalog.database import Database, Row, Transaction
    from vault.storage import SealedStorage

log = logging.getLogger("secure_files.retention")

SWEPT_AT_ONCE = 100
SWEEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Fate:
    """One artifact, what becomes of it (`locked`, `kept`, `expiring`, `expired`), and why in a few words."""

    id: int
    project_id: int
    project: str
    job_id: int
    job: str
    pipeline_id: int
    ref: str
    file_type: str
    size: int
    created_at: str
    expires_at: str | None
    fate: str
    reason: str


class Retention:
    """Removes artifacts whose time is over. What is kept, or locked by the newest success of its ref, stays."""

    def __init__(self, database: Database, storage: SealedStorage) -> None:
        self._db = database
        self._storage = storage

    def sweep(self, seconds: float = SWEEP_SECONDS) -> int:
        """Remove expired artifacts with their bytes for as long as `seconds`, and return how many.

        Safe beside requests and other sweeps: each artifact is looked at again in the transaction that removes it.
        """
        deadline, removed = time.monotonic() + seconds, 0
        while time.monotonic() < deadline and (some := self._sweep_some()):
            removed += some
            self._storage.remove_noted()
        if removed:
            left = self._db.query(sql.COUNT_EXPIRED, now=clock.now())[0]["n"]
            log.info("removed %s expired artifacts, %s to go", removed, left)
        return removed

    def _sweep_some(self) -> int:
        now = clock.now()
        candidates = [row["id"] for row in self._db.query(sql.EXPIRED, now=now, limit=SWEPT_AT_ONCE)]

        def work(tx: Transaction) -> int:
            removed = [row for each in candidates for row in tx.query(sql.DELETE_EXPIRED, id=each, now=now)]
            for row in removed:
                self._storage.discard(tx, row["blob_id"])
            return len(removed)

        return self._db.write(work) if candidates else 0

    def report(self, project: str | None = None) -> Iterator[Fate]:
        """Yield what becomes of every artifact, of all projects or of the one with a path, by project and age."""
        now = clock.now()
        for row in self._db.query(sql.REPORT, project=None if project is None else key_of(project)):
            yield _fate(row, now)


def _fate(row: Row, now: str) -> Fate:
    fate, reason = _reason(row, now)
    columns = {key: value for key, value in row.items() if key != "locked"}
    return Fate(**columns, fate=fate, reason=reason)


def _reason(row: Row, now: str) -> tuple[str, str]:
    end = row["expires_at"]
    if row["file_type"] == TRACE:
        return "kept", "job logs are never removed"
    if end is None:
        return "kept", "it has no end: it was asked to be kept, or none was set"
    if row["locked"]:
        return "locked", f"of the newest successful pipeline of {row['ref']}"
    if end <= now:
        return "expired", "the next sweep removes it"
    return "expiring", f"until {end}"
