"""From what a parser returns to JSON that is safe to store, send and print, of a bounded size."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from parsers.interface import Json, Unreadable

if TYPE_CHECKING:
    from parsers.interface import Budget

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_NODES = 200_000
_MAX_INTEGER = 2**63 - 1  # what the strictest clients and databases take
_MAX_SHORT_ID = 64


def plain(fields: Json, budget: Budget) -> Json:
    """Return a copy made of JSON values only, within the budget.

    Control characters become `\\XX` as in GitLab's names, so that no terminal meets one; bytes become hex, times
    `YYYY-MM-DDTHH:MM:SS.000Z`, numbers that JSON or a database cannot hold become text, long text is cut.
    Raises `Unreadable`: "too_large" for too much or too deep a thing, "malformed" for a type it does not know.
    """
    copied: Json = _Copier(budget).copy(fields, budget.depth)
    if _size(copied) <= budget.reply:
        return copied
    if "entries" in copied:
        copied["entries"] = [_shortened(entry) for entry in copied["entries"]]
        copied["entries_truncated"] = True
    for key in ("issuer_dn", "subject_dn"):
        copied.pop(key, None)
    if _size(copied) > budget.reply:
        raise Unreadable("too_large")
    return copied


class _Copier:
    """Counts what it copies: shared references in a binary property list can unfold to more than any memory."""

    def __init__(self, budget: Budget) -> None:
        self._text = budget.text
        self._nodes = _MAX_NODES

    def copy(self, value: Any, depth: int) -> Any:
        self._nodes -= 1
        if depth < 0 or self._nodes < 0:
            raise Unreadable("too_large")
        if isinstance(value, dict):
            return {self._clean(str(key)): self.copy(item, depth - 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.copy(item, depth - 1) for item in value]
        return self._scalar(value)

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._clean(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if abs(value) <= _MAX_INTEGER else self._clean(str(value))  # also infinite, and no number
        if isinstance(value, bytes):
            return value[: self._text].hex()
        if isinstance(value, datetime):
            return timestamp(value)
        raise Unreadable("malformed")

    def _clean(self, text: str) -> str:
        if len(text) > self._text:
            text = text[: self._text] + "…"
        return _UNSAFE.sub(_escape, text)


def timestamp(moment: datetime) -> str:
    """Return a time as GitLab writes it; one without a zone is taken for UTC."""
    if moment.tzinfo:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\ufffd" if code >= 0xD800 else f"\\{code:02X}"


def _shortened(entry: Json) -> Json:
    """What is left of a keystore's entry when five hundred whole ones would be too much for a reply."""
    kept: Json = {key: entry[key] for key in ("kind", "expires_at", "sha1", "sha256") if key in entry}
    if len(entry.get("id", "")) <= _MAX_SHORT_ID and "id" in entry:
        kept["id"] = entry["id"]
    return {"alias": entry.get("alias", "")[:_MAX_SHORT_ID], **kept}


def _size(value: Json) -> int:
    return len(json.dumps(value))  # ASCII: whatever a client of this JSON writes is not longer
