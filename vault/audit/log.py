"""The audit log of one process: written before an answer leaves, synced each second, loud when it cannot be written.

Nothing that has to leave a trace is done without one: when a line cannot be written, `record` and `check` raise, and
whoever serves refuses the request and says that he is not ready. Vault servers that went on answering "healthy", or
did not notice that the file was gone, are the most repeated complaint about such logs.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from vault import clock
from vault.audit import retention
from vault.audit.chain import LogLost, take_up
from vault.audit.files import files_of
from vault.audit.lines import Entry, Sealer
from vault.audit.verify import Report, verify
from vault.ballast import KIB, MIB, Ballast
from vault.errors import StorageFull, Unavailable, VaultError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vault.audit.catalog import AuditCatalog
    from vault.audit.chain import Chain
    from vault.crypto.keysource import MasterKeyring

log = logging.getLogger("secure_files.audit")

TURN_SECONDS = 1.0
SWEEP_SECONDS = 3600.0
# Beyond this many the catalog has been away for long: the oldest are in the files alone.
MOST_PENDING = 100_000
# Each so many lines the head is told on stderr too, which usually goes to another place.
TOLD_EVERY = 1000
RESERVE = 2 * MIB
PORTION = 64 * KIB
FULL = frozenset((errno.ENOSPC, errno.EDQUOT))

# How much of the reserve a line leaves to others on a full disk: what makes room may have the last of it.
MAKES_ROOM, ORDINARY, LEAST = 0, RESERVE // 2, RESERVE


def sealer_of(keyring: MasterKeyring) -> Sealer:
    """Return what writes and knows the lines of the vault with this keyring; rotating its keys changes nothing."""
    return Sealer(keyring.derive("audit"))


class AuditLog:
    """Writes one chain. Safe to share between threads; make it after a fork. It takes its chain with the first line."""

    def __init__(
        self,
        folder: Path,
        sealer: Sealer,
        catalog: AuditCatalog,
        *,
        file_bytes: int = 64 * MIB,
        days: int = 0,
        shared: bool = False,
    ) -> None:
        """`days` 0 keeps lines for ever; `shared` says that other hosts write chains of their own to this catalog."""
        self.folder = folder
        self.sealer = sealer
        self.catalog = catalog
        self._file_bytes = file_bytes
        self._days = days
        self._shared = shared
        self._ballast = Ballast(folder / "ballast", RESERVE, PORTION)
        self._guard = threading.Lock()
        self._chain: Chain | None = None
        self._pending: list[tuple[int, Entry]] = []
        self._failed = ""
        self._moved = False
        self._lost = 0
        self._syncing = threading.Lock()
        self._known = 0
        self._sync_failed = ""
        self._next_sweep = 0.0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    # Writing

    def record(self, entry: Entry, leave: int = LEAST) -> None:
        """Write a line; it is with the system on return, and on the disk within a second.

        `leave` says how much of the room that is kept back it may have on a full disk. Raises `Unavailable`
        (`StorageFull`): then the line is lost, and the next one that can be written says that some are.
        """
        with self._guard:
            try:
                self._append(entry, leave)
            except (OSError, LogLost, VaultError) as error:
                self._lost += 1
                raise self._refusal(error) from error

    def note(self, action: str, target: str = "", *, actor: str = "server") -> None:
        """Write a line about what the program itself does, or who runs a command on its machine."""
        self.record(Entry(clock.now(), actor, None, None, action, target, 200, ""), ORDINARY)

    def check(self, leave: int = LEAST) -> None:
        """Raise `Unavailable` unless a line could be written now; what failed before is tried again."""
        with self._guard:
            try:
                chain = self._usable()
                chain.check()
                if self._lost:
                    self._tell_of_lost(chain, leave)
                self._failed = ""
            except (OSError, LogLost, VaultError) as error:
                raise self._refusal(error) from error
        if self._sync_failed:
            raise Unavailable(self._sync_failed)

    def problem(self) -> str:
        """Say why the log cannot be written; empty when it can."""
        try:
            self.check()
        except Unavailable as error:
            return str(error)
        return ""

    def _append(self, entry: Entry, leave: int) -> None:
        chain = self._usable()
        if self._lost:
            self._tell_of_lost(chain, leave)
        self._write(chain, entry, leave)
        self._failed = ""

    def _usable(self) -> Chain:
        chain = self._chain or self._take_up()
        if self._moved:
            chain.check_place()
            self._moved = False
        return chain

    def _tell_of_lost(self, chain: Chain, leave: int) -> None:
        told = f"{self._lost} line{'s' if self._lost > 1 else ''} could not be written: {self._failed}"
        self._write(chain, Entry(clock.now(), "server", None, None, "audit.gap", told, 503, ""), leave)
        self._lost = 0

    def _write(self, chain: Chain, entry: Entry, leave: int) -> None:
        while True:
            try:
                chain.append(entry, self._file_bytes)
                break
            except OSError as error:
                if error.errno not in FULL or not self._ballast.give_up(leave):
                    raise
        self._pending.append((chain.seq, entry))
        if chain.seq % TOLD_EVERY == 0:
            log.info("the head of chain %s is %s:%s", chain.name, chain.seq, chain.hash)

    def _take_up(self) -> Chain:
        if self._closing.is_set():
            raise LogLost("the audit log is closed")
        chain = take_up(self.folder, self.sealer, self.catalog, socket.gethostname())
        head = self.catalog.head(chain.name)
        self._known = head.seq if head else 0
        self._pending = self._unknown(chain)
        self._chain = chain
        self._ballast.take()
        if self._thread is None:
            # A daemon: a process that ends without close() has nobody left to tell.
            self._thread = threading.Thread(target=self._keep_house, name="audit-log", daemon=True)
            self._thread.start()
        return chain

    def _unknown(self, chain: Chain) -> list[tuple[int, Entry]]:
        """Return the lines that a process which was killed had written and not yet told the catalog of."""
        found: list[tuple[int, Entry]] = []
        if chain.seq > self._known:
            files = files_of(self.folder, chain.name)
            begin = max((file for file in files if file.first <= self._known + 1), default=files[0])
            for file in files[files.index(begin) :]:
                lines = (self.sealer.read(raw) for raw in file.lines())
                found += [(line.seq, line.entry) for line in lines if line is not None and line.seq > self._known]
        return found[-MOST_PENDING:]

    def _refusal(self, error: Exception) -> Unavailable:
        full = isinstance(error, StorageFull) or (isinstance(error, OSError) and error.errno in FULL)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = f"the audit log cannot be written: {reason}"
        if not self._failed:
            log.error("%s; what would have to leave a trace is refused until it can", text)
        self._failed = reason
        return (StorageFull if full else Unavailable)(text)

    # Each second

    def _keep_house(self) -> None:
        while not self._closing.wait(TURN_SECONDS):
            try:
                self.sync()
                self._look()
                self._ballast.take()
                self._sweep()
            except Unavailable as error:
                log.warning("the audit log's turn is tried again in %s s: %s", TURN_SECONDS, error)
            except Exception:
                log.exception("the audit log's turn failed; it is tried again in %s s", TURN_SECONDS)

    def sync(self) -> None:
        """Have all lines on the disk, and the catalog told of them. Raises `VaultError` when it cannot be told."""
        with self._syncing:
            with self._guard:
                chain = self._chain
                if chain is None or chain.seq == self._known:
                    return
                name, seq, digest, fd = chain.name, chain.seq, chain.hash, os.dup(chain.fd)
                lines, self._pending = self._pending, []
            try:
                self._fsync(fd)
                self.catalog.advance(name, seq, digest, lines)
                self._known = seq
            except BaseException:
                with self._guard:
                    self._pending = (lines + self._pending)[-MOST_PENDING:]
                raise

    def _fsync(self, fd: int) -> None:
        try:
            os.fsync(fd)
            self._sync_failed = ""
        except OSError as error:
            self._sync_failed = f"the audit log cannot be written: {error.strerror}"
            raise Unavailable(self._sync_failed) from error
        finally:
            os.close(fd)

    def _look(self) -> None:
        """See whether the file is where it was; one that was put back is as good as before."""
        with self._guard:
            if self._chain is None:
                return
            try:
                self._chain.check_place()
                self._moved = False
            except (LogLost, OSError) as error:
                self._moved = True
                self._refusal(error)

    def _sweep(self) -> None:
        """Remove what is older than it has to be kept."""
        if not self._days or time.monotonic() < self._next_sweep:
            return
        self._next_sweep = time.monotonic() + SWEEP_SECONDS
        retention.sweep(self.folder, self.sealer, self.catalog, retention.moment_before(self._days))

    def verify(self, folders: Sequence[Path] = (), told: Mapping[str, tuple[int, str]] | None = None) -> Report:
        """Check the lines of this log, or of the folders given, in which then the chains of all hosts have to be.

        `told` are heads that were kept outside.
        """
        host = socket.gethostname()
        report = Report([])
        for _ in range(2):  # a file that was old enough may have been removed meanwhile
            report = verify(
                folders or [self.folder],
                self.sealer,
                self.catalog.heads(),
                told=told,
                elsewhere=lambda head: self._shared and not folders and head.host != host,
            )
            if report.ok:
                break
        return report

    def close(self) -> None:
        """Have all lines on the disk and let go of the chain."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.sync()
        except VaultError as error:
            log.warning("the catalog was not told of the last lines; the next start does so: %s", error)
        with self._guard:
            chain, self._chain = self._chain, None
            if chain is not None:
                chain.close()
