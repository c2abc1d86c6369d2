"""How long the parsers take through the whole pipe to a child process and back, and what a bomb costs.

    python -m benchmarks.parsers [--rounds 200]

Each file is read in turn by one thread, so that the child is warm and nobody waits. A bomb is refused by the rounds
that it asks for, none of which is run: its time is that of any other file.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from parsers import Pool
from sample_certs.pkcs12 import with_iterations

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "sample_certs" / "files"
CORPUS = ROOT / "tests" / "parsers" / "corpus"


@dataclass(frozen=True)
class Case:
    """A file to read, what is expected of it, and how many milliseconds it may take."""

    name: str
    data: bytes
    password: str | None = None
    error: str | None = None
    limit: float = 2.0


def cases() -> list[Case]:
    """Return the files to read: of each kind one, the quick and the slow, and what nobody can read."""
    careful = (CORPUS / "openssl_rounds_600000.p12").read_bytes()
    modern = (SAMPLES / "distribution.p12").read_bytes()
    return [
        Case("certificate.cer", (SAMPLES / "sample.cer").read_bytes()),
        Case("profile.mobileprovision", (SAMPLES / "sample.mobileprovision").read_bytes()),
        Case("keystore.jks", (SAMPLES / "upload-keystore.jks").read_bytes(), "sample"),
        Case("keystore-listed.jks", (SAMPLES / "upload-keystore.jks").read_bytes()),
        Case("chain.pem", (SAMPLES / "chain.pem").read_bytes()),
        Case("key.p8", (CORPUS / "rsa.key").read_bytes()),
        Case("legacy.p12", (SAMPLES / "legacy.p12").read_bytes(), "sample", limit=10.0),
        Case("modern.p12", modern, "sample", limit=50.0),
        Case("600000-rounds.p12", careful, "secret", limit=2000.0),
        Case("10000001-rounds.p12", with_iterations(modern, 10_000_001), "sample", error="work_factor_too_high"),
        Case("rubbish.p12", bytes(4_900_000), error="unrecognized", limit=50.0),
    ]


def measure(pool: Pool, case: Case, rounds: int) -> list[float]:
    """Return milliseconds, one for each reading. Raises `SystemExit` when the answer is not the expected one."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        found = pool.inspect(case.name, case.data, case.password)
        taken.append((time.perf_counter() - started) * 1000)
        if found.error != case.error:
            raise SystemExit(f"{case.name}: {found.error!r} and not {case.error!r}")
    return taken


def main() -> None:
    """Read each file as often as the command line says, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="readings of each file (default 200)")
    options = parser.parse_args()
    pool = Pool(1)
    started = time.perf_counter()
    pool.inspect("first.cer", (SAMPLES / "sample.cer").read_bytes())
    print(f"{'start of a child':26} {(time.perf_counter() - started) * 1000:9.2f} ms")
    print(f"{'file':26} {'bytes':>9} {'p50_ms':>9} {'p99_ms':>9} {'limit':>9}")
    for case in cases():
        taken = sorted(measure(pool, case, max(5, options.rounds // (1 if case.limit < 50 else 20))))
        middle, high = statistics.median(taken), taken[int(len(taken) * 0.99)]
        remark = "" if middle < case.limit else "  OVER"
        print(f"{case.name:26} {len(case.data):9} {middle:9.2f} {high:9.2f} {case.limit:9.0f}{remark}", flush=True)
    pool.close()


if __name__ == "__main__":
    main()
