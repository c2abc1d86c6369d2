"""Floors, vault and peers in one run, in turn: uploads, downloads and lists at concurrency 1 and 16.

    python -m benchmarks.peers --rounds 3 --peers nginx,openbao --json peers.json

Peers are installed by their ordinary installers (apt-get as root, pip, go install) when they are not there: run it in a
container that may be thrown away. `--prove` only starts each, stores files, compares every byte, looks for them on the
disk, and ends it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING

from benchmarks.peers.known import PEERS
from benchmarks.peers.peer import Missing, Peer, in_plain, prove
from benchmarks.run import SIZES, Rows, floor, one_round, show, vault, warm
from benchmarks.serving import NotRunning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.load import Target

# A peer that fails takes no part any more; the run goes on.
FAILURES = (
    Missing,
    NotRunning,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RuntimeError,
    AssertionError,
    SubprocessError,
)
TOOLS = Path(tempfile.gettempdir()) / "secure-files-peers"


class Run:
    """One run: which peers take part, what they measured, and why some do not."""

    def __init__(self, peers: Iterable[Peer], tools: Path, seconds: float, workers: Iterable[int]) -> None:
        self._tools = tools
        self._seconds = seconds
        self._workers = list(workers)
        self.peers = list(peers)
        self.rows: Rows = {}
        self.missing: dict[str, str] = {}

    def install(self) -> None:
        """Have the programs of all peers; those that cannot be had are noted."""
        self._tools.mkdir(parents=True, exist_ok=True)
        for peer in self.peers:
            print(f"{peer.name}: installing", file=sys.stderr, flush=True)
            try:
                peer.install(self._tools)
            except Missing as error:
                self._miss(peer, error)

    def prove(self, sizes: Iterable[int] = SIZES) -> None:
        """Start each peer and see that it keeps files of all sizes, and keeps them sealed if it is said to."""
        for peer in self._present():

            def look(target: Target, data: Path, peer: Peer = peer) -> None:
                for size in sizes:
                    prove(target, size)
                if in_plain(target, data, SIZES[0]) == peer.sealed:
                    raise Missing("files lie in plain, or do not although they are said to")

            self._with(peer, look)
            if peer.name not in self.missing:
                print(f"{peer.name}: keeps files {'sealed' if peer.sealed else 'in plain'}", flush=True)

    def round(self, size: int) -> None:
        """Measure all with files of one size, one server at a time."""
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            folder = Path(name)
            vaults = [vault(folder, workers) for workers in self._workers]
            for server in (floor("bare", folder, size), floor("honest", folder, size), *vaults):
                warm(folder)
                with server as target:
                    self._measured(target, size)
        for peer in self._present():
            self._with(peer, lambda target, _: self._measured(target, size))

    def _measured(self, target: Target, size: int) -> None:
        prove(target, size)
        one_round(target, size, self._seconds, self.rows, remove=False)

    def _with(self, peer: Peer, work: Callable[[Target, Path], None]) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix=f"{peer.name}-", ignore_cleanup_errors=True) as name:
                warm(Path(name))
                with peer.running(self._tools, Path(name)) as target:
                    work(target, Path(name))
        except (*FAILURES, AssertionError) as error:
            self._miss(peer, error)

    def _present(self) -> list[Peer]:
        return [peer for peer in self.peers if peer.name not in self.missing]

    def _miss(self, peer: Peer, error: Exception) -> None:
        self.missing[peer.name] = str(error) or repr(error)
        print(f"{peer.name} takes no part: {self.missing[peer.name]}", file=sys.stderr, flush=True)


def machine() -> str:
    """Return what the figures were measured on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {system}"


def document(run: Run, rounds: int, seconds: float) -> dict[str, object]:
    """Print the table and what is to be known of it; return both for `benchmarks.page`."""
    table = show(run.rows)
    peers = [
        {"name": peer.name, "what": peer.what, "unlike": peer.unlike, "missing": run.missing.get(peer.name, "")}
        for peer in run.peers
    ]
    for peer in peers:
        why = f"COULD NOT BE HAD: {peer['missing']}" if peer["missing"] else f"not alike: {peer['unlike']}"
        print(f"{peer['name']:10} {peer['what']}\n{'':10} {why}")
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return {"day": day, "machine": machine(), "rounds": rounds, "seconds": seconds, "peers": peers, "rows": table}


def main() -> int:
    """Run as the command line says; 1 when a peer took no part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0, help="the longest time of one measurement")
    parser.add_argument("--peers", default=",".join(PEERS), help="which, in which order (all)")
    parser.add_argument("--workers", default="1,2", help="how many processes the vault serves with, in turn")
    parser.add_argument("--tools", type=Path, default=TOOLS, help="where programs are kept between runs")
    parser.add_argument("--prove", action="store_true", help="measure nothing")
    parser.add_argument("--json", type=Path, help="write medians and peers here too")
    options = parser.parse_args()
    if unknown := set(options.peers.split(",")) - set(PEERS):
        parser.error(f"knows {', '.join(PEERS)}, not {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends it ends the servers too
    peers = [PEERS[name] for name in options.peers.split(",")]
    run = Run(peers, options.tools, options.seconds, map(int, options.workers.split(",")))
    run.install()
    if options.prove:
        run.prove()
        return bool(run.missing)
    for number in range(options.rounds * len(SIZES)):
        print(f"round {number + 1} of {options.rounds * len(SIZES)}", file=sys.stderr, flush=True)
        run.round(SIZES[number % len(SIZES)])
    found = document(run, options.rounds, options.seconds)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")
    return bool(run.missing)


if __name__ == "__main__":
    sys.exit(main())
