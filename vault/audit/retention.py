"""Lines that are old enough are removed, by whole files, and the catalog notes where a chain begins from then on."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from vault.audit.files import chains_of, take
from vault.clock import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from vault.audit.catalog import AuditCatalog
    from vault.audit.files import LogFile
    from vault.audit.lines import Sealer


def moment_before(days: int) -> str:
    """Return the moment so many days ago."""
    return stamp(datetime.now(UTC) - timedelta(days=days))


def sweep(folder: Path, sealer: Sealer, catalog: AuditCatalog, before: str) -> None:
    """Remove files whose last line was written before a moment, and such events.

    A file's own date does not count, as anybody who may write the folder can set it; a damaged file is never removed.
    """
    catalog.forget_events(before)
    for files in chains_of(folder).values():
        if all(_removed(file, following, sealer, catalog, before) for file, following in pairwise(files)):
            _remove_whole(files[-1], sealer, catalog, before)


def _removed(file: LogFile, following: LogFile, sealer: Sealer, catalog: AuditCatalog, before: str) -> bool:
    """Remove a file that another one follows, if it is old; say whether it was."""
    first = sealer.read(next(following.lines(), b""))
    if first is None or not _is_old(file, sealer, before):
        return False
    catalog.cut(file.chain, first.seq, first.prev)
    file.path.unlink()
    return True


def _remove_whole(newest: LogFile, sealer: Sealer, catalog: AuditCatalog, before: str) -> None:
    """Remove what is left of a chain that nobody writes any more, if it is old."""
    fd = take(newest)
    if fd is None:
        return
    try:
        if _is_old(newest, sealer, before):
            catalog.forget(newest.chain)
            newest.path.unlink()
    finally:
        os.close(fd)


def _is_old(file: LogFile, sealer: Sealer, before: str) -> bool:
    last, _, _ = file.end(sealer)
    return last is not None and last.entry.time < before
