"""The yardsticks: what aiohttp alone can do (`bare`), and what the plain way to a durable encrypted vault costs."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.load import content

CHUNK = 1 << 18
NAMES = {"C": "US", "O": "Organization", "CN": "Distribution: Organization (ABC123XYZ)", "OU": "ABC123XYZ"}


def entry(number: int, checksum: str = "0" * 64) -> dict[str, Any]:
    """Return a secure file as the API tells of one."""
    expires = "2027-03-21T14:55:59.000Z"
    metadata = {
        "id": "75949910542696343243264405377658443914",
        "issuer": NAMES,
        "subject": NAMES,
        "expires_at": expires,
    }
    return {
        "id": number,
        "name": f"release-{number}.jks",
        "checksum": checksum,
        "checksum_algorithm": "sha256",
        "created_at": "2026-02-22T22:22:22.222Z",
        "expires_at": expires,
        "metadata": metadata,
        "file_extension": "jks",
    }


LIST = json.dumps([entry(number) for number in range(100)]).encode()


async def file_part(request: web.Request) -> bytearray:
    """Return the file of a multipart body by aiohttp's own reader."""
    received = bytearray()
    async for part in await request.multipart():
        while data := await part.read_chunk(CHUNK):  # type: ignore[union-attr]
            if part.name == "file":  # type: ignore[union-attr]
                received += data
    return received


class Bare:
    """Answers from memory and keeps nothing."""

    def __init__(self, size: int) -> None:
        self._content = content(size)

    async def upload(self, request: web.Request) -> web.Response:
        await file_part(request)
        return web.json_response({"id": 1}, status=201)

    async def download(self, _: web.Request) -> web.Response:
        return web.Response(body=self._content, content_type="application/octet-stream")

    async def list(self, _: web.Request) -> web.Response:
        return web.Response(body=LIST, content_type="application/json")

    async def delete(self, _: web.Request) -> web.Response:
        return web.Response(status=204)


class Honest:
    """Hashes, encrypts, syncs and commits, with nothing beyond that."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._cipher = AESGCM(os.urandom(32))
        self._pool = ThreadPoolExecutor(4)
        self._writer = ThreadPoolExecutor(1)
        self._reading, self._writing = self._connect(), self._connect()
        self._writing.execute(
            "CREATE TABLE f (id INTEGER PRIMARY KEY, project INT, checksum TEXT, size INT, meta TEXT, blob TEXT)"
        )
        self._writing.execute("CREATE INDEX fp ON f(project)")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._folder / "db", check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _seal(self, data: bytearray) -> tuple[str, str]:
        checksum, nonce, blob = hashlib.sha256(data).hexdigest(), os.urandom(7), os.urandom(16).hex()
        view = memoryview(data)
        with (self._folder / f"{blob}.t").open("xb", buffering=0) as file:
            file.write(nonce)
            for number, at in enumerate(range(0, max(1, len(data)), CHUNK)):
                file.write(self._cipher.encrypt(nonce + number.to_bytes(5, "big"), view[at : at + CHUNK], None))
            os.fsync(file.fileno())
        (self._folder / f"{blob}.t").rename(self._folder / blob)
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return blob, checksum

    def _insert(self, project: int, blob: str, checksum: str, size: int) -> int:
        row = (project, checksum, size, json.dumps(entry(1)["metadata"]), blob)
        sql = "INSERT INTO f (project, checksum, size, meta, blob) VALUES (?,?,?,?,?)"
        return self._writing.execute(sql, row).lastrowid or 0

    async def upload(self, request: web.Request) -> web.Response:
        data = await file_part(request)
        loop, project = asyncio.get_running_loop(), int(request.match_info["project"])
        blob, checksum = await loop.run_in_executor(self._pool, self._seal, data)
        number = await loop.run_in_executor(self._writer, self._insert, project, blob, checksum, len(data))
        return web.json_response(entry(number, checksum), status=201)

    async def download(self, request: web.Request) -> web.StreamResponse:
        found = self._reading.execute("SELECT blob, size FROM f WHERE id = ?", (int(request.match_info["file"]),))
        blob, size = found.fetchone()
        response = web.StreamResponse(headers={"Content-Length": str(size)})
        await response.prepare(request)
        with (self._folder / blob).open("rb", buffering=0) as file:
            nonce, number = file.read(7), 0
            while sealed := file.read(CHUNK + 16):
                await response.write(self._cipher.decrypt(nonce + number.to_bytes(5, "big"), sealed, None))
                number += 1
        await response.write_eof()
        return response

    async def list(self, request: web.Request) -> web.Response:
        sql = "SELECT id, checksum, meta FROM f WHERE project = ? ORDER BY id DESC LIMIT 100"
        rows = self._reading.execute(sql, (int(request.match_info["project"]),)).fetchall()
        return web.json_response([{**entry(row[0], row[1]), "metadata": json.loads(row[2])} for row in rows])

    async def delete(self, request: web.Request) -> web.Response:
        number = int(request.match_info["file"])
        blob = self._reading.execute("SELECT blob FROM f WHERE id = ?", (number,)).fetchone()[0]
        self._writing.execute("DELETE FROM f WHERE id = ?", (number,))
        (self._folder / blob).unlink()
        return web.Response(status=204)


def main() -> None:
    """Serve the floor that the command line names, until somebody ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("bare", "honest"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True, help="what bare answers a download with")
    options = parser.parse_args()
    floor = Bare(options.size) if options.mode == "bare" else Honest(options.folder)
    app = web.Application(client_max_size=1 << 28)
    files = "/api/v4/projects/{project}/secure_files"
    app.router.add_post(files, floor.upload)
    app.router.add_get(files, floor.list)
    app.router.add_get(files + "/{file}/download", floor.download)
    app.router.add_delete(files + "/{file}", floor.delete)
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
