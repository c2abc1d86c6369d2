"""Whether requests can be served, and what is wrong when not: asked by balancers, by people, and by anybody else.

So a reason names no path and no address; what the log says of it may.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from vault.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from server.offload import Offload

    Check = Callable[[], str]

log = logging.getLogger("secure_files.server")

PATIENCE = 5.0
MIB = 1024 * 1024
# Below this, or one hundredth of a disk that is small, a disk counts as full. A write is refused by the disk itself.
ROOM = 64 * MIB


class Readiness:
    """Runs checks, each of which returns what is wrong or raises it; one that does not come back is wrong too."""

    def __init__(self, offload: Offload, checks: Mapping[str, Check]) -> None:
        self._offload, self._checks = offload, checks
        self._running: dict[str, asyncio.Future[str]] = {}
        self._told = ""

    async def problems(self) -> dict[str, str]:
        """Return what is wrong by the check's name, an empty text where nothing is."""
        found = dict(zip(self._checks, await asyncio.gather(*map(self._problem, self._checks)), strict=True))
        self._log("; ".join(filter(None, found.values())))
        return found

    def _log(self, wrong: str) -> None:
        if wrong == self._told:
            return
        self._told = wrong
        if wrong:
            log.warning("not ready: %s", wrong)
        else:
            log.info("ready again")

    async def _problem(self, name: str) -> str:
        # Who asks while a check still hangs waits for that one: not every question costs a thread.
        job = self._running.get(name)
        if job is None or job.done():
            job = self._running[name] = self._offload.start(_asked, name, self._checks[name])
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(job)
        except TimeoutError:
            return f"{name}: no answer in {PATIENCE:.0f} s"


def _asked(name: str, check: Check) -> str:
    try:
        return check()
    except VaultError as error:
        return str(error)
    except Exception:
        log.exception("the check %s failed", name)
        return f"{name}: the check failed, see the log"


def full_disk(folders: Iterable[tuple[str, Path]]) -> str:
    """Say which of these disks has no room left, or cannot be written."""
    seen: set[int] = set()
    for name, folder in folders:
        try:
            disk, device = os.statvfs(folder), folder.stat().st_dev
        except OSError as error:
            return f"the disk of the {name} does not answer: {error.strerror}"
        if device in seen:
            continue
        seen.add(device)
        free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if disk.f_flag & os.ST_RDONLY:
            return f"the disk of the {name} is read-only"
        if size and free < min(ROOM, size // 100):
            return f"the disk of the {name} is full: {free // 1024} KiB of {size // MIB} MiB are free"
        if disk.f_files and not disk.f_favail:
            return f"the disk of the {name} has no room for another file"
    return ""
