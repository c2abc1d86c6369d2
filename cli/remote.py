"""A vault (or a GitLab) at the other end of HTTP, for commands that run where the data are not."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cli.patience import ONCE, PASSING, Patience
from server.version import VERSION
from vault.errors import Forbidden, Unauthenticated, Unavailable, VaultError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

TIMEOUT_SECONDS = 30
LARGEST_BODY = 256 * 1024 * 1024
NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
TOKEN_HEADERS = ("PRIVATE-TOKEN", "JOB-TOKEN")
USER_AGENT = f"secure-files/{VERSION}"


class BadAddress(Unavailable):
    """A URL that cannot be a server's, or a token that cannot be one."""


class Refused(VaultError):
    """The server said no, with a status that trying again does not change."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Message
    body: bytes

    @property
    def good(self) -> bool:
        """Say whether the request did what it was for."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the JSON of the body; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def told(self) -> str:
        """Return what the server said of a refusal, in any of GitLab's shapes."""
        found = self.json()
        said = None
        if isinstance(found, dict):
            said = found.get("message") or found.get("error_description") or found.get("error")
        if isinstance(said, dict):
            said = ", ".join(f"{key} {_listed(value)}" for key, value in said.items())
        return _listed(said) if said else http.client.responses.get(self.status, "no reason was given")


def _listed(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


@dataclass(frozen=True)
class Remote:
    """An API root such as `https://vault.example.com/api/v4`, and the header that says who asks."""

    api: str
    header: str
    token: str = field(repr=False)
    patience: Patience = ONCE
    ca_file: str | None = None
    called: str = "the vault"

    @classmethod
    def at(cls, url: str, header: str, token: str, ca_file: str | None = None) -> Remote:
        """Return the vault at `url`, with or without `/api/v4` at its end. Raises `BadAddress`."""
        token = token.strip()
        # Neither is repeated: what stands in the wrong place may be the secret.
        if not (token.isascii() and token.isprintable()):
            raise BadAddress("the token has characters that no token has")
        if url.startswith(("http://", "https://")) and "@" in urlsplit(url).netloc:
            raise BadAddress("the vault's address holds a user or password: give the token in a variable instead")
        return cls(api_root(url), header, token, ca_file=ca_file)

    def pages(self, path: str) -> Iterator[Any]:
        """Yield every item of a list, page by page. Raises `VaultError` with what the server said."""
        while path:
            answer = self.demand("GET", path)
            items = answer.json()
            if not isinstance(items, list):
                raise Unavailable(f"no list came from {self.api}: is it the address of a vault?")
            yield from items
            # Of the link only the query is taken: behind a proxy its host may be one that the token is not for.
            found = NEXT.search(answer.headers.get("Link", ""))
            path = f"{path.partition('?')[0]}?{urlsplit(found[1]).query}" if found else ""

    def demand(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> Answer:
        """Return a good answer. Raises `Unauthenticated`, `Forbidden`, `Refused` or `Unavailable` for any other."""
        answer = self.ask(method, path, body, content_type)
        if not answer.good:
            raise self.refusal(answer)
        return answer

    def ask(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> Answer:
        """Return the answer to a request, tried again as `patience` allows. Raises `Unavailable` when none comes."""
        tried = 0
        while True:
            tried += 1
            answer = self._try(method, path, body, content_type)
            if isinstance(answer, Answer):
                if answer.status not in PASSING or self.patience.ended(tried):
                    return answer
                why, pause = f"{self.called} answered {answer.status}: {answer.told()}", answer.headers["Retry-After"]
            else:
                why, pause = f"no good answer from {self.api}: {_told(answer)}", None
                if self.patience.ended(tried) or _is_final(answer):
                    raise Unavailable(why) from answer
            self.patience.wait(tried, why, pause)

    def refusal(self, answer: Answer) -> VaultError:
        """Return the error that an answer which is not good stands for."""
        hint = {
            401: "; check the token",
            403: "; check the token, its scopes and its owner's role",
            404: "; check the project, and whether the token's owner may see it",
            405: "; give the project's present path, or its number",
        }.get(answer.status, "")
        text = f"{self.called} answered {answer.status}: {answer.told()}{hint}"
        if answer.status in (401, 403):
            return (Unauthenticated if answer.status == 401 else Forbidden)(text)
        return Unavailable(text) if answer.status >= 500 or answer.status == 429 else Refused(text, answer.status)

    def _try(self, method: str, path: str, body: bytes | None, content_type: str) -> Answer | Exception:
        request = urllib.request.Request(self.api + path, data=body, method=method)  # noqa: S310 - `api_root` has checked the scheme
        request.add_header("Accept", "*/*")
        request.add_header("User-Agent", USER_AGENT)
        if body is not None:
            request.add_header("Content-Type", content_type)
        request.add_unredirected_header(self.header, self.token)
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return Answer(response.status, response.headers, _body(response))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, _said(error))
        except (OSError, ValueError, http.client.HTTPException) as error:
            return error

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        handlers: list[urllib.request.BaseHandler] = [_Redirects()]
        if self.api.startswith("https:"):
            context = ssl.create_default_context()  # once for all requests: it reads the system's certificates
            if self.ca_file:
                context.load_verify_locations(self.ca_file)
            handlers.append(urllib.request.HTTPSHandler(context=context))
        return urllib.request.build_opener(*handlers)


def api_root(url: str) -> str:
    """Return the address of the API of the server at `url`. Raises `BadAddress`."""
    if not url.startswith(("http://", "https://")):
        raise BadAddress(f"{url!r} is not the address of a vault: it has to begin with https:// or http://")
    root = url.rstrip("/")
    return root if root.endswith("/api/v4") else f"{root}/api/v4"


def same_server(one: str, other: str) -> bool:
    """Say whether a token for one address may be sent to the other."""
    return api_root(one).lower() == api_root(other).lower()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a GET: on the same server with the token, to another (an object store) without, and never off HTTP."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request that follows, None where the redirect is the answer."""
        if req.get_method() != "GET" or urlsplit(newurl).scheme not in ("http", "https"):
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and _same_or_safer(req.full_url, newurl):
            for name in TOKEN_HEADERS:
                if token := req.get_header(name.capitalize()):
                    following.add_unredirected_header(name, token)
        return following


def _same_or_safer(url: str, following: str) -> bool:
    """Say whether both are the same server, or the second is the host of the first with TLS."""
    old, new = urlsplit(url), urlsplit(following)
    upgraded = (old.scheme, new.scheme) == ("http", "https") and old.hostname == new.hostname
    return old[:2] == new[:2] or upgraded


def _body(response: http.client.HTTPResponse) -> bytes:
    """Return the whole body. Raises `IncompleteRead` for one that was cut, `ValueError` for one without an end."""
    content = response.read(LARGEST_BODY + 1)
    if len(content) > LARGEST_BODY:
        raise ValueError(f"it is larger than {LARGEST_BODY} bytes")
    length = response.headers.get("Content-Length")
    # With a limit given, `read` passes over a body that ends early.
    if length is not None and length.isdigit() and len(content) < int(length):
        raise http.client.IncompleteRead(content, int(length) - len(content))
    return content


def _said(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(65536)
    except (OSError, http.client.HTTPException):
        return b""


def _cause(trouble: Exception) -> object:
    return getattr(trouble, "reason", trouble)


def _told(trouble: Exception) -> str:
    """Return what kept an answer away, the system's errors without their number."""
    cause = _cause(trouble)
    return (isinstance(cause, OSError) and cause.strerror) or str(cause)


def _is_final(trouble: Exception) -> bool:
    """Say whether trying again is of no use: a certificate that is not good, an address that is none."""
    return isinstance(_cause(trouble), ssl.SSLCertVerificationError | ValueError | http.client.InvalidURL)
