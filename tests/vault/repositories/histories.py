"""Histories to compare with git: made up at random from a seed, with all that makes walking them hard."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.vault.repositories.support import git_bytes

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("", "a/", "a/b/", "a/b/c/", "lib/", "lib/*/", ":(glob)/")
MODES = ("100644", "100644", "100644", "100755", "120000")

Files = dict[str, tuple[bytes, str]]
"""Content and mode by path."""


class History:
    """A stream for `git fast-import`: commits on lines that fork and merge, with renames, removals and other modes."""

    def __init__(self, seed: int, commits: int, files: int) -> None:
        self._random = random.Random(seed)
        self._commits = commits
        self._names = [f"{self._random.choice(FOLDERS)}f{number}" for number in range(files)]
        self._out: list[bytes] = []
        # The lines of development: the last commit of each, and its files.
        self._lines: list[tuple[int, Files]] = [(0, {})]

    def into(self, folder: Path, branch: str = "main") -> None:
        """Make the history in a bare repository, with its oldest line as the branch."""
        for mark in range(1, self._commits + 1):
            self._commit(mark)
        self._out.append(f"reset refs/heads/{branch}\nfrom :{self._lines[0][0]}\n\ndone\n".encode())
        git_bytes(f"--git-dir={folder}", "fast-import", "--quiet", "--done", given=b"".join(self._out))

    def _commit(self, mark: int) -> None:
        number = self._random.randrange(len(self._lines)) if self._random.random() < 0.5 else 0
        parent, before = self._lines[number]
        files, merged = dict(before), 0
        if self._random.random() < 0.12 and len(self._lines) > 1:
            merged = self._merge(number, files)
        if not merged or self._random.random() < 0.3:
            self._change(files)
        self._say(mark, [parent, merged], before, files)
        self._lines[number] = mark, files
        if self._random.random() < 0.1 and len(self._lines) < 5:
            self._lines.append((mark, files))

    def _merge(self, number: int, files: Files) -> int:
        """Take some of another line's files, as one does who resolves a merge, and return its last commit."""
        other = self._random.choice([index for index in range(len(self._lines)) if index != number])
        mark, theirs = self._lines[other]
        share = self._random.choice((0.0, 0.5, 1.0))
        for name in sorted(theirs.keys() | files.keys()):
            if self._random.random() < share:
                _put(files, name, theirs.get(name))
        return mark

    def _change(self, files: Files) -> None:
        for _ in range(self._random.randint(1, 3)):
            name, kind = self._random.choice(self._names), self._random.random()
            if name not in files:
                files[name] = self._edited(b""), self._random.choice(MODES)
            elif kind < 0.7:
                files[name] = self._edited(files[name][0]), files[name][1]
            elif kind < 0.8:
                files[name] = files[name][0], self._random.choice(MODES)
            elif kind < 0.9:
                del files[name]
            else:
                files[self._random.choice(self._names)] = files.pop(name)

    def _edited(self, content: bytes) -> bytes:
        lines = content.split(b"\n")
        at = self._random.randint(0, len(lines))
        new = [b"line\t%d " % self._random.randint(0, 10**6) for _ in range(self._random.randint(1, 4))]
        lines[at : at + self._random.randint(0, 2)] = new
        return b"\n".join(lines[-60:])

    def _say(self, mark: int, parents: list[int], before: Files, files: Files) -> None:
        when, zone = 1_700_000_000 + mark * 60, self._random.choice(("+0000", "+0200", "-0330"))
        message = f"commit {mark}\n\nwith a body"
        self._out.append(
            f"commit refs/heads/building-{mark}\nmark :{mark}\n"
            f"author Äna <ana@example.com> {when} {zone}\ncommitter Bo <bo@example.com> {when + 30} {zone}\n"
            f"data {len(message)}\n{message}\n".encode()
        )
        for word, parent in zip(("from", "merge"), parents, strict=True):
            if parent:
                self._out.append(f"{word} :{parent}\n".encode())
        for name in sorted(before.keys() | files.keys()):
            if name not in files:
                self._out.append(f"D {name}\n".encode())
            elif before.get(name) != files[name]:
                content, mode = files[name]
                self._out.append(f"M {mode} inline {name}\ndata {len(content)}\n".encode() + content + b"\n")
        self._out.append(b"\n")


def _put(files: Files, name: str, entry: tuple[bytes, str] | None) -> None:
    if entry is None:
        files.pop(name, None)
    else:
        files[name] = entry
