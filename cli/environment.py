"""What a command takes from the environment: a pipeline's variables, and passwords by the name of theirs."""

from __future__ import annotations

import os

from vault.errors import Invalid


def secret(variable: str | None) -> str | None:
    """Return what the variable holds; None when no variable is named. Raises `Invalid` when it is not set."""
    if not variable:
        return None
    value = os.environ.get(variable)
    if value is None:
        raise Invalid("--password-env", f"names {variable}, which is not set")
    return value
