"""A bar on the terminal of whoever waits; in a job's log there is none."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Self

from cli.main import say
from cli.tables import printable

if TYPE_CHECKING:
    from typing import TextIO

BAR_WIDTH = 20


class Progress:
    """Counts up to a total while the block runs, in one line of stderr that is gone afterwards."""

    def __init__(self, doing: str, total: int = 0, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._doing = doing
        self._done = 0
        self.total = total
        self._shown = self._stream.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def begin(self, doing: str, total: int) -> None:
        """Count anew, for another part of the work."""
        self._doing, self._done, self.total = doing, 0, total

    def step(self, name: str, count: int = 1) -> None:
        """Count one more, or several."""
        self._done += count
        if not self._shown:
            return
        filled = min(BAR_WIDTH * self._done // max(self.total, 1), BAR_WIDTH)
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        line = f"{self._doing} [{bar}] {self._done}/{self.total} {printable(name)}"
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r{line[:width]:<{width}}")
        self._stream.flush()

    def note(self, text: str) -> None:
        """Say something that stays."""
        self._clear()
        say(text)

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self._stream.flush()
