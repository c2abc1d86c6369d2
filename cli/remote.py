"""A vault (or a GitLab) at the other end of HTTP, for commands that run where the data are not."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vault.errors import Forbidden, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS = 30
NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
ERRORS = {401: Unauthenticated, 403: Forbidden}


@dataclass(frozen=True)
class Remote:
    """An API root such as `https://vault.example.com/api/v4`, and the header that says who asks."""

    api: str
    header: str
    token: str

    @classmethod
    def at(cls, url: str, header: str, token: str) -> Remote:
        """Return the vault at `url`, with or without `/api/v4` at its end. Raises `Unavailable` for no URL."""
        if not url.startswith(("http://", "https://")):
            raise Unavailable(f"{url!r} is not the address of a vault: it has to begin with https:// or http://")
        root = url.rstrip("/")
        return cls(root if root.endswith("/api/v4") else f"{root}/api/v4", header, token)

    def pages(self, path: str) -> Iterator[Any]:
        """Yield every item of a list, page by page. Raises `VaultError` with what the server said."""
        url: str | None = self.api + path
        while url:
            items, links = self._get(url)
            yield from items
            found = NEXT.search(links)
            url = found[1] if found else None

    def _get(self, url: str) -> tuple[list[Any], str]:
        request = urllib.request.Request(url, headers={self.header: self.token, "Accept": "application/json"})  # noqa: S310 - `at` has checked the scheme
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                found = json.load(answer)
                links = answer.headers.get("Link", "")
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unavailable(f"no good answer from {self.api}: {getattr(error, 'reason', error)}") from error
        if not isinstance(found, list):
            raise Unavailable(f"no list came from {self.api}: is it the address of a vault?")
        return found, links


def _refusal(error: urllib.error.HTTPError) -> Exception:
    try:
        body = json.loads(error.read(65536))
        text = str(body.get("message") or body.get("error_description") or body.get("error"))
    except (ValueError, AttributeError, OSError):
        text = str(error.reason)
    hint = "; check the token and its scopes" if error.code in (401, 403) else ""
    return ERRORS.get(error.code, Unavailable)(f"the vault answered {error.code}: {text}{hint}")
