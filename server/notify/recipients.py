"""Who is told before files expire: a TOML file with a table `[[recipient]]` for each.

[[recipient]]
name = "mobile team"          # the vault remembers by it what it has told
kind = "slack"                # webhook, slack, teams, email, gitlab
url_file = "/etc/secure-files/slack-address"
projects = ["mobile/*"]       # default: all
days = [60, 30, 14, 7, 1]     # ahead of the expiry; this is the default
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from vault.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DAYS = (60, 30, 14, 7, 1)
SECRETS = ("url", "password", "token", "secret")
# What each kind has to be told beside its name; `x|y` is one of them.
NEEDED = {
    "webhook": ("url",),
    "slack": ("url",),
    "teams": ("url",),
    "email": ("server", "from", "to"),
    "gitlab": ("url", "project", "token"),
}
KNOWN = {
    "webhook": ("secret",),
    "slack": (),
    "teams": (),
    "email": ("username", "password", "tls"),
    "gitlab": ("labels",),
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """One to be told: `options` are those of his kind, secrets among them."""

    name: str
    kind: str
    days: tuple[int, ...] = DAYS
    projects: tuple[str, ...] = ("*",)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def cares_for(self, project: str) -> bool:
        """Say whether he is told of files in the project `group/name`."""
        return any(fnmatchcase(project.lower(), pattern.lower()) for pattern in self.projects)


def read(path: Path) -> list[Recipient]:
    """Return the recipients in a file. Raises `Invalid` with what is wrong with it, never with a secret."""
    try:
        text, mode = path.read_text("utf-8"), path.stat().st_mode
        tables = tomllib.loads(text).get("recipient")
    except OSError as error:
        raise Invalid("recipients", f"cannot be read: {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("recipients", f"is not TOML: {path}: {error}") from error
    if not isinstance(tables, list) or not tables:
        raise Invalid("recipients", f"has no table [[recipient]]: {path}")
    found = [_recipient(table, number, path) for number, table in enumerate(tables, 1)]
    if len({each.name for each in found}) < len(found):
        raise Invalid("recipients", f"has two of the same name: {path}")
    if mode & 0o077 and any(name in table for table in tables for name in SECRETS):
        raise Invalid("recipients", f"holds secrets and can be read by others; run: chmod 600 {path}")
    return found


def _recipient(table: Any, number: int, path: Path) -> Recipient:
    where = f"{path}, recipient {number}"
    if not isinstance(table, dict):
        raise Invalid("recipients", f"[[recipient]] has to be a table: {where}")
    given = {name: _with_secret(table, name, path, where) for name in _names(table)}
    name, kind = given.pop("name", None), given.pop("kind", None)
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        raise Invalid("recipients", f"a name is missing: {where}")
    if kind not in NEEDED:
        raise Invalid("recipients", f"kind has to be one of {', '.join(NEEDED)}: {where}")
    days = _days(given.pop("days", list(DAYS)), where)
    projects = _texts(given.pop("projects", ["*"]), "projects", where)
    _require(kind, given, where)
    return Recipient(name, kind, days, projects, given)


def _names(table: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name.removesuffix("_file") if name[:-5] in SECRETS else name for name in table))


def _with_secret(table: Mapping[str, Any], name: str, path: Path, where: str) -> Any:
    file = table.get(f"{name}_file")
    if file is None or name not in SECRETS:
        return table[name]
    try:
        return (path.parent / str(file)).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("recipients", f"{name}_file cannot be read ({type(error).__name__}): {where}") from error


def _days(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or not all(type(day) is int and 0 < day <= 3650 for day in value):
        raise Invalid("recipients", f"days has to be a list of whole numbers from 1 to 3650: {where}")
    return tuple(sorted(set(value), reverse=True))


def _texts(value: Any, name: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise Invalid("recipients", f"{name} has to be a list of texts: {where}")
    return tuple(value)


def _require(kind: str, given: Mapping[str, Any], where: str) -> None:
    for name in NEEDED[kind]:
        if not given.get(name):
            raise Invalid("recipients", f"{name} is missing: {where}")
    for name, value in given.items():
        if name not in (*NEEDED[kind], *KNOWN[kind]):
            raise Invalid("recipients", f"{name} is nothing that {kind} knows: {where}")
        if name in ("to", "labels"):
            _texts(value, name, where)
        elif not isinstance(value, str):
            raise Invalid("recipients", f"{name} has to be a text: {where}")
    if "url" in given and not given["url"].startswith(("https://", "http://")):
        raise Invalid("recipients", f"url has to begin with https:// or http://: {where}")
    if given.get("tls", "starttls") not in ("starttls", "tls", "none"):
        raise Invalid("recipients", f"tls has to be starttls, tls or none: {where}")
