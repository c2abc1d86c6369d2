"""The report as a Markdown table, for an issue, a wiki page or a job's summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vault.expiry import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.expiry import Expiry

# What Markdown or HTML in it would read as more than text, and what breaks a row.
ACTIVE = re.compile(r"([\\`*_{}\[\]()<>#!|~&@$%])")
BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


def markdown(rows: Iterable[Expiry]) -> str:
    """Return a table; whatever a file or a project is called, it stays text."""
    lines = [
        f"| {text(row.project)} | {text(row.name)} | {text(row.kind or '')} | {row.expires_at[:10]} | {in_words(row)} |"
        for row in rows
    ]
    if not lines:
        return "Nothing expires in this time."
    return "\n".join(["| Project | File | Kind | Expires | |", "| --- | --- | --- | --- | --- |", *lines])


def text(value: str) -> str:
    """Return `value` so that Markdown shows it letter for letter."""
    return ACTIVE.sub(r"\\\1", BREAKS.sub(" ", value))
