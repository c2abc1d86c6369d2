"""`make demo`: a vault on its embedded default, with sample files in it, until Ctrl-C.

Everything goes through the same command and the same API that a team would use.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sample_certs.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(".demo")
PORT = 8080
READY_SECONDS = 30
END_SECONDS = 30
# A proxy in the environment is for other machines than this one.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """Make the demo vault, fill it, say how to use it, and serve until a signal comes."""
    signal.signal(signal.SIGTERM, _interrupt)
    _refuse_beside_another()
    data, token, port = FOLDER / "vault", f"glpat-demo-{secrets.token_hex(12)}", _port()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    address = f"http://127.0.0.1:{port}"
    log = FOLDER / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            _command("serve", "--data", str(data), "--port", str(port)),
            env=_environment(SECURE_FILES_ROOT_TOKEN=token),
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_ready(server, address, log)
        project = _fill(address, token)
        _explain(address, token, project)
        subprocess.run(_command("expiry-report", "--data", str(data)), env=_environment(), check=True)
        print(f"\nServing {data} until Ctrl-C (log: {log}); the next `make demo` begins anew.", flush=True)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(server)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server, whatever signals still come meanwhile."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    server.terminate()
    try:
        server.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "cli.main", *words]


def _environment(**more: str) -> dict[str, str]:
    """Return the environment without anybody's settings: the demo fills its own vault and no other."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("SECURE_FILES_")}, **more}


def _refuse_beside_another() -> None:
    """Leave the vault of a demo that is running in this folder alone: its server holds the lock in it."""
    try:
        with (FOLDER / "vault" / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise SystemExit("a demo is running in this folder already; end that one first") from None


def _port() -> int:
    """Return the usual port, or a free one when somebody has that."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("no port is free on 127.0.0.1")


def _wait_until_ready(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with _opener.open(f"{address}/-/readiness", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"the demo server did not start; its log says:\n{log.read_text('utf-8', 'replace')}")


def _fill(address: str, token: str) -> int:
    """Make a group and a project and put the samples in; return the project's id."""
    group = _post(address, token, "/groups", {"name": "Demo", "path": "demo"})
    project = _post(address, token, "/projects", {"name": "mobile-app", "namespace_id": group["id"]})
    made = datetime.now(UTC).replace(microsecond=0)
    samples = [sample for sample in catalogue() if sample.demo]
    on_terminal = sys.stderr.isatty()
    for number, sample in enumerate(samples, 1):
        if on_terminal:
            print(f"\rputting samples in: {number}/{len(samples)}", end="", file=sys.stderr, flush=True)
        fields = {"name": sample.name, **({} if sample.password is None else {"password": sample.password})}
        _upload(address, token, project["id"], fields, sample.contents(made))
    if on_terminal:
        print(file=sys.stderr)
    return int(project["id"])


def _explain(address: str, token: str, project: int) -> None:
    text = f"""
A vault with sample files is running.

  Address   {address}
  Token     {token}    (of the administrator, root)
  Project   {project}  (demo/mobile-app)

Open the address in a browser and sign in with the token, or ask the API in another terminal:

  curl --header "PRIVATE-TOKEN: {token}" "{address}/api/v4/projects/{project}/secure_files"

What expires:
"""
    print(text, flush=True)  # before what the next process writes


def _post(address: str, token: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return _send(address, token, path, json.dumps(body).encode(), "application/json")


def _upload(address: str, token: str, project: int, fields: dict[str, str], content: bytes) -> None:
    boundary = secrets.token_hex(16)
    body = b"".join(_parts(boundary, fields, content))
    _send(address, token, f"/projects/{project}/secure_files", body, f"multipart/form-data; boundary={boundary}")


def _parts(boundary: str, fields: dict[str, str], content: bytes) -> Iterator[bytes]:
    for name, value in fields.items():
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    yield f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'.encode()
    yield content
    yield f"\r\n--{boundary}--\r\n".encode()


def _send(address: str, token: str, path: str, body: bytes, kind: str) -> dict[str, Any]:
    headers = {"PRIVATE-TOKEN": token, "Content-Type": kind}
    request = urllib.request.Request(f"{address}/api/v4{path}", body, headers, method="POST")
    with _opener.open(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


if __name__ == "__main__":
    sys.exit(main())
