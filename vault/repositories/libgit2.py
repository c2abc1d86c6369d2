"""libgit2 by pygit2, loaded and set up when a repository is first looked at: 12 MiB that a vault without any is spared.

Modules here name it `pygit2` as if they had imported that.
"""

from __future__ import annotations

from functools import cache
from typing import Any

# What libgit2 keeps for all of them together, in each process; left alone, 256 MiB, every pack it ever read, and as
# much of them in memory as there is.
# It counts the bytes of commits and trees, which take two and a half times as much once they are parsed: 31 MiB.
CACHE_BYTES = 12 * 1024 * 1024
OPEN_PACKS = 128
WINDOW_BYTES, WINDOWS_BYTES = 4 * 1024 * 1024, 64 * 1024 * 1024


@cache
def _loaded() -> Any:
    """Have libgit2 make durable what it writes, keep little, and read no configuration but a repository's own."""
    import pygit2  # noqa: PLC0415 - see above
    from pygit2.enums import ConfigLevel  # noqa: PLC0415

    pygit2.settings.enable_fsync_gitdir(True)
    pygit2.settings.cache_max_size(CACHE_BYTES)
    pygit2.settings.mwindow_file_limit = OPEN_PACKS
    pygit2.settings.mwindow_size, pygit2.settings.mwindow_mapped_limit = WINDOW_BYTES, WINDOWS_BYTES
    pygit2.settings.owner_validation = False  # the folder is the vault's, closed to everybody else
    for level in (ConfigLevel.SYSTEM, ConfigLevel.GLOBAL, ConfigLevel.XDG, ConfigLevel.PROGRAMDATA):
        pygit2.settings.search_path[level] = ""
    return pygit2


class _Later:
    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded(), name)


pygit2 = _Later()
