"""A server on a disk that refuses the n-th thing it is asked, whatever that is (`failing_disk.c`)."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Self

SOURCE = Path(__file__).with_suffix(".c")
CONTROL = struct.Struct("=4i240s")


def compiler() -> str | None:
    """Return the C compiler of this machine, if there is one."""
    return shutil.which("cc")


class FailingDisk:
    """The folder `data` on a disk that does what it is told; give `environment` to the server that is to live on it."""

    def __init__(self, workshop: Path, data: Path) -> None:
        library, control = workshop / "failing_disk.so", workshop / "control"
        command = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        control.write_bytes(bytes(CONTROL.size))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), CONTROL.size)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAILING_DISK_CONTROL": str(control),
            "FAILING_DISK_FOLDER": str(data.resolve()),
        }

    def refuse(self, call: int, error: int, *, lasting: bool = False) -> None:
        """Let the `call`-th change from now on fail with `error`; with `lasting` whatever comes after it too."""
        self._control[:] = CONTROL.pack(call, error, lasting, 0, b"")

    @property
    def has_refused(self) -> bool:
        """Whether it has come to that."""
        return bool(CONTROL.unpack(self._control[:])[3])

    def mend(self) -> str:
        """Work well again and return which call was refused and on which file; empty when none was."""
        fired, where = CONTROL.unpack(self._control[:])[3:]
        self._control[:] = bytes(CONTROL.size)
        return str(where.rstrip(b"\0").decode()) if fired else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
