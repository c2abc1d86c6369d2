"""The log on stderr: one formatter, and no secret in it whatever a message holds."""

from __future__ import annotations

import json
import logging
import re
import sys

from vault import clock

SECRET = re.compile(
    r"(?i)(gl(?:pat|cbt|dt|ptt)-)[\w\-.]+|((?:private|access|job)?_?token=)[^&\s\"']+|(authorization: *)\S.*"
)


def redact(text: str) -> str:
    """Return the text with tokens replaced."""
    return SECRET.sub(lambda found: "".join(part or "" for part in found.groups()) + "[FILTERED]", text)


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
