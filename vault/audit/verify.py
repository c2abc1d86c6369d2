"""Checks the audit log and names the first line of each chain that is not what was written.

What can be told apart: a line that was edited (or made up), lines that are gone, lines out of their order, an end that
was cut, a beginning that was, a whole chain that is gone; and a torn last line, which a crash leaves and nobody forged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vault.audit.files import chains_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from vault.audit.catalog import Head
    from vault.audit.files import LogFile
    from vault.audit.lines import Line, Sealer


@dataclass(frozen=True, slots=True)
class Fault:
    """The first bad line of a chain. `kind` is edited, deleted, reordered, repeated, cut or missing.

    `file` and `line` (from 1) are where the fault shows: the line itself, or the first one after what is gone.
    """

    chain: str
    file: str | None
    line: int | None
    seq: int
    kind: str
    why: str


@dataclass(slots=True)
class ChainReport:
    """What was found of one chain. `torn` names files that end in a part of a line; `head` is that of the catalog."""

    chain: str
    host: str | None
    files: int = 0
    size: int = 0
    lines: int = 0
    first_seq: int | None = None
    last_seq: int = 0
    last_hash: str = ""
    head: int | None = None
    torn: list[str] = field(default_factory=list)
    elsewhere: bool = False
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of all chains."""

    chains: list[ChainReport]

    @property
    def faults(self) -> list[Fault]:
        """The first bad line of each chain that has one."""
        return [chain.fault for chain in self.chains if chain.fault is not None]

    @property
    def lines(self) -> int:
        """How many lines are what was written."""
        return sum(chain.lines for chain in self.chains)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(
    folders: Sequence[Path],
    sealer: Sealer,
    heads: Mapping[str, Head],
    *,
    told: Mapping[str, tuple[int, str]] | None = None,
    elsewhere: Callable[[Head], bool] = lambda _: False,
) -> Report:
    """Check every chain in the folders.

    `heads` are the catalog's, read before, so that a server may go on meanwhile; `told` are heads that were kept
    outside (chain to number and hash). `elsewhere` says of a chain that is not here whether another host may have it.
    """
    files: dict[str, list[LogFile]] = {}
    for each in folders:
        for chain, found in chains_of(each).items():
            files.setdefault(chain, []).extend(found)
    told = told or {}
    reports = []
    for chain in sorted({*files, *heads, *told}):
        head = heads.get(chain)
        here = sorted(files.get(chain, []), key=lambda file: file.first)
        if not here and head is not None and chain not in told and elsewhere(head):
            reports.append(ChainReport(chain, head.host, head=head.seq, elsewhere=True))
        else:
            reports.append(_Check(chain, here, sealer, head, told.get(chain)).run())
    return Report(reports)


class _Check:
    """The check of one chain."""

    def __init__(
        self, chain: str, files: Sequence[LogFile], sealer: Sealer, head: Head | None, told: tuple[int, str] | None
    ) -> None:
        self._files = files
        self._sealer = sealer
        self._head = head
        marks = ((head.seq, head.hash) if head else None, told)
        self._marks = dict(mark for mark in marks if mark is not None and mark[0])
        self._report = ChainReport(chain, head.host if head else None, len(files), head=head.seq if head else None)
        self._seq = 0
        self._hash = sealer.genesis(chain)
        self._first = True

    def run(self) -> ChainReport:
        """Read the chain to its first fault, or to its end."""
        for place in self._places():
            self._report.fault = self._look(*place)
            if self._report.fault is not None:
                return self._report
        self._report.last_seq, self._report.last_hash = self._seq, self._hash
        self._report.fault = self._end()
        return self._report

    def _places(self) -> Iterator[tuple[LogFile, int, bytes]]:
        for file in self._files:
            for number, raw in enumerate(file.lines(), 1):
                yield file, number, raw

    def _look(self, file: LogFile, number: int, raw: bytes) -> Fault | None:
        line = self._sealer.read(raw)
        if line is None:
            if self._is_torn(raw):
                self._report.torn.append(file.path.name)
                return None
            expected = file.first if self._first else self._seq + 1
            return self._fault(file, number, expected, "edited", "it is not what was written")
        if self._first:
            self._begin(line)
        if line.seq != self._seq + 1 or line.prev != self._hash:
            return self._out_of_order(file, number, line)
        if self._marks.get(line.seq, line.hash) != line.hash:
            return self._fault(file, number, line.seq, "edited", "another line was the chain's head here")
        self._seq, self._hash, self._first = line.seq, line.hash, False
        self._report.size += len(raw)
        self._report.lines += 1
        return None

    def _begin(self, line: Line) -> None:
        """Begin after what was removed because of its age: then the catalog says how far that went."""
        self._report.first_seq = line.seq
        head = self._head
        if head is None or head.first_seq == 1 or line.seq == 1:
            return
        self._seq, self._hash = head.first_seq - 1, head.first_prev
        if line.seq < head.first_seq:  # a part of what may be gone is still there
            self._seq, self._hash = line.seq - 1, line.prev

    def _is_torn(self, raw: bytes) -> bool:
        """Say whether this is the beginning of the next line, as a crash leaves it at the end of a file."""
        begin = f'{{"seq":{self._seq + 1},'.encode()
        written = raw.rstrip(b"\0")
        return not raw.endswith(b"\n") and (written.startswith(begin) or begin.startswith(written))

    def _out_of_order(self, file: LogFile, number: int, line: Line) -> Fault:
        expected = self._seq + 1
        if line.seq == expected:
            return self._fault(file, number, expected, "edited", "it does not follow the line before: of another chain")
        if line.seq < expected:
            return self._fault(file, number, line.seq, "repeated", f"line {expected} has to stand here")
        if self._is_later(file, number, expected):
            why = f"line {line.seq} stands here, line {expected} further on"
            return self._fault(file, number, expected, "reordered", why)
        gone = f"line {expected} is" if line.seq == expected + 1 else f"lines {expected} to {line.seq - 1} are"
        return self._fault(file, number, expected, "deleted", f"{gone} gone before this one")

    def _is_later(self, file: LogFile, number: int, seq: int) -> bool:
        places = ((each, at, raw) for each, at, raw in self._places() if (each.first, at) > (file.first, number))
        return any(line is not None and line.seq == seq for line in (self._sealer.read(raw) for _, _, raw in places))

    def _end(self) -> Fault | None:
        last = max(self._marks, default=0)
        if not self._files:
            return self._fault(None, None, 1, "missing", f"no file of this chain is here; it had {last} lines or more")
        if last <= self._seq:
            return None
        file = self._files[-1]
        number = sum(1 for _ in file.lines()) + (0 if file.path.name in self._report.torn else 1)
        told = (
            f"lines {self._seq + 1} to {last} are gone, if not more" if last > self._seq + 1 else f"line {last} is gone"
        )
        return self._fault(file, number, self._seq + 1, "cut", f"{told} at the end")

    def _fault(self, file: LogFile | None, number: int | None, seq: int, kind: str, why: str) -> Fault:
        return Fault(self._report.chain, file.path.name if file else None, number, seq, kind, why)
