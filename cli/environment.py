"""What a command takes from the environment: a pipeline's variables, and secrets by the name of theirs."""

from __future__ import annotations

import os
from pathlib import Path

from cli.remote import Remote, same_server
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


def address(given: str | None) -> str:
    """Return the server's address: the one given, else `SECURE_FILES_URL`, else the job's. Raises `Invalid`."""
    url = given or os.environ.get("SECURE_FILES_URL") or pipeline_url()
    if not url:
        raise Invalid("--url", "is missing, and neither SECURE_FILES_URL nor CI_API_V4_URL is set")
    return url


def project(given: str | None, url: str) -> str:
    """Return the project's path or number: the one given, else `SECURE_FILES_PROJECT`, else the job's own.

    Raises `Invalid` when there is none for the server at `url`.
    """
    if found := given or os.environ.get("SECURE_FILES_PROJECT"):
        return found
    if _is_the_jobs(url) and (found := os.environ.get("CI_PROJECT_ID") or os.environ.get("CI_PROJECT_PATH")):
        return found
    raise Invalid("--project", f"is missing, and no variable names a project at {url}")


def download_path() -> Path:
    """Return the folder that a job's secure files go to, as GitLab's own tools take it."""
    return Path(os.environ.get("SECURE_FILES_DOWNLOAD_PATH") or ".secure_files")


def remote(
    url: str, token_env: str | None = None, *, option: str = "--token-env", default: str = "SECURE_FILES_TOKEN"
) -> Remote:
    """Return the server at `url` with the token at hand: of the variable named, of the default one, else the job's.

    A job's token goes to the job's own server alone, as does `PRIVATE_TOKEN`, which GitLab's tools take beside it.
    Raises `Invalid` when there is none.
    """
    if token_env and not secret(token_env, option):
        raise Invalid(option, f"names {token_env}, which is empty")
    if token := os.environ.get(token_env or default):
        return Remote.at(url, "PRIVATE-TOKEN", token, _authority(url))
    if _is_the_jobs(url) and (token := os.environ.get("CI_JOB_TOKEN")):
        return Remote.at(url, "JOB-TOKEN", token, _authority(url))
    if pipeline_url() and _is_the_jobs(url) and (token := os.environ.get("PRIVATE_TOKEN")):
        return Remote.at(url, "PRIVATE-TOKEN", token, _authority(url))
    raise Invalid("token", f"is missing: set {default}, or name another variable with {option}")


def _authority(url: str) -> str | None:
    """Return the file of certificates that the job's server is known by, where its runner gives one."""
    file = os.environ.get("CI_SERVER_TLS_CA_FILE")
    return file if file and _is_the_jobs(url) and Path(file).is_file() else None


def _is_the_jobs(url: str) -> bool:
    """Say whether the job's variables are about this server; with no address among them they can be of no other."""
    theirs = pipeline_url()
    return theirs is None or same_server(theirs, url)
