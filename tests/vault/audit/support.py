"""An audit log without a server, and what the tests write into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.audit.catalog import AuditCatalog
from vault.audit.files import files_of
from vault.audit.lines import Entry, Sealer
from vault.audit.log import AuditLog, sealer_of
from vault.audit.verify import Report, verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.core import Core

ENTRY = Entry(
    time="2026-02-22T22:22:22.222Z",
    actor="root",
    token_id=7,
    ip="127.0.0.1",
    action="secure_file.download",
    target="/projects/3/secure_files/5/download",
    status=200,
    request_id="abc",
)


class Logged:
    """An audit log in a vault's folder, for as many processes as a test wants."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.folder: Path = core.folder / "audit"
        self.catalog = AuditCatalog(core.database)
        self.sealer: Sealer = sealer_of(core.keyring)
        self._open: list[AuditLog] = []

    def process(self, **settings: int) -> AuditLog:
        """Return the log as another process has it."""
        self._open.append(AuditLog(self.folder, self.sealer, self.catalog, **settings))
        return self._open[-1]

    def write(self, count: int, **settings: int) -> None:
        """Write lines, each about another file, as a process that ends well."""
        log = self.process(**settings)
        for number in range(count):
            log.record(entry(number))
        log.close()

    def files(self) -> list[Path]:
        """Return the log's files."""
        return [file.path for file in files_of(self.folder)]

    def lines(self) -> list[bytes]:
        """Return the lines of all files, with their ends."""
        return [line for path in self.files() for line in path.read_bytes().splitlines(keepends=True)]

    def verify(self, **told: tuple[int, str]) -> Report:
        """Check the log against the catalog's heads."""
        return verify([self.folder], self.sealer, self.catalog.heads(), told=told)

    def close(self) -> None:
        """End every process."""
        for log in self._open:
            log.close()


def entry(number: int) -> Entry:
    """Return one of many entries that differ."""
    return ENTRY._replace(target=f"/projects/3/secure_files/{number}/download", request_id=f"r{number}")
