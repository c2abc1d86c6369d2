"""What a command takes from the environment: a pipeline's variables, and secrets by the name of theirs."""

from __future__ import annotations

import os

from cli.remote import Remote
from vault.errors import Invalid


def secret(variable: str | None, option: str = "--password-env") -> str | None:
    """Return what the variable holds; None when no variable is named. Raises `Invalid` when it is not set."""
    if not variable:
        return None
    value = os.environ.get(variable)
    if value is None:
        raise Invalid(option, f"names {variable}, which is not set")
    return value


def pipeline_url() -> str | None:
    """Return the API's address that a CI job is told."""
    return os.environ.get("CI_API_V4_URL") or None


def remote(url: str, token_env: str | None = None) -> Remote:
    """Return the vault at `url` with the token at hand: the variable named, else `SECURE_FILES_TOKEN`, else a job's.

    Raises `Invalid` when there is none.
    """
    if token := secret(token_env, "--token-env") or os.environ.get("SECURE_FILES_TOKEN"):
        return Remote.at(url, "PRIVATE-TOKEN", token)
    if token := os.environ.get("CI_JOB_TOKEN"):
        return Remote.at(url, "JOB-TOKEN", token)
    raise Invalid("token", "is missing: set SECURE_FILES_TOKEN, or name another variable with --token-env")
