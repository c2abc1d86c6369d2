"""A repository as one file, by `git bundle`: all its refs, and what they lead to."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vault.errors import Damaged
from vault.repositories import program
from vault.repositories.store import make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 4 * 3600.0
CONFIG = {"pack.threads": "1", "pack.windowMemory": "256m"}


def refs_of(folder: Path) -> bytes:
    """Return a repository's refs, a line with id and name for each. Raises `Damaged` when git cannot read them."""
    try:
        return program.run(folder, "for-each-ref", "--format=%(objectname) %(refname)", timeout=TIMEOUT)
    except program.Failed as error:
        raise Damaged(f"git cannot read the refs of {folder.name}") from error


def bundle(folder: Path, refs: bytes, file: Path) -> None:
    """Write what these refs of a repository lead to into the new file `file`, while others move them. Raises `Damaged`.

    Not out of the repository itself: of a ref that moves meanwhile `git bundle` writes nothing, and says nothing.
    """
    with _standing_still(folder, refs, file.with_suffix(".git")) as still:
        try:
            arguments = ("bundle", "create", "--quiet", str(file), "--all")
            program.run(still, *arguments, timeout=TIMEOUT, config=CONFIG, patient=True)
        except program.Failed as error:
            file.unlink(missing_ok=True)
            raise Damaged(f"git cannot read all of {folder.name}") from error


@contextmanager
def _standing_still(folder: Path, refs: bytes, place: Path) -> Iterator[Path]:
    """Make a repository with the objects of another and with refs that nobody moves, for the length of the block."""
    try:
        for inside in ("objects/info", "refs"):
            (place / inside).mkdir(mode=0o700, parents=True)
        (place / "HEAD").write_text("ref: refs/heads/-\n", "utf-8")
        (place / "packed-refs").write_bytes(refs)
        (place / "objects/info/alternates").write_bytes(os.fsencode(folder.absolute() / "objects") + b"\n")
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def unbundle(file: Path | None, folder: Path) -> None:
    """Make the bare repository `folder` with all that is in a bundle; None: an empty one. Raises `Damaged`.

    Nothing is left when it cannot be read.
    """
    folder.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    make(folder, "main")
    try:
        if file is not None:
            arguments = ("--quiet", "--no-write-fetch-head", "--no-auto-maintenance", str(file), "+refs/*:refs/*")
            program.run(folder, "fetch", *arguments, timeout=TIMEOUT, config=CONFIG)
    except program.Failed as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Damaged("its bundle cannot be read") from error
