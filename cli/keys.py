"""`secure-files keys`: the master keys, and the files under them. Works beside a running server."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import say
from cli.ownership import operator, require_owner
from cli.progress import Progress
from cli.tables import as_json, table
from vault.errors import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.settings import Settings
    from server.wiring import Services
    from vault.rewrapping import Outcome
    from vault.rotation import KeyReport

EPILOG = """\
list     the keys, how many files are wrapped under each, and where it is kept
rotate   add a key; new files get it at once, in running servers too. Back the keyring up again
rewrap   wrap the key of every file under the new one; the files themselves are not touched.
         May be stopped and run again; servers go on meanwhile. With --reencrypt every file is sealed anew
         that was ever under another key: for a key that leaked
retire   take a key away for good; refused while a file is wrapped under it

All are refused for another user than the owner of the data folder.

EXAMPLES
  secure-files keys rotate --data ./data && secure-files keys rewrap --data ./data
  secure-files keys retire k1 --data ./data
  secure-files keys rewrap --reencrypt --rate 20

EXIT STATUS
  0 done; 1 a key is still needed, or a file could not be moved; 2 an option is wrong, or there is no such key;
  3 the keyring is missing, or cannot be changed; 5 no such vault, or its owner is another user
"""
EXIT_CODES = ((Conflict, 1),)
SHOWN_FAILURES = 20


def rate(text: str) -> int:
    """Read how many files a second."""
    if not text.isdecimal() or not text.isascii() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of files a second")
    return int(text)


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("action", choices=tuple(ACTIONS), help="what to do")
    sub.add_argument("key", nargs="?", metavar="KEY", help="of retire: the id of the key, as `keys list` shows it")
    sub.add_argument("--reencrypt", action="store_true", help="of rewrap: seal the files anew, as after a leaked key")
    sub.add_argument("--rate", type=rate, metavar="N", help="of rewrap: at most N files a second")
    sub.add_argument(
        "--output", type=Path, metavar="FILE", help="of rotate: write the new keyring here, when it is not in a file"
    )
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; results to stdout."""
    from server.wiring import open_services

    _check(options)
    settings = shared.load(options)
    require_owner(settings.data, settings.keyring_path())
    services = open_services(settings)
    try:
        if options.action != "list":
            services.audit.check()
        status = ACTIONS[options.action](services, settings, options)
        if options.action != "list":
            services.audit.note(f"keys.{options.action}", options.key or "", actor=operator())
        return status
    finally:
        services.close()


def _check(options: argparse.Namespace) -> None:
    """Refuse an option of another action: who gives one expects something of it."""
    takes = {"retire": {"key"}, "rewrap": {"reencrypt", "rate"}, "rotate": {"output"}}.get(options.action, set())
    for name in ("key", "reencrypt", "rate", "output"):
        if getattr(options, name) and name not in takes:
            raise Invalid("KEY" if name == "key" else f"--{name}", f"means nothing to `keys {options.action}`")
    if options.action == "retire" and not options.key:
        raise Invalid("KEY", "is missing: which key is to be retired?")


def _list(services: Services, _: Settings, options: argparse.Namespace) -> int:
    keys = services.rotation.reports()
    print(as_json([asdict(key) for key in keys]) if options.format == "json" else _table(keys))
    return 0


def _table(keys: list[KeyReport]) -> str:
    head = ("KEY", "STATE", "FILES", "CHECK", "MADE", "WHERE")
    return table(
        head, [(key.id, key.state, str(key.files), key.check, key.created_at, key.where) for key in keys], (2,)
    )


def _rotate(services: Services, settings: Settings, options: argparse.Namespace) -> int:
    if options.output:
        made = services.rotation.rotated_copy(options.output)
        say(f"wrote the new keyring to {options.output}: put it where the old one is, and start the servers again")
    else:
        made = services.rotation.rotate()
        say(f"back up the keyring, apart from the data: {settings.keyring_path().absolute()}")
    say("files from before stay under the key they have until `secure-files keys rewrap`")
    print(as_json({"key": made}) if options.format == "json" else f'"{made}" wraps new files from now on')
    return 0


def _rewrap(services: Services, _: Settings, options: argparse.Namespace) -> int:
    from vault.rewrapping import AT_ONCE, Watch

    rewrapping = services.rewrapping
    begun = time.monotonic()
    with Progress("sealing anew" if options.reencrypt else "re-wrapping") as progress:
        pace = _Pace(progress, options.rate)
        watch = Watch(pace.begin, pace.step, min(AT_ONCE, options.rate or AT_ONCE))
        outcome = rewrapping.reencrypt(watch) if options.reencrypt else rewrapping.rewrap(watch)
    print(_told(outcome, time.monotonic() - begun, options))
    for blob_id, why in list(outcome.failed.items())[:SHOWN_FAILURES]:
        say(why if blob_id in why else f"object {blob_id}: {why}")
    if len(outcome.failed) > SHOWN_FAILURES:
        say(f"and {len(outcome.failed) - SHOWN_FAILURES} more; --format json has them all")
    return 1 if outcome.failed else 0


def _told(outcome: Outcome, seconds: float, options: argparse.Namespace) -> str:
    if options.format == "json":
        failed = [{"object": blob_id, "error": why} for blob_id, why in outcome.failed.items()]
        done = "reencrypted" if options.reencrypt else "rewrapped"
        return as_json({"key": outcome.key, done: outcome.moved, "failed": failed, "seconds": round(seconds, 3)})
    files = f"{outcome.moved} file{'' if outcome.moved == 1 else 's'}"
    text = f"{'sealed' if options.reencrypt else 're-wrapped'} {files} {'anew ' if options.reencrypt else ''}"
    return f'{text}under "{outcome.key}"' + (f"; {len(outcome.failed)} could not be" if outcome.failed else "")


def _retire(services: Services, _: Settings, options: argparse.Namespace) -> int:
    if not services.rotation.retire(options.key):
        say(f'the data need "{options.key}" no more: take it out of the keyring, or disable it, where it is kept')
    say("a backup of the data from before needs this key: keep the keyring that was backed up with it")
    print(as_json({"retired": options.key}) if options.format == "json" else f'retired "{options.key}"')
    return 0


class _Pace:
    """Moves the bar on, and waits where there would be more than `limit` files a second."""

    def __init__(self, progress: Progress, limit: int | None) -> None:
        self._progress = progress
        self._limit = limit
        self._done = 0
        self._begun = time.monotonic()

    def begin(self, total: int) -> None:
        """Take the number of files."""
        self._progress.total = total

    def step(self, files: int) -> None:
        """Count some."""
        self._done += files
        self._progress.step("", files)
        if self._limit:
            time.sleep(max(0.0, self._begun + self._done / self._limit - time.monotonic()))


ACTIONS: dict[str, Callable[[Services, Settings, argparse.Namespace], int]] = {
    "list": _list,
    "rotate": _rotate,
    "rewrap": _rewrap,
    "retire": _retire,
}
