"""What a peer is, and what all of them need: programs by their ordinary installers, and a proof that one works."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.load import content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.load import Target

INSTALL_SECONDS = 1800


class Missing(Exception):
    """A peer cannot be had here; the words say why."""


@dataclass(frozen=True)
class Peer:
    """A peer: what it is and how it is run, what is not alike, and how it is had.

    `install(tools)` puts programs that no system package brings into the folder `tools`, once; `running(tools, data)`
    gives it over the empty folder `data`. Both raise `Missing` or `NotRunning`.
    """

    name: str
    what: str
    unlike: str
    install: Callable[[Path], None]
    running: Callable[[Path, Path], AbstractContextManager[Target]]
    sealed: bool = True  # nothing of a file lies on the disk in plain


def run(*command: str | Path, **options: Any) -> str:
    """Run a program to its end and return what it printed, errors too. Raises `Missing` with its last words."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{words[0]}: {error}") from error
    if done.returncode:
        raise Missing(f"{' '.join(words[:4])}: {(done.stderr or done.stdout).strip()[-400:]}")
    return f"{done.stdout}{done.stderr}"


def apt(program: str, *packages: str) -> None:
    """Have a program by Debian's packages, unless it is there."""
    if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=environment)


def ask(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, seconds: float = 30) -> Any:
    """Ask an HTTP API while a peer is set up; try again for so long. Return what it answers as JSON, None for nothing.

    Raises `Missing` with the last answer.
    """
    data = None if body is None else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **(headers or {})}
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, given, method=method), timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.read()[:300]!r}"
        except OSError as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise Missing(f"{method} {url}: {said}")
        time.sleep(0.2)


def in_plain(target: Target, data: Path, size: int) -> bool:
    """Store a file and say whether a piece of it, as it is or in base64, is found below the folder `data`."""
    whole = content(size)
    target.dialect(target.projects).upload(target.link(), 0, whole)
    pieces = (whole[1500:1564], base64.b64encode(whole)[2000:2064])
    for path in data.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            if any(piece in found for piece in pieces):
                return True
    return False


def prove(target: Target, size: int, seconds: float = 30) -> None:
    """Store a file, read it back, compare every byte, list and remove it. Raises `Missing` at what is not right.

    The first file may be refused for some seconds: several peers listen before they are ready.
    """
    link, dialect, data = target.link(), target.dialect(target.projects), content(size)
    deadline = time.monotonic() + seconds
    while not (path := dialect.upload(link, 0, data)):
        if time.monotonic() > deadline:
            raise Missing(f"takes no file of {size} bytes")
        time.sleep(0.5)
    if dialect.read(link, path) != data:
        raise Missing(f"gives other bytes than the {size} that were stored")
    if not dialect.download(link, path, size):
        raise Missing("a download counts as failed")
    if not dialect.list(link):
        raise Missing("gives no list")
    if not dialect.delete(link, path):
        raise Missing("removes no file")
