"""Which names of files and branches are taken: what git would refuse to check out, or to make, never gets in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vault.errors import CannotCommit, UnsafePath

if TYPE_CHECKING:
    import pygit2
else:
    from vault.repositories.libgit2 import pygit2

# GitLab's check (lib/gitlab/path_traversal.rb): `..` as a segment, a name of dots alone, a line break.
TRAVERSAL = re.compile(r"\A\.{1,2}\Z|\A\.\.[/\\]|[/\\]\.\.\Z|[/\\]\.\.[/\\]|[\n\r]")
# Characters that HFS+ drops from names (git's utf8.c, next_hfs_char).
DROPPED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
# NTFS drops blanks and dots at the end, and takes what follows a colon for a stream; `git~1` is its short name.
DOT_GIT = re.compile(r"(?:\.git|git~1)[ .]*(?::.*)?")
# A ref is a file, and git writes `<name>.lock` beside it: in bytes.
LONGEST_PART_OF_A_BRANCH, LONGEST_BRANCH = 250, 1000
FULL_ID = re.compile(r"[0-9a-fA-F]{40}")


def clean_path(path: str) -> str:
    """Return a file's path as git has it: without a leading `./` and a trailing `/`.

    Raises `UnsafePath` for what climbs out of the repository, also written with escapes, and for what is no text.
    """
    once_more = unquote(path, errors="replace")
    if "\0" in path or path.startswith("/") or TRAVERSAL.search(path) or TRAVERSAL.search(once_more):
        raise UnsafePath("file_path")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise UnsafePath("file_path") from None
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    path = path.rstrip("/")
    if not path or TRAVERSAL.search(path):
        raise UnsafePath("file_path")
    return path


def check_writable_path(path: str) -> None:
    """Refuse a clean path that no tree may hold. Raises `CannotCommit`."""
    segments = path.split("/")
    if any(segment in {"", ".", ".."} for segment in segments) or is_git_folder(path):
        raise CannotCommit(f"invalid path: '{path}'")


def is_git_folder(path: str) -> bool:
    """Say whether a part of the path is `.git` to some file system: git refuses to check such a tree out."""
    return any(
        DOT_GIT.fullmatch(DROPPED_BY_HFS.sub("", segment).lower()) is not None for segment in re.split(r"[/\\]", path)
    )


def is_branch_name(name: str) -> bool:
    """Say whether git would make a branch of this name, and nobody take it for a commit."""
    encoded = name.encode("utf-8", "replace")
    return not (
        len(encoded) > LONGEST_BRANCH
        or any(len(part) > LONGEST_PART_OF_A_BRANCH for part in encoded.split(b"/"))
        or encoded.decode("utf-8") != name
        or "\0" in name  # libgit2 would see a shorter name
        or name.startswith("-")
        or name == "HEAD"
        or FULL_ID.fullmatch(name)
        or not pygit2.reference_is_valid_name(f"refs/heads/{name}")
    )
