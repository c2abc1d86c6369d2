"""Who signs a commit."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pygit2

    from vault.models import User
else:
    from vault.repositories.libgit2 import pygit2

# What git strips from the ends of a name (its ident.c), and what no name may hold.
CRUD = "".join(map(chr, range(33))) + ".,:;<>\"\\'"
NEVER = re.compile(r"[\n\r\x00<>]")


def sign(user: User, name: str | None = None, email: str | None = None) -> pygit2.Signature:
    """Return a signature of this moment in UTC, the user's own where no other name or address is given."""
    return pygit2.Signature(
        _first(name, user.name, user.username), _first(email, user.email, user.username), int(time.time()), 0
    )


def _first(*names: str | None) -> str:
    """Return the first of the names of which git leaves something."""
    return next(filter(None, (NEVER.sub("", name or "").strip(CRUD) for name in names)), "unknown")
