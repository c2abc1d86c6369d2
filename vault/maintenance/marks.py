"""Marks on what was last found damaged: they tell since when it is known, refuse nothing, and go when it is whole."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import care as sql
from vault.errors import Unavailable
from vault.maintenance.findings import Weight, since

if TYPE_CHECKING:
    from vault.catalog.database import Database
    from vault.maintenance.findings import Finding

log = logging.getLogger("secure_files.maintenance")


class Marks:
    """The marks of one kind of thing, as one verification finds and leaves them."""

    def __init__(self, database: Database, kind: str) -> None:
        self._db = database
        self._kind = kind
        self._found_at = {row["subject"]: row["found_at"] for row in database.query(sql.DAMAGE, kind=kind)}
        self._seen: set[str] = set()

    def settle(self, subject: str, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Mark what is damaged, unmark what is whole, and return the findings with the time they were first known."""
        self._seen.add(subject)
        damage = [finding.problem for finding in findings if finding.weight is Weight.DAMAGE]
        marked_at = self._found_at.get(subject)
        if damage:
            self._write(sql.MARK_DAMAGE, subject=subject, problem="; ".join(damage), now=clock.now())
        elif not findings and marked_at is not None:
            self._write(sql.UNMARK_DAMAGE, subject=subject)
        return since(findings, marked_at)

    def forget_unseen(self) -> None:
        """Remove the marks of things that are no more; for the end of a look at everything."""
        for subject in self._found_at.keys() - self._seen:
            self._write(sql.UNMARK_DAMAGE, subject=subject)

    def _write(self, statement: str, **params: str) -> None:
        """Write to the catalog, if it takes it: a full disk is no reason not to look at the rest."""
        try:
            self._db.write(lambda tx: tx.query(statement, kind=self._kind, **params))
        except Unavailable as error:
            log.warning("a mark of damage could not be written: %s", error)
