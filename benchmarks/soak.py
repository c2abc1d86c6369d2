"""An hour of mixed load on a real server: do memory and descriptors stay flat?

    python -m benchmarks.soak --seconds 3600 --csv soak.csv --plot docs/soak.svg

Every five seconds it notes the memory (RSS) and the open descriptors of every process of the server. Before, it warms
up at four times the pace, which fills the caches that are bounded, and with a crowd at once, for whom it starts all the
processes it may have. It exits with 1 when the median of the last quarter is above that of the first by more than
`MAY_GROW` says, or when an answer was 500 or above.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.processes import tree
from benchmarks.soak_crowd import crowd
from benchmarks.soak_load import Client
from benchmarks.soak_plot import drawn

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "glpat-token-of-the-soak"
EVERY_SECONDS = 5.0
CLIENTS = 6
# The repositories go on growing: each is packed for the first time, and its packs are open and partly mapped.
MAY_GROW = {"memory_mb": 1.05, "anonymous_mb": 1.03, "descriptors": 1.1}
WARMER = 4
CROWDS = 5
PAGE = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """One look at the server: its processes' memory in MiB, how much of it no file is behind, their descriptors, and
    the requests so far.
    """

    seconds: float
    processes: int
    memory_mb: float
    anonymous_mb: float
    descriptors: int
    requests: int


def look(pid: int, begun: float, requests: int) -> Sample:
    """Return the state of a process and all its descendants."""
    pages = of_files = descriptors = processes = 0
    for each in tree(pid):
        try:
            resident, shared = map(int, Path(f"/proc/{each}/statm").read_text().split()[1:3])
            pages, of_files = pages + resident, of_files + shared
            descriptors += sum(1 for _ in Path(f"/proc/{each}/fd").iterdir())
        except OSError:
            continue  # a parser's child or a git program that has ended meanwhile
        processes += 1
    memory, anonymous = (each * PAGE / 2**20 for each in (pages, pages - of_files))
    return Sample(time.monotonic() - begun, processes, memory, anonymous, descriptors, requests)


def started(data: Path, workers: int, **settings: object) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server over a new data folder; return its process and port."""
    log = data.with_suffix(".log")
    command = [sys.executable, "-m", "cli.main", "serve", "--data", str(data), "--port", "0", "--workers", str(workers)]
    environment = {"PATH": os.environ["PATH"], "SECURE_FILES_ROOT_TOKEN": TOKEN}
    environment |= {f"SECURE_FILES_{name.upper()}": str(value) for name, value in settings.items()}
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stderr=stream)
    for _ in range(300):
        if found := re.search(rb"listening on http://127\.0\.0\.1:(\d+)", log.read_bytes()):
            return process, int(found[1])
        time.sleep(0.1)
    raise SystemExit(f"the server did not start: {log.read_text()}")


def soak(
    seconds: float, workers: int, per_second: float, warm_up: float, note: Callable[[Sample], None]
) -> tuple[list[Sample], Counter[str]]:
    """Run the load and return the samples and how often each status came to each kind of request.

    Each sample is told to `note` as it is taken: a run that is cut short has not been for nothing.
    """
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        process, port = started(Path(folder) / "data", workers)
        pause = CLIENTS / per_second
        clients = [Client(port, TOKEN, number, pause, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for _ in range(CROWDS):
            crowd(port, TOKEN)
        samples, begun = [], time.monotonic()
        while time.monotonic() - begun < warm_up + seconds and process.poll() is None:
            time.sleep(EVERY_SECONDS)
            for client in clients:
                client.pause = pause / (WARMER if time.monotonic() - begun < warm_up else 1)
            samples.append(look(process.pid, begun, sum(client.counts.total() for client in clients)))
            note(samples[-1])
        stop.set()
        for client in clients:
            client.join(60)
        process.terminate()
        process.wait(60)
    return samples, sum((client.counts for client in clients), Counter())


def verdict(samples: list[Sample], counts: Counter[str], warm_up: float) -> bool:
    """Print what came of it; say whether it is flat and without a failure."""
    for kind, count in sorted(counts.items()):
        print(f"{kind:30} {count}")
    failures = sum(count for kind, count in counts.items() if kind.rpartition(" ")[2] >= "500")
    samples = [sample for sample in samples if sample.seconds >= warm_up]
    quarter = max(1, len(samples) // 4)
    flat = True
    for name, may_grow in MAY_GROW.items():
        values = [float(getattr(sample, name)) for sample in samples]
        early = statistics.median(values[:quarter])
        late = statistics.median(values[3 * quarter :])
        flat = flat and late <= early * may_grow
        print(f"{name}: first quarter {early:.0f}, last quarter {late:.0f}, most {max(values):.0f}")
    print(f"requests {counts.total()}, failures {failures}")
    return flat and not failures


def line(sample: Sample) -> str:
    """Return a sample as a line of CSV."""
    return ",".join(f"{value:.1f}" if isinstance(value, float) else str(value) for value in sample)


def main() -> int:
    """Run the soak as the command line says."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--seconds", type=float, default=3600)
    options.add_argument("--warm-up", type=float, default=600)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--per-second", type=float, default=20, help="actions a second, of one to five requests")
    options.add_argument("--csv", type=Path)
    options.add_argument("--plot", type=Path)
    chosen = options.parse_args()
    with (chosen.csv or Path(os.devnull)).open("w", buffering=1) as table:
        print(",".join(Sample._fields), file=table)
        samples, counts = soak(
            chosen.seconds,
            chosen.workers,
            chosen.per_second,
            chosen.warm_up,
            lambda sample: print(line(sample), file=table),
        )
    if chosen.plot:
        chosen.plot.write_text(
            drawn([s.seconds for s in samples], [s.memory_mb for s in samples], [float(s.descriptors) for s in samples])
        )
    return 0 if verdict(samples, counts, chosen.warm_up) else 1


if __name__ == "__main__":
    sys.exit(main())
