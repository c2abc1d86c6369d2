"""Which parsers there are. A new one is a line here, or an entry point of the group `secure_files.parsers`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import TYPE_CHECKING, cast

from parsers.interface import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from parsers.interface import Parser

GROUP = "secure_files.parsers"
BUILT_IN = (
    "parsers.certificate:CertificateParser",
    "parsers.pkcs12:Pkcs12Parser",
    "parsers.keystore:JksParser",
    "parsers.keystore:JceksParser",
    "parsers.mobileprovision:ProfileParser",
    "parsers.cms:CertificatesParser",
    "parsers.request:RequestParser",
    "parsers.keys:PrivateKeyParser",
    "parsers.keys:PublicKeyParser",
    "parsers.bouncycastle:BksParser",
    "parsers.bouncycastle:UberParser",
    "parsers.bouncycastle:BcfksParser",
    "parsers.cloud:ServiceAccountParser",
    "parsers.cloud:AppStoreConnectParser",
    "parsers.cloud:GoogleServicesParser",
    "parsers.googleservice:GoogleServiceInfoParser",
    "parsers.passwords:KeystorePropertiesParser",
    "parsers.passwords:MatchParser",
)
_TRIED = 3


@dataclass(frozen=True)
class Registered:
    """One parser as `secure-files parsers` lists it: `problem` says why it could not be loaded, or is None."""

    name: str
    origin: str
    problem: str | None
    parser: Parser | None = None


@cache
def registered() -> tuple[Registered, ...]:
    """Load and return all parsers, the built-in ones first.

    Call it in a child process only: it runs the code of whoever installed a plugin. A plugin that fails is listed
    with its problem and otherwise left out.
    """
    plugins = sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)
    return built_in() + tuple(_plugin(point) for point in plugins)


@cache
def built_in() -> tuple[Registered, ...]:
    """Load and return the parsers that come with the vault."""
    return tuple(_built_in(path) for path in BUILT_IN)


def likely(data: bytes, name: str) -> list[Parser]:
    """Return the parsers that may know this file, the surest first, at most three. In a child process only."""
    head, base = data[:HEAD], _base(name)
    scored = [(_score(entry.parser, head, base), entry.parser) for entry in registered() if entry.parser]
    ranked = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])
    return [parser for _, parser in ranked[:_TRIED]]


def unfamiliar(data: bytes, name: str) -> bool:
    """Whether no built-in parser knows this file by its first bytes. Some 10 us, in any process."""
    head, base = data[:HEAD], _base(name)
    try:
        for sniff in _sniffs():
            if sniff(head, base) > 0:
                return False
    except Exception:  # noqa: BLE001 - one that cannot tell: a child asks them all
        return False
    return True


@cache
def _sniffs() -> tuple[Callable[[bytes, str], int], ...]:
    return tuple(entry.parser.sniff for entry in built_in() if entry.parser)


def _base(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _score(parser: Parser, head: bytes, name: str) -> int:
    try:
        return parser.sniff(head, name)
    except Exception:  # noqa: BLE001 - a plugin that cannot tell does not know the file
        return 0


def _built_in(path: str) -> Registered:
    module, _, attribute = path.partition(":")
    parser = cast("Parser", getattr(import_module(module), attribute)())
    return Registered(parser.kind, "built in", None, parser)


def _plugin(point: metadata.EntryPoint) -> Registered:
    origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    try:
        parser = point.load()()
        if not isinstance(parser.kind, str) or not callable(parser.sniff) or not callable(parser.parse):
            return Registered(point.name, origin, "is not a parser")
    except Exception as error:  # noqa: BLE001 - whatever a plugin does, the others go on
        return Registered(point.name, origin, type(error).__name__)
    return Registered(point.name, origin, None, parser)
