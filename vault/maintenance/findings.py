"""What a verification says: findings, and how much was looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Weight(StrEnum):
    """What a finding means: stored bytes are not what was stored; something was out of reach; all is well, but know."""

    DAMAGE = "damage"
    UNCHECKED = "unchecked"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `subject` names it ("secure file 12 of project 3"), `object` and `key` are the ids of the sealed object and its
    master key, `ranges` the stored bytes that do not open, as first and end. `marked_at` is when it was found first.
    """

    weight: Weight
    subject: str
    problem: str
    object: str = ""
    key: str = ""
    ranges: tuple[tuple[int, int], ...] = ()
    marked_at: str | None = None

    def __str__(self) -> str:
        named = ", ".join(f"{word} {each}" for word, each in (("object", self.object), ("key", self.key)) if each)
        where = f" ({named})" if named and self.object not in self.subject + self.problem else ""
        known = f"; known since {self.marked_at}" if self.marked_at else ""
        return f"{self.subject}{where}: {self.problem}{known}"


@dataclass(frozen=True, slots=True)
class Looked:
    """One thing that was looked at: how many bytes that took, and what is wrong with it."""

    subject: str
    size: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Tally:
    """What one check has come to."""

    check: str
    looked_at: int = 0
    size: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, looked: Looked) -> None:
        """Count one thing more."""
        self.looked_at += 1
        self.size += looked.size
        self.findings += looked.findings

    def count(self, weight: Weight) -> int:
        """Return how many findings weigh so much."""
        return sum(finding.weight is weight for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole verification. `partly` says that it passed over some of what there is, because it was asked to."""

    started_at: str
    finished_at: str
    partly: bool
    tallies: tuple[Tally, ...]

    def findings(self, *weights: Weight) -> list[Finding]:
        """Return the findings of these weights, all of them when none is named."""
        return [each for tally in self.tallies for each in tally.findings if not weights or each.weight in weights]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "clean": not self.findings(Weight.DAMAGE, Weight.UNCHECKED),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "partly": self.partly,
            "checks": [_tally(tally) for tally in self.tallies],
            "findings": [
                {"check": tally.check, **asdict(finding)} for tally in self.tallies for finding in tally.findings
            ],
        }


def _tally(tally: Tally) -> dict[str, Any]:
    counts = {str(weight): tally.count(weight) for weight in Weight}
    return {"check": tally.check, "looked_at": tally.looked_at, "bytes": tally.size, **counts}


def since(findings: Iterable[Finding], marked_at: str | None) -> tuple[Finding, ...]:
    """Return the findings as ones that are known since then."""
    return tuple(replace(finding, marked_at=marked_at) for finding in findings)
