"""Query, JSON, form and multipart as one set of values, as GitLab reads them for POST, PUT and DELETE alike.

Nothing is spooled: a body is read into memory up to a limit that is counted on the wire. (aiohttp's own
`request.post()` writes parts to temporary files in clear, and its `client_max_size` does not stop a multipart body.)
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from multipart import MultipartError, PushMultipartParser, parse_options_header

from server.app_keys import OFFLOAD, RECEIVING, TAKE_PLACE
from server.errors import BadRequest, Refused
from server.pace import Pace
from vault.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from multipart import MultipartSegment

    from server.pipes import Pipe
    from vault.incoming import Incoming

KIB = 1024
BODY_LIMIT = 1024 * KIB
TEXT_LIMIT = 64 * KIB
PARTS_LIMIT = 20
# A body takes a place among those on the way when it is more than this: less of it holds nobody up, and a client that
# sends a byte now and then is not to keep his colleagues out.
FREE = 64 * KIB
MUCH = 512 * KIB
# What a multipart body holds besides its file: boundaries, part headers, small fields.
MULTIPART_SLACK = 256 * KIB
# Those that RFC 5987 names for `filename*`.
CHARSETS = ("utf-8", "iso-8859-1")
# The multipart parser's own pattern knows no names with a star.
OPTION = re.compile(r""";\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)""")

FILE = "file"
FORM = web.RequestKey("form", object)


@dataclass(slots=True)
class UploadedFile:
    """A file part: in memory, or on its way through a sink."""

    filename: str
    content: bytearray | Incoming = field(default_factory=bytearray)


Values = dict[str, Any]
Sink: TypeAlias = "Callable[[str | None], Pipe[Incoming]]"


def query(request: web.Request) -> Values:
    """Return the parameters of the query alone, which are all that a GET has."""
    return gathered(request.query.items())


async def read(
    request: web.Request, limit: int = BODY_LIMIT, *, long_text: bool = False, sink: Sink | None = None
) -> Values:
    """Return all parameters of a request; those of the body win over the query's. Read once, then remembered.

    A file is an `UploadedFile`, `name[]` a list. With `long_text` a field of a form may be as long as the body, as
    one of JSON always may. What comes in a part `file` goes to a `sink`, made with the `name` so far. Raises
    `BadRequest` for a body that is not what its type says, `TooLarge` when it is longer than `limit` bytes, before it
    is read when it says so itself.
    """
    known = request.get(FORM)
    if isinstance(known, dict):
        return known
    values = query(request)
    if request.body_exists and request.method not in ("GET", "HEAD"):
        values.update(await _body(request, limit, sink, long_text=long_text))
    request[FORM] = values
    return values


async def names(request: web.Request, limit: int) -> list[str]:
    """Return the names of the parameters in the body, whatever the method. Raises as `read` does."""
    return list(await _body(request, limit, None, long_text=True))


async def _body(request: web.Request, limit: int, sink: Sink | None, *, long_text: bool) -> Values:
    kind = request.content_type
    if kind == "multipart/form-data":
        return await _multipart(request, limit, limit if long_text else TEXT_LIMIT, sink)
    if kind == "application/x-www-form-urlencoded":
        return await _parsed(request, limit if long_text else min(limit, BODY_LIMIT), _urlencoded)
    if kind == "application/json" or kind.endswith("+json"):
        return await _parsed(request, limit, _json)
    await whole(request, limit)
    return {}


async def _parsed(request: web.Request, limit: int, parse: Callable[[bytes], Values]) -> Values:
    body = bytes(await whole(request, limit))
    return parse(body) if len(body) <= BODY_LIMIT else await request.app[OFFLOAD].call(parse, body)


def gathered(pairs: Iterable[tuple[str, Any]]) -> Values:
    """Return pairs as values: of a repeated name the last, of `name[]` all."""
    values: Values = {}
    for name, value in pairs:
        if not name.endswith("[]"):
            values[name] = value
        elif isinstance(known := values.get(name[:-2]), list):
            known.append(value)
        else:
            values[name[:-2]] = [value]
    return values


async def chunks(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the body as it comes, counted. Raises `TooLarge`, `Refused` for an encoded or an all too slow body."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        # Nothing here inflates a body: 60 kB would become 60 MB.
        raise Refused(415, {"error": "A request body with Content-Encoding is not supported"})
    if (request.content_length or 0) > limit:
        raise TooLarge(limit)
    count = 0
    pace, turn = Pace(request.content), request.app[RECEIVING].turn()
    try:
        while data := await turn.waiting(pace.next()):
            count += len(data)
            if count > limit:
                raise TooLarge(limit)
            if count > FREE:
                if take := request.get(TAKE_PLACE):
                    request[TAKE_PLACE] = None
                    await take()
                await turn.begin()
                _take_much(request)
            yield data
    finally:
        turn.end()


def _take_much(request: web.Request) -> None:
    """Have more be received in one call: each costs the loop a round."""
    if request.transport is not None:
        request.transport.max_size = MUCH  # type: ignore[attr-defined]  # the loop's own transports have it


async def whole(request: web.Request, limit: int) -> bytearray:
    """Return the whole body. Raises `TooLarge`."""
    body = bytearray()
    async for data in chunks(request, limit):
        body += data
    return body


def _json(body: bytes) -> Values:
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("message body does not match declared format") from error
    if not isinstance(value, dict):
        raise BadRequest("the message body has to be a JSON object")
    return {name.removesuffix("[]"): item for name, item in value.items() if item is not None}


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _urlencoded(body: bytes) -> Values:
    try:
        return gathered(parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=1000))
    except ValueError as error:
        raise BadRequest("message body does not match declared format") from error


async def _multipart(request: web.Request, limit: int, text_limit: int, sink: Sink | None) -> Values:
    parts = _Parts(text_limit, sink)
    with parser_for(request) as parser:
        async for data in chunks(request, limit):
            if parser.closed:
                continue
            for event in events(parser, data):
                await parts.take(event)
        finish(parser)
    return gathered((name, _text(name, part)) for name, part in parts.pairs)


class _Parts:
    """The parts of one multipart body, as they come."""

    def __init__(self, text_limit: int, sink: Sink | None) -> None:
        self.pairs: list[tuple[str, Any]] = []
        self._text_limit = text_limit
        self._sink = sink
        self._content = bytearray()
        self._pipe: Pipe[Incoming] | None = None

    async def take(self, event: Any) -> None:
        """Take what the parser tells: the head of a part, bytes of it, None at its end."""
        if event is None:
            await self._end()
        elif not isinstance(event, (bytes, bytearray)):
            self._begin(event.name, filename_of(event))
        elif self._pipe is not None:
            await self._pipe.write(event)
        else:
            self._content += event
            _check_text(self.pairs[-1][1], self._content, self._text_limit)

    def _begin(self, name: str, filename: str | None) -> None:
        self._content = bytearray()
        part = _part(filename, self._content)
        if self._sink is not None and name == FILE and isinstance(part, UploadedFile):
            self._pipe = self._sink(self._name())
            part.content = self._pipe.writer
        self.pairs.append((name, part))

    async def _end(self) -> None:
        if self._pipe is not None:
            await self._pipe.flush()
            self._pipe = None

    def _name(self) -> str | None:
        """Return the value of the field `name`, if it has come."""
        found = dict(self.pairs).get("name")
        return found.decode("utf-8", "replace") if isinstance(found, bytearray) else None


def parser_for(request: web.Request) -> PushMultipartParser:
    """Return the parser of the request's multipart body. Raises `BadRequest` when it names no usable boundary."""
    _, options = parse_options_header(request.headers.get("Content-Type", ""))
    boundary = options.get("boundary", "")
    try:
        return PushMultipartParser(boundary, max_segment_count=PARTS_LIMIT)
    except (MultipartError, ValueError, LookupError) as error:
        raise BadRequest("invalid multipart body: no usable boundary") from error


def events(parser: PushMultipartParser, data: bytes) -> Iterable[Any]:
    """Yield what a piece of the body holds: the head of a part, bytes of it, None at its end. Raises `BadRequest`."""
    try:
        yield from parser.parse(data)
    except (MultipartError, UnicodeError, LookupError, AssertionError) as error:
        raise BadRequest(f"invalid multipart body: {type(error).__name__}") from error


def finish(parser: PushMultipartParser) -> None:
    """Refuse a body without its closing boundary: what came may be half a file."""
    try:
        parser.close()
    except MultipartError as error:
        raise BadRequest("invalid multipart body: it ends before its closing boundary") from error


def filename_of(part: MultipartSegment) -> str | None:
    """Return the name of a part that is a file, None when it is none.

    The multipart parser knows `filename` alone. Some clients send `filename*` instead, or beside one that means
    nothing; where that can be read it is the name, as at GitLab.
    """
    header = str(part.header("Content-Disposition", ""))
    options = {name.lower(): value for name, value in OPTION.findall(header)} if "*" in header else {}
    charset, _, rest = options.get("filename*", "").strip(' "').partition("'")
    _, mark, name = rest.partition("'")
    if mark and charset.lower() in CHARSETS:
        with suppress(UnicodeDecodeError):
            return unquote(name, charset, "strict")
    filename: str | None = part.filename
    return filename


def _part(filename: str | None, content: bytearray) -> UploadedFile | bytearray:
    return content if filename is None else UploadedFile(filename, content)


def _check_text(part: UploadedFile | bytearray, content: bytearray, limit: int) -> None:
    if not isinstance(part, UploadedFile) and len(content) > limit:
        raise BadRequest(f"a form field is longer than {limit} bytes")


def _text(name: str, part: UploadedFile | bytearray) -> UploadedFile | str:
    return part if isinstance(part, UploadedFile) else decoded(name, part)


def decoded(name: str, content: bytearray) -> str:
    """Return the text of the field `name`. Raises `BadRequest` when it is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{name} is invalid") from error
