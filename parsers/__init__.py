"""Says what a signing file contains: its metadata and when it expires, or a code for why that cannot be read.

    Pool(workers=2).inspect(name, data, password)    in child processes; for servers
    inspect(name, data, password)                    the same through a pool made on first use
    read_here(name, data, password)                  in this process; for files you trust

All three return an `Inspection` and never raise on account of the file.
"""

from __future__ import annotations

import atexit
from functools import cache
from typing import TYPE_CHECKING

from parsers.interface import Inspection

if TYPE_CHECKING:
    from parsers.isolated import Pool

__all__ = ["Inspection", "Pool", "inspect", "read_here"]


def inspect(name: str, data: bytes, password: str | None = None) -> Inspection:
    """Say what a file holds, reading it in a child process; blocks. Any thread may call this."""
    return _default_pool().inspect(name, data, password)


def read_here(name: str, data: bytes, password: str | None = None) -> Inspection:
    """Say what a file holds, reading it in this process, without a deadline."""
    from parsers.reading import read_here as read  # noqa: PLC0415 - a server needs no parser in its own process

    return read(name, data, password)


def __getattr__(name: str) -> object:
    if name == "Pool":
        # The children import this package too, and what makes children is a third of what they would load.
        from parsers.isolated import Pool  # noqa: PLC0415

        return Pool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _default_pool() -> Pool:
    from parsers.isolated import Pool  # noqa: PLC0415 - as above

    pool = Pool()
    atexit.register(pool.close)
    return pool
