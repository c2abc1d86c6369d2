"""How the process deals with memory that it has let go of.

Where there is another libc than glibc nothing is changed.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# <malloc.h> of glibc; https://man7.org/linux/man-pages/man3/mallopt.3.html
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST_IN_HEAP = 32 * 1024 * 1024
KEPT = 64 * 1024 * 1024


def keep_freed() -> None:
    """Have buffers of files taken from memory that was used before, of which up to 64 MiB stay with the process.

    By its defaults glibc gives a buffer of some MiB back to the system at once, and what the system gives for the next
    one costs as much as opening a file into it.
    """
    mallopt = _of_libc("mallopt")
    mallopt(M_ARENA_MAX, 1)  # a thread's own arena is cut back after each large buffer
    mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP)
    mallopt(M_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """Give the system what is not used any more, and what lies unused between what is used.

    Neither happens by itself in a process that has become quiet: what was to be sent to clients that went away hangs in
    circles of objects, and glibc keeps what is between. Takes some milliseconds, in which no other thread goes on: for
    once in a while.
    """
    gc.collect()
    _of_libc("malloc_trim")(0)


def settle() -> None:
    """Have the collector pass over what is there by now: most of all objects, and they live as long as the process."""
    gc.collect()
    gc.freeze()


def _of_libc(name: str) -> Callable[..., object]:
    """Return a function of glibc's; where there is none, one that does nothing."""
    if not sys.platform.startswith("linux"):
        return lambda *_: None
    return getattr(ctypes.CDLL(None), name, lambda *_: None)
