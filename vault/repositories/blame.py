"""Who wrote each line, asked of the git program: it follows renames of whole files and can be stopped.

Only ids and numbers of lines are taken from it. Its other words would come from a committed `.mailmap`; the commits
and the lines are read from the objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from vault.repositories import program

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pygit2

    from vault.repositories.opened import OpenRepository
else:
    from vault.repositories.libgit2 import pygit2


class Lines(NamedTuple):
    """Lines `first` to `last` of a file, counted from 1, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class BlamedCommit:
    """A commit as blame tells of it; times are ISO 8601 with milliseconds and the author's own offset."""

    id: str
    parent_ids: tuple[str, ...]
    message: str
    authored_date: str
    author_name: str
    author_email: str
    committed_date: str
    committer_name: str
    committer_email: str


@dataclass(frozen=True, slots=True)
class BlameRange:
    """Lines that stand together and came with one commit."""

    commit: BlamedCommit
    lines: list[str]


def split_lines(content: bytes) -> list[bytes]:
    """Return a file's lines as git counts them, without their ends."""
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def blame(opened: OpenRepository, commit_id: str, path: str, content: bytes, asked: Lines | None) -> list[BlameRange]:
    """Return the ranges of a file's lines, in order; of those asked for, cut at the file's end."""
    lines = split_lines(content)
    asked = asked or Lines(1, len(lines))
    asked = Lines(asked.first, min(asked.last, len(lines)))
    if asked.first > asked.last:
        return []
    span = f"{asked.first},{asked.last}"
    arguments = ("--incremental", "--no-textconv", "-L", span, commit_id, "--", path)
    told = program.run(opened.folder, "blame", *arguments)
    commits: dict[str, BlamedCommit] = {}
    ranges: list[BlameRange] = []
    for each_id, group in _joined(sorted(_groups(told))):
        if each_id not in commits:
            commits[each_id] = _commit(opened, each_id)
        texts = [line.decode("utf-8", "replace") for line in lines[group.first - 1 : group.last]]
        ranges.append(BlameRange(commits[each_id], texts))
    return ranges


def _groups(told: bytes) -> Iterable[tuple[Lines, str]]:
    """Yield what `git blame --incremental` found: `<id> <line then> <line now> <count>`, words, `filename <path>`."""
    heading = True
    for line in told.split(b"\n"):
        if heading and line:
            commit_id, _, first, count = line.split(b" ")
            yield Lines(int(first), int(first) + int(count) - 1), commit_id.decode("ascii")
        heading = line.startswith(b"filename ")


def _joined(groups: Iterable[tuple[Lines, str]]) -> Iterable[tuple[str, Lines]]:
    """Yield neighbours of one commit as one range."""
    commit, first, last = "", 0, 0
    for span, commit_id in groups:
        if commit_id == commit:
            last = span.last
            continue
        if commit:
            yield commit, Lines(first, last)
        commit, first, last = commit_id, span.first, span.last
    if commit:
        yield commit, Lines(first, last)


def _commit(opened: OpenRepository, commit_id: str) -> BlamedCommit:
    commit = opened.commit(pygit2.Oid(hex=commit_id))
    author, committer, encoding = commit.author, commit.committer, commit.message_encoding
    return BlamedCommit(
        id=commit_id,
        parent_ids=tuple(str(parent) for parent in commit.parent_ids),
        message=_text(commit.raw_message, encoding),
        authored_date=moment(author),
        author_name=_text(author.raw_name, encoding),
        author_email=_text(author.raw_email, encoding),
        committed_date=moment(committer),
        committer_name=_text(committer.raw_name, encoding),
        committer_email=_text(committer.raw_email, encoding),
    )


def _text(raw: bytes, encoding: str | None) -> str:
    """Return words of a commit, in the encoding it names; what does not fit is replaced."""
    try:
        return raw.decode(encoding or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def moment(signature: pygit2.Signature) -> str:
    """Return when a commit was signed, as `2014-02-27T10:14:56.000+02:00`."""
    try:
        then = datetime.fromtimestamp(signature.time, timezone(timedelta(minutes=signature.offset)))
    except (ValueError, OverflowError, OSError):  # a time or an offset that no calendar has
        then = datetime.fromtimestamp(0, UTC)
    return then.isoformat(timespec="milliseconds")
