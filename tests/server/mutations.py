"""Right requests with some of their bytes changed, many at one time.

`python -m tests.server.mutations --count 100000 --seeds 10` tries so many of each seed on a server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, urlsplit

from tests.harness import ROOT_TOKEN, RunningVault
from tests.reliability.processes import Server
from tests.server.mutable import Stored, right_requests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# Where a target is cut into pieces, and which of them may be another without being another route.
PIECES, VALUE = re.compile(rb"([/?&=])"), re.compile(rb"^(?!v4$).*[0-9.%]|^(?:main|root|true|a|r|HEAD)$")
AT_ONCE = 256
# How long to wait for an answer. Where none comes, the server waits for the rest of a request that has lost it.
PATIENCE = 2.0

WORDS = (
    *(
        b"\x00",
        b"\xff",
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"--frontier",
        b"--frontier--\r\n",
        b"%00",
        b"%",
        b"%2F",
        b"%2e%2e",
    ),
    *(b"..", b"/", b"[]", b"[a]", b"&", b"=", b";", b'"', b"'", b"\\", b"{", b"}", b"[", b"null", b"true", b"-1", b"0"),
    *(b"9" * 20, b"1e999", b"NaN", b"\\ud800", "\u202e".encode(), b"a" * 5000, b"page", b"per_page", b"private_token"),
    *(
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(b"Range: bytes=0-0\r\n", b"If-None-Match: *\r\n", b"JOB-TOKEN: x\r\n", b"Content-Type: application/json\r\n"),
)


def swap(data: bytes, rng: random.Random) -> bytes:
    """Change one byte."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Leave some bytes out."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 20) :]


def double(data: bytes, rng: random.Random) -> bytes:
    """Say some bytes again."""
    at, length = rng.randrange(len(data)), rng.randrange(1, 40)
    return data[: at + length] + data[at : at + length] * rng.choice((1, 2, 50)) + data[at + length :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Put in a word that means something somewhere."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(WORDS) + data[at:]


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (swap, cut, double, insert, insert)


def mutated(head: bytes, body: bytes, rng: random.Random) -> bytes:
    """Change the request one to three times, and tell its length rightly, mostly."""
    for _ in range(rng.randrange(1, 4)):
        if body and rng.random() < 0.6:
            body = rng.choice(CHANGES)(body or b" ", rng)
        elif rng.random() < 0.7:
            head = in_target(head, rng)
        else:
            head = rng.choice(CHANGES)(head or b" ", rng)
    length = b"Content-Length: %d\r\n" % len(body) if body and rng.random() < 0.95 else b""
    lines = head.rstrip(b"\r\n") + b"\r\n"
    return lines + length + b"\r\n" + body


def in_target(head: bytes, rng: random.Random) -> bytes:
    """Change a value in path or query, mostly so that it is still HTTP: what its parser refuses gets no further."""
    method, _, rest = head.partition(b" ")
    target, mark, more = rest.partition(b" HTTP/")
    pieces = PIECES.split(target)
    values = [number for number, piece in enumerate(pieces) if VALUE.search(piece)] if rng.random() < 0.8 else []
    number = rng.choice(values or range(len(pieces)))
    changed = rng.choice(CHANGES)(pieces[number] or b"/", rng)
    if rng.random() < 0.9:
        changed = quote_from_bytes(changed, safe="/%?&=[]:+-._~;,@!$'()*").encode()
    return method + b" " + b"".join([*pieces[:number], changed, *pieces[number + 1 :]]) + mark + more


def mutations(right: list[tuple[bytes, bytes]], seed: int, count: int) -> Iterator[bytes]:
    """Yield so many changed requests, the same for each seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield mutated(*rng.choice(right), rng)


async def status(host: str | None, port: int | None, raw: bytes) -> int | None:
    """Send a request and return the status of the answer, None when there is none."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(raw)
            await writer.drain()
        async with asyncio.timeout(PATIENCE):
            while (found := int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])) < 200:
                pass  # it may go on
        return found
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
        return None
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answers(url: str, requests: Iterator[bytes]) -> AsyncIterator[tuple[bytes, int | None]]:
    """Send all requests, many at one time, and yield each with the status of its answer."""
    place = urlsplit(url)
    under_way: dict[asyncio.Task[int | None], bytes] = {}
    for raw in requests:
        under_way[asyncio.create_task(status(place.hostname, place.port, raw))] = raw
        if len(under_way) >= AT_ONCE:
            done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield under_way.pop(task), task.result()
    for task, raw in under_way.items():
        yield raw, await task


class Remote(RunningVault):
    """A vault in another process, as the helpers for people and projects see it."""

    def __init__(self, url: str) -> None:
        self.url = url


def say(line: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _try(url: str, right: list[tuple[bytes, bytes]], seed: int, count: int) -> Counter[int | None]:
    counts: Counter[int | None] = Counter()
    async for raw, got in answers(url, mutations(right, seed, count)):
        counts[got] += 1
        if got is not None and got >= 500:
            say(f"seed {seed}: {got} to {raw!r}")
    return counts


def main() -> None:
    """Try mutations on a server of its own, and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args()
    total: Counter[int | None] = Counter()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data", workers=1) as server:
        vault = Remote(server.url)
        stored = Stored(vault, ROOT_TOKEN)
        right = right_requests(vault, stored)
        for seed in range(1, chosen.seeds + 1):
            counts = asyncio.run(_try(server.url, right, seed, chosen.count))
            total += counts
            say(f"seed {seed}: {dict(counts)}; lost: {stored.lost()}")
        say(f"in all: {dict(total)}; 5xx in the log: {server.log.count('Traceback')}")


if __name__ == "__main__":
    main()
