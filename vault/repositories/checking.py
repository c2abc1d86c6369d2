"""Whether repositories are whole, by git's own word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.repositories import program

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 4 * 3600.0
FAULTS_TOLD = 20
# Nothing refers to what a refused push has left, and there are no reflogs.
QUIET = ("--no-dangling", "--no-progress", "--no-reflogs")


def faults(folder: Path) -> list[str]:
    """Return what `git fsck --strict` complains of in a repository: objects, their contents, refs, the commit graph.

    What old histories are full of and pushes may bring is no fault. Raises `Unavailable` when git does not come to an
    end or is not there.
    """
    if not (folder / "HEAD").is_file():
        return ["it is missing from the disk" if not folder.exists() else "its HEAD is missing"]
    config = {f"fsck.{name}": "ignore" for name in program.HARMLESS}
    try:
        program.run(folder, "fsck", "--strict", "--full", *QUIET, timeout=TIMEOUT, config=config, patient=True)
    except program.Failed as error:
        lines = f"{error.text}\n{error.told.decode('utf-8', 'replace')}".splitlines()
        told = [line for line in lines if line and not line.startswith(("notice:", "dangling "))]
        return told[:FAULTS_TOLD] or [str(error)]
    return []


def has_branches(folder: Path) -> bool:
    """Say whether there is a branch, past libgit2, which may hang over what is damaged."""
    try:
        return bool(program.run(folder, "for-each-ref", "--count=1", "refs/heads"))
    except program.Failed:
        return False
