"""What a secure file may be called: all that GitLab takes, kept as it is given."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from vault.errors import Invalid, UnsafePath

NAME_LIMIT = 255
# GitLab's check (lib/gitlab/path_traversal.rb): `..` as a segment, a name of dots alone, a line break.
TRAVERSAL = re.compile(r"\A\.{1,2}\Z|\A\.\.[/\\]|[/\\]\.\.\Z|[/\\]\.\.[/\\]|[\n\r]")


def check_name(name: str) -> None:
    """Refuse a name GitLab would not take; one it takes is kept as it is given. Raises `Invalid`, `UnsafePath`."""
    if "\0" in name or TRAVERSAL.search(name) or TRAVERSAL.search(unquote_plus(name, errors="replace")):
        raise UnsafePath("name")
    if not name.strip():
        raise Invalid("name", "can't be blank")
    if len(name) > NAME_LIMIT:
        raise Invalid("name", f"is too long (maximum is {NAME_LIMIT} characters)")


def extension(name: str) -> str | None:
    """Return what stands behind the last dot, as Ruby's File.extname counts: None for `.env`, `x.`, `a.d/b`."""
    base = name.rpartition("/")[2].lstrip(".")
    return base.rpartition(".")[2] or None if "." in base else None
