"""Options that several commands share, and how they become settings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from server import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cli.remote import Remote

ABOUT = {field.name: field.metadata["about"] for field in fields(settings.Settings)}
WORKING = ("data", "database", "blobs", "keyring", "kms")


def add_settings(sub: argparse.ArgumentParser, names: Sequence[str] = WORKING) -> None:
    """Add a flag for each named setting; what is not given comes from the environment or the file."""
    for name in names:
        flag = "--" + name.replace("_", "-")
        default = next(field.default for field in fields(settings.Settings) if field.name == name)
        text = ABOUT[name].replace("%", "%%")
        if isinstance(default, bool):
            sub.add_argument(flag, dest=name, default=None, action="store_true", help=text)
        elif isinstance(default, tuple):
            sub.add_argument(flag, dest=name, default=None, action="append", help=f"{text}; repeatable", metavar="CIDR")
        else:
            text += f" (default {default})" if default != "" else ""
            sub.add_argument(flag, dest=name, default=None, help=text, metavar=name.upper())
    sub.add_argument("--config", default=None, metavar="FILE", help="TOML file with settings")


def load(options: argparse.Namespace) -> settings.Settings:
    """Return the settings that the parsed options ask for."""
    known: dict[str, Any] = {name: getattr(options, name, None) for name in (*ABOUT, "config")}
    return settings.load(known)


def add_source(sub: argparse.ArgumentParser) -> None:
    """Add the flags that say which vault a report is of: a data folder, or an address."""
    sub.add_argument("--url", metavar="URL", help="ask the vault at this address instead of a data folder")
    sub.add_argument("--token-env", metavar="VAR", help="variable that holds the token for --url")
    add_settings(sub)


def source(options: argparse.Namespace) -> settings.Settings | Remote:
    """Return the vault a report is of: at `--url`, or in the settings' folder, or that of a job that was told of one.

    Raises `Invalid` when there is no token for an address.
    """
    from cli import environment

    found, url = load(options), options.url
    if url is None and found == settings.Settings():
        url = environment.pipeline_url()
    return found if url is None else environment.remote(url, options.token_env)
