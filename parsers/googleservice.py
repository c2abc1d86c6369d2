"""Firebase's GoogleService-Info.plist of an Apple app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsers.interface import Metadata, Unreadable
from parsers.plist import looks_like_plist, read_plist

if TYPE_CHECKING:
    from parsers.interface import Budget

_MARK = "GOOGLE_APP_ID"
_SHOWN = {"bundle_id": "BUNDLE_ID", "project_id": "PROJECT_ID", "google_app_id": _MARK}


class GoogleServiceInfoParser:
    """A property list with Firebase's keys."""

    kind = "google_service_info"

    def sniff(self, head: bytes, _name: str) -> int:
        """A property list with Firebase's key for the app in its first 4 KiB."""
        return 97 if looks_like_plist(head) and _MARK.encode() in head else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Tell the app and the project."""
        document = read_plist(data)
        if _MARK not in document:
            raise Unreadable("unrecognized")
        values = {shown: document.get(key) for shown, key in _SHOWN.items()}
        return Metadata({shown: value for shown, value in values.items() if isinstance(value, str)})
