"""What was made of rows lately, of use for as long as nothing is committed by anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

BUDGET = 8 * 1024 * 1024
"""Bytes of all that is kept."""
LARGEST = 256 * 1024
OVERHEAD = 1024
"""What an entry takes beside its long texts, as a round number."""


class Known:
    """What was read at one moment of the catalog. Whoever keeps something here read it after he was given this."""

    __slots__ = ("_entries", "_room")

    def __init__(self) -> None:
        self._entries: dict[Hashable, Any] = {}
        self._room = BUDGET

    def get(self, key: Hashable) -> Any:
        """Return what was kept under `key`; None when nothing was."""
        return self._entries.get(key)

    def keep(self, key: Hashable, value: Any, size: int = 0) -> None:
        """Keep what nobody changes any more, with long texts of `size` bytes; or not, when there is no room."""
        if size <= LARGEST and size + OVERHEAD <= self._room:
            self._room -= size + OVERHEAD
            self._entries[key] = value
