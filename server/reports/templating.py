"""How templates are read, for the page to print and for the pages of the server alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vault.expiry import in_words, moment

if TYPE_CHECKING:
    from jinja2 import BaseLoader

# Marks that turn the letters after them around: with one, `a<mark>gpj.cer` would look like `arec.jpg`.
TURNING = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def environment(loader: BaseLoader) -> Environment:
    """Return templates in which whatever a file is called is text, told in the order of its letters."""
    found = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_told
    )
    found.filters.update(in_words=in_words, day=day)
    return found


def _told(value: Any) -> Any:
    return value.translate(TURNING) if isinstance(value, str) and not isinstance(value, Markup) else value


def day(time: str | None) -> str:
    """Return the day of a catalog time as `4 Dec 2026`, nothing for None."""
    if not time:
        return ""
    found = moment(time)
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""As English has them, whatever the locale of the process."""
