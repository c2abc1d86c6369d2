"""What an object store refused, read out of the text of `obstore`'s errors: they have no fields."""

from __future__ import annotations

import re

from vault.errors import StorageFull, Unavailable

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_SYSTEM = re.compile(r'kind: \w+,\s+message: "([A-Za-z ]{1,64})"')
_KIND = re.compile(r"HttpError \{\s+kind: (\w+)")
_NO_ROOM = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "QuotaExceededException"}
_INSUFFICIENT_STORAGE = 507


class Refusal(Unavailable):
    """The store refused, with the `status` of its answer; `unheard` when there was none: it may be away."""

    def __init__(self, text: str, status: int, *, unheard: bool) -> None:
        super().__init__(text)
        self.status = status
        self.unheard = unheard


def refusal(action: str, text: str) -> Refusal | StorageFull:
    """Return the error that stands for the library's `text`: what was asked, status and code, and nothing else of it.

    The text itself quotes addresses, which may carry a signature, and answers, which may be long.
    """
    status, code = _found(_STATUS, text), _found(_CODE, text)
    if code in _NO_ROOM or status == str(_INSUFFICIENT_STORAGE):
        return StorageFull(f"the object store refused to {action} ({status} {code})".replace(" )", ")"))
    kind = _found(_KIND, text).lower()
    reason = f"{status} {code}".strip() or _found(_SYSTEM, text).lower() or kind or "an answer that makes no sense"
    return Refusal(f"the object store refused to {action} ({reason})", int(status or 0), unheard=bool(kind))


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
