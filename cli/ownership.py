"""Commands that change a vault are for the user whose it is: what root writes there, the server could not read."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from vault.errors import Forbidden

if TYPE_CHECKING:
    from pathlib import Path


def require_owner(*places: Path) -> None:
    """Raise `Forbidden` when a place that is there belongs to another user than the one who runs this command."""
    for place in places:
        if place.exists() and (owner := place.stat().st_uid) != os.geteuid():
            name = _name(owner)
            raise Forbidden(
                f"{place} belongs to {name}, and what another user changes there the server may not be able to read; "
                f"run this command as {name}"
            )


def operator() -> str:
    """Return who runs this command, as the audit log calls him."""
    return f"os:{_name(os.geteuid())}"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
