"""Floors and vault in one run: uploads, downloads and lists at concurrency 1 and 16; prints medians and ratios."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.dialect import private
from benchmarks.load import Target, Work, measure
from benchmarks.serving import free_port, started

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB, MIB = 1 << 10, 1 << 20
SIZES = (3 * KIB, 5 * MIB)
UPLOADS = {3 * KIB: 300, 5 * MIB: 40}
PROJECTS = range(1, 13)

Rows = dict[tuple[str, int, int], dict[str, list[dict[str, float]]]]


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path, **environment: str) -> Iterator[int]:
    """Give the process id of a server of our own that answers on `port`."""
    words = [sys.executable, "-m", *command]
    with started(words, port, folder / "log", env={**os.environ, **environment}) as process:
        yield process.pid


@contextlib.contextmanager
def floor(mode: str, folder: Path, size: int) -> Iterator[Target]:
    port = free_port()
    command = ["benchmarks.floors", mode, "--port", str(port), "--folder", str(folder / mode), "--size", str(size)]
    with running(command, port, folder) as pid:
        yield Target(mode, port, [pid], PROJECTS)


@contextlib.contextmanager
def vault(folder: Path, workers: int) -> Iterator[Target]:
    port, token = free_port(), f"glpat-{secrets.token_hex(16)}"
    command = ["cli.main", "serve", "--data", str(folder / f"vault-{workers}"), "--port", str(port)]
    limits = {"SECURE_FILES_SECURE_FILE_BYTES": str(6 * MIB), "SECURE_FILES_ROOT_TOKEN": token}
    with running([*command, "--workers", str(workers)], port, folder, **limits) as pid:
        projects = [make_project(port, token, number) for number in PROJECTS]
        yield Target(f"vault-{workers}", port, [pid], projects, private(token))


def make_project(port: int, token: str, number: int) -> int:
    body = json.dumps({"name": f"benchmark-{number}"}).encode()
    headers = {"PRIVATE-TOKEN": token, "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v4/projects", body, headers)
    for _ in range(50):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(json.load(answer)["id"])
        except urllib.error.URLError:
            time.sleep(0.1)
    raise SystemExit("the vault does not answer")


def warm(folder: Path) -> None:
    """Touch the page cache: a page that was never used is many times slower than one that was."""
    path, block = folder / "warm", bytes(1 << 20)
    with path.open("wb", buffering=0) as file:
        for _ in range(1024):
            file.write(block)
    path.unlink()


def one_round(target: Target, size: int, seconds: float, rows: Rows, *, remove: bool = True) -> None:
    """Upload, download and list at both concurrencies; then remove what was made, unless its folder goes anyway."""
    made: list[str] = []
    for connections in (1, 16):
        for operation in ("upload", "download", "list"):
            if operation == "list" and size != SIZES[0]:
                continue
            upload = operation == "upload"
            if operation == "download" and not made:
                continue  # a peer that takes nothing
            count, first = (UPLOADS[size], len(made)) if upload else (1_000_000, 0)
            result = measure(target, Work(operation, size, connections, count, seconds, first), made)
            made += result.made
            rows.setdefault((operation, size, connections), {}).setdefault(target.name, []).append(result.row())
    if remove and target.name != "bare":
        measure(target, Work("delete", 1, 1, len(made), 600), made)


def medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in found) for key in found[0]}


def show(rows: Rows) -> list[dict[str, Any]]:
    """Print the table and return it."""
    columns = ("per_s", "p50_ms", "p99_ms", "cpu_ms", "peak_mb", "alien", "errors", "x_bare", "x_honest")
    print(f"{'operation':9} {'size':>8} {'c':>3} {'target':10}" + "".join(f"{column:>10}" for column in columns))
    table = []
    for (operation, size, connections), by_target in rows.items():
        middle = {name: medians(found) for name, found in by_target.items()}
        for name, row in middle.items():
            for yardstick in ("bare", "honest"):
                row[f"x_{yardstick}"] = row["per_s"] / max(middle[yardstick]["per_s"], 1e-9)
            cells = "".join(f"{row[column]:10.2f}" for column in columns)
            print(f"{operation:9} {size:8} {connections:3} {name:10}{cells}", flush=True)
            table.append({"operation": operation, "size": size, "connections": connections, "target": name, **row})
    return table


def main() -> None:
    """Measure floors and vault as the command line says, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--workers", default="1,2", help="how many processes the vault serves with, in turn")
    parser.add_argument("--json", type=Path, help="write the medians here too")
    options = parser.parse_args()
    rows: Rows = {}
    steps = options.rounds * len(SIZES)
    for number in range(options.rounds):
        for at, size in enumerate(SIZES):
            print(f"round {number * len(SIZES) + at + 1} of {steps}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
                folder = Path(name)
                servers = [floor("bare", folder, size), floor("honest", folder, size)]
                servers += [vault(folder, int(workers)) for workers in options.workers.split(",")]
                for server in servers:
                    warm(folder)
                    with server as target:
                        one_round(target, size, options.seconds, rows)
    table = show(rows)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1), "utf-8")


if __name__ == "__main__":
    main()
