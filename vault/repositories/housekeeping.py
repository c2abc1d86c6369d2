"""Keeping repositories quick and clean, beside requests and never in their way.

Every commit of the API leaves loose objects. Where many have gathered they are packed, in packs whose sizes grow
geometrically, so that a large repository is not packed anew each time; a graph of the commits with filters of the
paths they change makes last commits of old files quick. Once in a while a whole `git gc` drops what nothing refers to.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from vault.repositories import locks, program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from vault.repositories.store import Store

log = logging.getLogger("secure_files.repositories")

# One of the 256 folders of loose objects tells for all, as ids are evenly spread: here about 2,000 objects.
SAMPLE, MANY_IN_SAMPLE = "17", 8
MANY_PACKS = 20
WHOLE_GC_SECONDS = 7 * 24 * 3600.0
# A clone or a write may still need what was dropped meanwhile; nothing takes two weeks.
KEPT = "2.weeks.ago"
TIMEOUT = 3600.0
CONFIG = {"pack.threads": "1", "pack.windowMemory": "256m", "gc.writeCommitGraph": "false"}
STAMP = "collected"
GRAPH, WRITE_GRAPH = "info/commit-graph", ("commit-graph", "write", "--reachable", "--changed-paths", "--no-progress")
# What only git programs make; what the vault's own writers make is below.
LEFT_BEHIND = ("*.lock", "refs/**/*.lock", "objects/info/**/*.lock", "objects/tmp_objdir-*", "objects/pack/tmp_*")
HEADS = "refs/heads/"
LEFT_BY_WRITERS, OLD = "objects/tmp_object_git2_*", 3600.0


class Housekeeping:
    """Looks after the repositories that were written to; each process after those that it wrote to itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._written: set[Path] = set()
        self._running: threading.Thread | None = None

    def note(self, folder: Path) -> None:
        """Remember that a repository was written to."""
        with self._guard:
            self._written.add(folder)

    def chore(self) -> None:
        """Remove the folders of deleted projects, and begin to pack where that is due: quick, never waits."""
        self._store.remove_noted()
        if self._running is not None and self._running.is_alive():
            return
        with self._guard:
            due = [folder for folder in self._written if wants_packing(folder) or wants_graph(folder)]
            self._written = set(due[1:])
        if due:
            # A daemon, as nobody has to wait for it: git leaves a repository whole whenever it is stopped.
            self._running = threading.Thread(target=keep, args=(due[0],), name="repository-packing", daemon=True)
            self._running.start()

    def sweep(self) -> int:
        """Remove what killed writers left behind, and return how much that was; before anything is served."""
        known = {folder for _, folder in self._store.folders()}
        left = sum(remove_left_behind(folder, fresh=True) for folder in known)
        return left + sum(self._remove_unlisted(folder) for folder in self._store.on_disk() if folder not in known)

    @staticmethod
    def _remove_unlisted(folder: Path) -> int:
        """Remove a folder that was made and never entered into the catalog: it has nothing in it then."""
        if any(path.is_file() for place in ("objects", "refs") for path in (folder / place).rglob("*")):
            return 0
        shutil.rmtree(folder, ignore_errors=True)
        return 1


def wants_packing(folder: Path) -> bool:
    """Say whether many loose objects or packs have gathered."""
    objects = folder / "objects"
    return _count(objects / SAMPLE, "*") >= MANY_IN_SAMPLE or _count(objects / "pack", "*.pack") >= MANY_PACKS


def wants_graph(folder: Path) -> bool:
    """Say whether commits came in a pack, as large pushes do, since the graph of commits was written."""
    objects = folder / "objects"
    packs = [path.stat().st_mtime_ns for path in (objects / "pack").glob("*.pack")]
    graph = objects / GRAPH
    return bool(packs) and (not graph.exists() or graph.stat().st_mtime_ns < max(packs))


def _count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.glob(pattern))


def keep(folder: Path) -> bool:
    """Do what is due in a repository, as `pack` does."""
    return pack(folder) if wants_packing(folder) else _run(folder, [WRITE_GRAPH])


def pack(folder: Path) -> bool:
    """Pack a repository, unless another process is at it; return whether that was done. Logs what fails."""
    return _run(folder, _commands(folder))


def _run(folder: Path, commands: Iterable[tuple[str, ...]]) -> bool:
    try:
        remove_left_behind(folder)
        with locks.housekeeping(folder) as taken, locks.git_at_work(folder) as share:
            if not taken:
                return False
            for arguments in commands:
                program.run(folder, *arguments, inherit=(share,), timeout=TIMEOUT, config=CONFIG, patient=True)
    except Exception:
        log.exception("keeping house in %s failed; it is tried again after the next write", folder.name)
        return False
    return True


def _commands(folder: Path) -> Iterator[tuple[str, ...]]:
    stamp = folder / locks.OWN / STAMP
    collected = stamp.stat().st_mtime if stamp.exists() else 0.0
    if time.time() - collected > WHOLE_GC_SECONDS:
        yield "gc", "--quiet", f"--prune={KEPT}"
        stamp.touch()
    else:
        yield "repack", "-d", "-l", "-q", "--geometric=2"
        yield "pack-refs", "--all", "--prune"
    yield WRITE_GRAPH


def remove_left_behind(folder: Path, *, fresh: bool = False) -> int:
    """Remove locks and unfinished files of killed programs and writers, unless one is at work; return how many.

    `fresh` says that nobody else serves: then also locks that somebody might have made this moment.
    """
    count = 0
    with locks.no_git_at_work(folder) as alone:
        for path in (path for pattern in LEFT_BEHIND for path in folder.glob(pattern)) if alone else ():
            if fresh or path.suffix != ".lock" or locks.is_stale(folder, path):
                count += _remove_forgotten(folder, path)
    for path in folder.glob(LEFT_BY_WRITERS):
        with suppress(FileNotFoundError):
            count += time.time() - path.stat().st_mtime > OLD and _remove(path)
    return count


def _remove_forgotten(folder: Path, path: Path) -> bool:
    """Remove what no git program has; a branch's lock may be a writer's, who is in the branch's queue then."""
    name = path.relative_to(folder).as_posix()
    if not name.startswith(HEADS):
        return _remove(path)
    with locks.nobody_in_queue(folder, name.removeprefix(HEADS).removesuffix(".lock")) as free:
        return free and _remove(path)


def _remove(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return True
