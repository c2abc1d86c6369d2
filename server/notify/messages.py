"""What is said of files that expire: one title and one line each, plain text, the same in every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.expiry import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.notices import Notice

LISTED = 50
WHAT_TO_DO = (
    "Renew each, then put the new file in its place: `secure-files push --replace FILE`, or PUT on the secure file. "
    "Its id and its name stay."
)


def title(notices: Sequence[Notice]) -> str:
    """Return the message in one line without a break in it, whatever the files are called."""
    if len(notices) == 1:
        file = notices[0].file
        return one_line(f"{file.name} of {file.project}: {expires(notices[0])}")
    gone = any(notice.file.status == "expired" for notice in notices)
    told = f"{len(notices)} signing files expire{' soon or have expired' if gone else ''}"
    nearest = min(notices, key=lambda notice: notice.file.expires_at)
    return one_line(f"{told}, the first: {nearest.file.name}, {expires(nearest)}")


def lines(notices: Sequence[Notice]) -> list[str]:
    """Return a line for each file, soonest first; of very many the first fifty and how many there are besides."""
    ordered = sorted(notices, key=lambda notice: (notice.file.expires_at, notice.file.id))
    told = [one_line(f"{_day(each)}  {each.file.name} ({each.file.project}): {expires(each)}") for each in ordered]
    return told[:LISTED] + ([f"and {len(told) - LISTED} more"] if len(told) > LISTED else [])


def expires(notice: Notice) -> str:
    """Return when a file expires as a person says it: `expires in 6 days`, `expired 2 days ago`."""
    words = in_words(notice.file)
    return f"expires {words}" if words.startswith("in ") else words


def one_line(text: str) -> str:
    """Return text whose control characters and breaks have become spaces."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _day(notice: Notice) -> str:
    return notice.file.expires_at[:10]
