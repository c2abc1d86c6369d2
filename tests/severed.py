"""A wire to PostgreSQL that a test can cut: before a word reaches the engine, or before its answer comes back."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

COMMIT = b"COMMIT\0"


class Wire:
    """Passes bytes to `port` of this machine while the block runs.

    `cut` sees what clients send, piece by piece, and says `before` (it gets no further, the connection ends), `after`
    (the engine gets it and answers, the client sees the end of the connection instead) or nothing.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.cut: Callable[[bytes], str] = lambda piece: ""
        self.refusing = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.drop()
        for thread in self._threads:
            thread.join(20)

    def url(self, url: str) -> str:
        """Return the address of the same database at this end of the wire."""
        return url.replace(f":{self._upstream}/", f":{self.port}/")

    def drop(self) -> None:
        """End every connection there is."""
        for each in self._open:
            _end(each)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            engine = socket.create_connection(("127.0.0.1", self._upstream))
            self._open += [client, engine]
            self._start(self._send, client, engine)
            self._start(self._answer, engine, client)

    def _send(self, client: socket.socket, engine: socket.socket) -> None:
        for piece in _pieces(client):
            where = self.cut(piece)
            if where == "after":
                _end(client)  # whatever is answered now reaches nobody
            if where == "before":
                break
            with suppress(OSError):
                engine.sendall(piece)
        _end(client)
        _end(engine)

    def _answer(self, engine: socket.socket, client: socket.socket) -> None:
        for piece in _pieces(engine):
            with suppress(OSError):
                client.sendall(piece)
        _end(client)


def _pieces(source: socket.socket):  # type: ignore[no-untyped-def]
    while True:
        try:
            piece = source.recv(65536)
        except OSError:
            return
        if not piece:
            return
        yield piece


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
