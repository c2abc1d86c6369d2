"""Whether the audit log is what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.audit.files import chains_of
from vault.maintenance.findings import Finding, Looked, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.audit.log import AuditLog
    from vault.audit.verify import ChainReport
    from vault.maintenance.verifying import Scope


class AuditChains:
    """Reads every line of the audit log, whatever share of the files is asked for: a chain is whole or it is not."""

    name = "audit log"

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def total(self, scope: Scope) -> int:  # noqa: ARG002
        """Return how many chains there are."""
        return len({*chains_of(self._log.folder), *self._log.catalog.heads()})

    def look(self, scope: Scope) -> Iterator[Looked]:  # noqa: ARG002
        """Look at one chain after the other."""
        for chain in self._log.verify().chains:
            yield Looked(f"audit chain {chain.chain}", chain.size, tuple(_findings(chain)))


def _findings(chain: ChainReport) -> Iterator[Finding]:
    subject = f"audit chain {chain.chain}"
    if chain.fault is not None:
        place = f"{chain.fault.file}:{chain.fault.line}: " if chain.fault.file else ""
        problem = f"{place}line {chain.fault.seq}: {chain.fault.kind}: {chain.fault.why}"
        yield Finding(Weight.DAMAGE, subject, problem)
    if chain.elsewhere:
        yield Finding(Weight.NOTICE, subject, f"its files lie with {chain.host}")
