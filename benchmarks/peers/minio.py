"""MinIO with every object encrypted."""

from __future__ import annotations

import base64
import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.load import Target
from benchmarks.peers.dialects import ACCESS_KEY, S3, SECRET_KEY
from benchmarks.peers.peer import Missing, Peer, run
from benchmarks.run import PROJECTS
from benchmarks.serving import free_ports, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The last that its public repository gives; it compiles for some minutes.
SOURCE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"

READY_SECONDS = 20.0


def install(tools: Path) -> None:
    if not (tools / "minio").exists():
        run("go", "install", SOURCE, env={**os.environ, "GOBIN": str(tools)})


@contextmanager
def running(tools: Path, data: Path) -> Iterator[Target]:
    """Run one server over one folder, with a key that it seals every object under."""
    port, console = free_ports(2)
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(data),
        "MINIO_ROOT_USER": ACCESS_KEY,
        "MINIO_ROOT_PASSWORD": SECRET_KEY,
        "MINIO_KMS_SECRET_KEY": f"benchmark:{key}",
        "MINIO_KMS_AUTO_ENCRYPTION": "on",
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }
    places = ["--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{console}"]
    command = [str(tools / "minio"), "server", str(data / "disk"), *places]
    with started(command, port, data / "log", env=environment) as process:
        target = Target("minio", port, [process.pid], PROJECTS, dialect=S3)
        _make_buckets(target)
        yield target


def _make_buckets(target: Target) -> None:
    """Make them once the server is ready, which is some time after it listens."""
    until = time.monotonic() + READY_SECONDS
    while not S3(PROJECTS).make_buckets(target.link()):
        if time.monotonic() > until:
            raise Missing("makes no buckets")
        time.sleep(0.5)


PEER = Peer(
    "minio",
    "MinIO, one process over one folder, every object encrypted under one key given to it (MINIO_KMS_SECRET_KEY, "
    "AES-256-GCM or ChaCha20), requests signed (SigV4) with the body's SHA-256, which it checks",
    "the file is synced, its folder is not; the list is XML and bears names, sizes, times and checksums",
    install,
    running,
)
