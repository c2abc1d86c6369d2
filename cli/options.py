"""Options that several commands share, and how they become settings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from server import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

ABOUT = {field.name: field.metadata["about"] for field in fields(settings.Settings)}
WORKING = ("data", "database", "blobs", "keyring")


def add_settings(sub: argparse.ArgumentParser, names: Sequence[str] = WORKING) -> None:
    """Add a flag for each named setting; what is not given comes from the environment or the file."""
    for name in names:
        flag = "--" + name.replace("_", "-")
        default = next(field.default for field in fields(settings.Settings) if field.name == name)
        text = ABOUT[name] + (f" (default {default})" if default != "" else "")
        sub.add_argument(flag, dest=name, default=None, help=text.replace("%", "%%"), metavar=name.upper())
    sub.add_argument("--config", default=None, metavar="FILE", help="TOML file with settings")


def load(options: argparse.Namespace) -> settings.Settings:
    """Return the settings that the parsed options ask for."""
    known: dict[str, Any] = {name: getattr(options, name, None) for name in (*ABOUT, "config")}
    return settings.load(known)
