"""The log on stderr: one formatter, and no secret in it whatever a message holds."""

from __future__ import annotations

import json
import logging
import re
import sys
from urllib.parse import unquote_plus

from vault import clock

# Parameters that are never written down, neither into a log nor into a link.
SECRET_PARAMETERS = frozenset(("private_token", "access_token", "job_token", "token", "password"))
SECRET = re.compile(
    r"(?i)(gl(?:pat|cbt|dt|ptt)-)[\w\-.]+|((?:private|access|job)?_?token=)[^&\s\"']+|(authorization: *)\S.*"
)


def redact(text: str) -> str:
    """Return the text with tokens replaced."""
    return SECRET.sub(lambda found: "".join(part or "" for part in found.groups()) + "[FILTERED]", text)


def without_secrets(raw_path: str) -> str:
    """Return a request's path and query with the secret parameters replaced, however their names are written."""
    path, mark, query = raw_path.partition("?")
    return path + mark + "&".join(_without_secret(pair) for pair in query.split("&"))


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
        """Return the line; a traceback follows its line."""
        text = redact(record.getMessage())
        trace = redact(self.formatException(record.exc_info)) if record.exc_info else ""
        if self._json:
            fields = {"time": clock.now(), "level": record.levelname, "logger": record.name, "message": text}
            return json.dumps({**fields, **({"trace": trace} if trace else {})}, ensure_ascii=False)
        return f"{clock.now()} {record.levelname} {record.name}: {text}" + (f"\n{trace}" if trace else "")


def configure(form: str) -> None:
    """Send the log of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # aiohttp logs the traceback of every client that goes away, and the lines that its parser refuses.
    # Nothing here names the caller of a log line or its thread: looking them up costs more than writing the line.
    logging._srcfile = None  # noqa: SLF001 - the manual's own switch for it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
