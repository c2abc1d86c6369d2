"""How the process deals with memory that it has let go of."""

from __future__ import annotations

import ctypes
import sys

# <malloc.h> of glibc; https://man7.org/linux/man-pages/man3/mallopt.3.html
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST_IN_HEAP = 32 * 1024 * 1024
KEPT = 64 * 1024 * 1024


def keep_freed() -> None:
    """Have buffers of files taken from memory that was used before, of which up to 64 MiB stay with the process.

    By its defaults glibc gives a buffer of some MiB back to the system at once, and what the system gives for the next
    one costs as much as opening a file into it. Where there is another libc nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)  # a thread's own arena is cut back after each large buffer
        mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP)
        mallopt(M_TRIM_THRESHOLD, KEPT)
