"""Checks parameters the way GitLab's API framework does: all of them, then one 400 that names each that is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from server.errors import BadRequest
from server.forms import UploadedFile
from vault.access import LARGEST_ID
from vault.clock import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from server.forms import Values

T = TypeVar("T")

TRUE, FALSE = frozenset(("true", "t", "1", "yes", "on")), frozenset(("false", "f", "0", "no", "off", ""))


class Check:
    """Collects what is wrong with a request's values; `done` raises `BadRequest` when anything is.

    The values it returns are safe to use only after `done`. Null and absent are the same.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._problems: list[str] = []

    def done(self) -> None:
        """Raise `BadRequest` with every problem found, in the order of the checks."""
        if self._problems:
            raise BadRequest(", ".join(self._problems))

    def has(self, name: str) -> bool:
        """Say whether the parameter was given."""
        return self._values.get(name) is not None

    def refuse(self, name: str, problem: str) -> None:
        """Note a problem found elsewhere."""
        self._problems.append(f"{name} {problem}")

    def _get(self, name: str, convert: Callable[[Any], T], default: T, *, required: bool) -> T:
        value = self._values.get(name)
        if value is None:
            if required:
                self.refuse(name, "is missing")
            return default
        try:
            return convert(value)
        except (ValueError, TypeError, OverflowError):
            self.refuse(name, "is invalid")
            return default

    def text(self, name: str, default: str = "", *, required: bool = False, blank: bool = True) -> str:
        """Return text; numbers are taken as text. Unless `blank`, an empty one is a problem."""
        value = self._get(name, _text, default, required=required)
        if not blank and self.has(name) and not value.strip():
            self.refuse(name, "is empty")
        return value

    def maybe_text(self, name: str) -> str | None:
        """Return text, or None when it was not given."""
        return self.text(name) if self.has(name) else None

    def integer(self, name: str, *, required: bool = False) -> int | None:
        """Return a 64-bit integer, or None when it was not given."""
        return self._get(name, _integer, None, required=required)

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """Return a truth value, from JSON or from the words a form has for it."""
        return self._get(name, _boolean, default, required=False)

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str | None:
        """Return one of the allowed words."""
        value = self.maybe_text(name)
        if value is not None and value not in allowed:
            self.refuse(name, "does not have a valid value")
        return default if value is None else value

    def words(self, name: str, *, required: bool = False) -> list[str]:
        """Return a list of texts: a JSON list, `name[]`, or one text with commas."""
        return self._get(name, _words, [], required=required)

    def date(self, name: str) -> date | None:
        """Return a date, `2026-02-22`, also out of a full time; None when it was not given or is empty."""
        return self._get(name, _date, None, required=False)

    def moment(self, name: str) -> str | None:
        """Return a date or time as the catalog writes it; a date is its first moment in UTC."""
        return self._get(name, _moment, None, required=False)

    def file(self, name: str) -> UploadedFile:
        """Return a required file part."""
        return self._get(name, _file, UploadedFile(""), required=True)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError
    text = str(value)
    text.encode("utf-8")  # a lone surrogate is no text
    if "\0" in text:
        raise ValueError
    return text


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError
    if isinstance(value, str):
        if not value:
            return None
        if len(value) > 20 or not value.removeprefix("-").isascii() or not value.removeprefix("-").isdigit():
            raise ValueError
    number = int(value)
    if abs(number) > LARGEST_ID:
        raise OverflowError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = _text(value).lower()
    if word not in TRUE | FALSE:
        raise ValueError
    return word in TRUE


def _words(value: Any) -> list[str]:
    items = value if isinstance(value, list) else _text(value).split(",")
    return [_text(item).strip() for item in items]


def _date(value: Any) -> date | None:
    text = _text(value)
    return date.fromisoformat(text[:10]) if text else None


def _moment(value: Any) -> str | None:
    text = _text(value)
    if not text:
        return None
    if "T" in text:
        text = text.replace(" ", "+")  # a `+` that was not escaped in a query
    found = datetime.fromisoformat(text)
    return stamp(found if found.tzinfo else found.replace(tzinfo=UTC))


def _file(value: Any) -> UploadedFile:
    if not isinstance(value, UploadedFile):
        raise TypeError
    return value
