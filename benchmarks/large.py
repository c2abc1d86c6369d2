"""Large job artifacts up and down: how much memory does a server need above what it has when idle?

    python -m benchmarks.large --mb 2048 --times 20
    python -m benchmarks.large --mb 2048 --times 20 --at-once 20

Each upload is checked by what its download returns. The data folder needs room for as many files as go at once. It
exits with 1 when a round's peak, of all processes together, is more than `--most` MiB above idle.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import peak_mb, peaks_mb, reset_peak
from benchmarks.soak import TOKEN, started

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 2**20
PIECES = [os.urandom(MIB) for _ in range(8)]
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
TAIL = b"\r\n--x--\r\n"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def asked(port: int, method: str, path: str, headers: dict[str, str], body: Any = None) -> http.client.HTTPResponse:
    """Send a request on a connection of its own and return the answer, whose body is still to be read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request(method, f"/api/v4{path}", body, {"PRIVATE-TOKEN": TOKEN, **headers})
    answer = connection.getresponse()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {answer.read()!r}")
    return answer


def told(port: int, path: str, **fields: str) -> Any:
    """Return what a POST of JSON answers."""
    return json.load(asked(port, "POST", path, {"Content-Type": "application/json"}, json.dumps(fields)))


def content(mb: int) -> Iterator[bytes]:
    """Yield an artifact in pieces of a MiB."""
    for number in range(mb):
        yield PIECES[number % len(PIECES)]


def round_trip(port: int, project: int, mb: int) -> None:
    """Leave an artifact, read it back, compare, and erase it."""
    job = told(port, f"/projects/{project}/jobs", name="build", ref="main")
    headers = {**FORM, "JOB-TOKEN": job["token"], "Content-Length": str(mb * MIB + len(HEAD) + len(TAIL))}

    def body() -> Iterator[bytes]:
        yield HEAD
        yield from content(mb)
        yield TAIL

    asked(port, "POST", f"/jobs/{job['id']}/artifacts", headers, body()).read()
    path = f"/projects/{project}/jobs/{job['id']}/artifacts"
    sent, came = hashlib.sha256(), hashlib.sha256()
    for piece in content(mb):
        sent.update(piece)
    answer = asked(port, "GET", path, {})
    while piece := answer.read(MIB):
        came.update(piece)
    if came.digest() != sent.digest():
        raise SystemExit(f"{path} is not what was sent")
    asked(port, "DELETE", path, {}).read()


def measured(pid: int, port: int, chosen: argparse.Namespace) -> float:
    """Do the rounds, print what each took, and return the largest peak above idle, in MiB."""
    project = int(told(port, "/projects", name="large")["id"])
    round_trip(port, project, 1)  # every process has had its first request
    reset_peak(pid)
    idle, most = peak_mb(pid), 0.0
    print(f"idle {idle:.0f} MiB")
    with ThreadPoolExecutor(chosen.at_once) as pool:
        for begin in range(0, chosen.times, chosen.at_once):
            reset_peak(pid)
            begun = time.monotonic()
            together = min(chosen.at_once, chosen.times - begin)
            list(pool.map(lambda _: round_trip(port, project, chosen.mb), range(together)))
            each = " ".join(f"{peak:.0f}" for peak in peaks_mb(pid))
            above = peak_mb(pid) - idle
            print(f"{together} up and down: {time.monotonic() - begun:.0f} s, {above:+.0f} MiB ({each})", flush=True)
            most = max(most, above)
    return most


def main() -> int:
    """Run as the command line says."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--mb", type=int, default=2048, help="the size of each")
    options.add_argument("--times", type=int, default=20, help="how many in all")
    options.add_argument("--at-once", type=int, default=1, help="how many of them at the same time")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--most", type=float, default=150, help="MiB above idle, of all processes")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="large-") as folder:
        process, port = started(Path(folder) / "data", chosen.workers, artifact_bytes=(chosen.mb + 1) * MIB)
        try:
            most = measured(process.pid, port, chosen)
        finally:
            process.terminate()
            process.wait(60)
    print(f"at most {most:.0f} MiB above idle")
    return 0 if most <= chosen.most else 1


if __name__ == "__main__":
    sys.exit(main())
