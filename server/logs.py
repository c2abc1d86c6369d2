"""The log on stderr: one formatter, and no secret in it whatever a message holds."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from collections import deque
from contextlib import nullcontext
from typing import TextIO
from urllib.parse import quote, unquote, unquote_plus

from vault import clock

# Parameters that are never written down, neither into a log nor into a link.
SECRET_PARAMETERS = frozenset(("private_token", "access_token", "job_token", "token", "password"))
SECRET_NAME = re.compile("(?i)token|password")
SECRET = re.compile(
    r"""(?xi)
    (\b gl (?: pat|cbt|dt|ptt|rt|ft|soat|imt|agent|oas|ffct ) - ) [\w.-]+  # GitLab's prefixes
    | ( (?: token|password ) (?:\[])? = ) [^&\s"']+                        # in a query
    | ( ["'] \w* (?: token|password ) ["'] \s* [:,] ) .*                   # in a dictionary
    | ( (?: (?: private|job|deploy ) -token | authorization ) ["']? \s* [:,] ) .*  # in a header
    | ( uploads (?: / | %2f )+ ) [0-9a-f]{32}                              # in an upload's address
    """
)
ACCESS = "secure_files.access"
# What is told of a request, in the order of its line.
FACTS = ("remote", "method", "path", "status", "request_id", "duration_ms")
# What would begin a new line or steer a terminal.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def redact(text: str) -> str:
    """Return the text with tokens and passwords replaced; behind a header's name nothing of its line is left."""
    low = text.lower()
    # One of these is in whatever SECRET finds: most lines have none, and looking is 20 times cheaper than searching.
    if not ("token" in low or "password" in low or "authorization" in low or "gl" in low or "uploads" in low):
        return text
    return SECRET.sub(lambda found: "".join(part or "" for part in found.groups()) + "[FILTERED]", text)


def without_secrets(raw_path: str) -> str:
    """Return a request's path and query, secret parameters and the secrets of uploads replaced, however written."""
    path, mark, query = raw_path.partition("?")
    if "uploads" in path or "%" in path:
        path = _without_upload(path)
    if not mark or not ("%" in query or SECRET_NAME.search(query)):
        return path + mark + query
    return path + mark + "&".join(_without_secret(pair) for pair in query.split("&"))


def _without_upload(path: str) -> str:
    plain = unquote(path)
    shown = redact(plain)
    return path if shown == plain else quote(shown, safe="/:@!$&'()*+,;=~[]")


def _without_secret(pair: str) -> str:
    name = pair.partition("=")[0]
    secret = unquote_plus(name).strip().lower().removesuffix("[]") in SECRET_PARAMETERS
    return f"{name}=[FILTERED]" if secret else pair


class Formatter(logging.Formatter):
    """Writes a record as one line of text, or of JSON."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. A traceback follows it, indented: nothing in a message can look like another record."""
        text = redact(_message(record))
        trace = redact(self.formatException(record.exc_info)) if record.exc_info else ""
        if self._json:
            fields = {"time": clock.now(), "level": record.levelname, "logger": record.name, "message": text}
            facts = {name: _fact(value) for name, value in getattr(record, "facts", {}).items()}
            return json.dumps({**fields, **facts, **({"trace": trace} if trace else {})})
        head = _shown(f"{clock.now()} {record.levelname} {record.name}: {text}")
        return "\n".join((head, *(_shown("  " + line) for line in trace.split("\n") if line))) if trace else head


def _shown(line: str) -> str:
    """Return a line without what would begin a new one or steer a terminal; nothing printable does."""
    return line if line.isprintable() else CONTROL.sub(_escaped, line)


class RequestRecord(logging.LogRecord):
    """The record of a request, one for each: made from `FACTS`, without what nobody reads of it."""

    _PLAIN = vars(logging.LogRecord(ACCESS, logging.INFO, "", 0, "%s %s %s %s %s %.1fms", None, None))

    def __init__(self, *facts: object) -> None:
        self.__dict__.update(self._PLAIN)
        self.args = facts
        self.created = time.time()

    @property
    def facts(self) -> dict[str, object]:
        """What the record tells, by name."""
        return dict(zip(FACTS, self.args or (), strict=True))


def _fact(value: object) -> object:
    if isinstance(value, float):
        return round(value, 1)
    return redact(value) if isinstance(value, str) else value


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - logging itself would print the arguments, secrets and all
        return f"{record.msg!r} {record.args!r}"


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


class TurnHandler(logging.StreamHandler[TextIO]):
    """Writes what an event loop logs in one turn at the turn's end, all at once; what others log, at once."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: deque[str] = deque()
        self._turn: asyncio.AbstractEventLoop | None = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Take the record without the handler's lock, which only writing needs, and without a filter: it has none."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, soon."""
        try:
            self._lines.append(self.format(record))
            loop = asyncio._get_running_loop()  # noqa: SLF001 - get_running_loop raises where there is none
            if loop is None:
                self.flush()
            elif loop is not self._turn:
                self._turn = loop
                loop.call_soon(self.flush)
        except Exception:  # noqa: BLE001 - as every handler: a log that cannot be written ends nothing
            self.handleError(record)

    def flush(self) -> None:
        """Write what waits."""
        with self.lock or nullcontext():
            self._turn = None
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                self.stream.write("\n".join(lines) + self.terminator)
                super().flush()


def configure(form: str) -> None:
    """Send the log of this process to stderr."""
    handler = TurnHandler(sys.stderr)
    handler.setFormatter(Formatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # aiohttp logs the traceback of every client that goes away, and the lines that its parser refuses.
    # Nothing here names the caller of a log line or its thread: looking them up costs more than writing the line.
    logging._srcfile = None  # noqa: SLF001 - the manual's own switch for it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
