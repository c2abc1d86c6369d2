"""The server's own certificate: read at the start and again when told to, without touching open connections."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from vault.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

STRICT_TRANSPORT_SECURITY = "max-age=31536000"


class Certificate:
    """A certificate chain and its key, in PEM files. Raises `Invalid` when they cannot be used."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain, self._key = chain, key
        self._current = self._read()
        # The one that listens. It hands each handshake to the newest: the callback is asked without a name as well.
        self.context = self._read()
        self.context.sni_callback = self._use_newest

    def read_again(self) -> None:
        """Use what the files hold now for connections from here on. Raises `Invalid`; then the old one stays."""
        self._current = self._read()

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            # Without a password of our own OpenSSL would ask for it at the terminal.
            context.load_cert_chain(self._chain, self._key, password=lambda: "")
        except ssl.SSLError as error:
            reason = (error.reason or str(error)).replace("_", " ").lower()
            raise Invalid(
                "tls_certificate", f"cannot be used: {self._chain} with the key {self._key}: {reason}"
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Invalid(
                "tls_certificate", f"cannot be used: {self._chain} with the key {self._key}: {reason}"
            ) from error
        return context

    def _use_newest(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current
