"""OpenStack Barbican on PostgreSQL."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from benchmarks.load import Target
from benchmarks.peers.dialects import Barbican
from benchmarks.peers.peer import Peer, apt, run
from benchmarks.run import PROJECTS
from benchmarks.serving import free_port, started
from tests.postgres import PostgresServer, programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGES = ("barbican==23.0.0", "gunicorn", "psycopg2-binary")
# Barbican writes base64 as bytes into a column of text, which PostgreSQL makes hexadecimal unless it is told otherwise;
# then every payload is answered with 500.
OPTIONS = ("-c", "max_connections=100", "-c", "bytea_output=escape")
SETTINGS = """\
[DEFAULT]
host_href =
db_auto_create = True
max_allowed_secret_in_bytes = 20000000
max_allowed_request_size_in_bytes = 30000000
[database]
connection = postgresql+psycopg2://tests@127.0.0.1:{database}/postgres
[simple_crypto_plugin]
kek = {kek}
"""
PASTE = """\
[composite:main]
use = egg:Paste#urlmap
/v1: barbican_api
[pipeline:barbican_api]
pipeline = request_id context microversion apiapp
[app:apiapp]
paste.app_factory = barbican.api.app:create_main_app
[filter:context]
paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory
[filter:microversion]
paste.filter_factory = barbican.api.middleware.microversion:MicroversionMiddleware.factory
[filter:request_id]
paste.filter_factory = oslo_middleware.request_id:RequestId.factory
"""
# What Keystone's filter adds to a request once it has checked the token. (Barbican's own filter for a server without
# Keystone, unauthenticated-context, answers 500 in 23.0.0: it asks for an attribute that nothing sets.)
IDENTITY = (
    "X-Identity-Status: Confirmed\r\nX-User-Id: benchmark\r\nX-Project-Id: benchmark\r\n"
    "X-Roles: admin,member,creator\r\n"
)
APPLICATION = """\
from paste import deploy

application = deploy.loadapp("config:{data}/paste.ini")
"""


def install(tools: Path) -> None:
    if not (tools / "barbican" / "bin" / "gunicorn").exists():
        run(sys.executable, "-m", "venv", tools / "barbican")
        run(tools / "barbican" / "bin" / "pip", "install", "--quiet", *PACKAGES)
    if programs() is None:
        apt("initdb", "postgresql")


@contextmanager
def running(tools: Path, data: Path) -> Iterator[Target]:
    """Run it over a PostgreSQL of its own, with one secret store and no Keystone."""
    port = free_port()
    data.chmod(0o711)  # PostgreSQL runs as another user when we are root
    (data / "postgres").mkdir()
    (data / ".barbican").mkdir()
    with ExitStack() as stack:
        database = PostgresServer(data / "postgres", options=OPTIONS)
        stack.callback(database.stop, "immediate")
        database.start()
        kek = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        # It looks for its key below HOME or /etc alone.
        settings = SETTINGS.format(database=database.port, kek=kek)
        (data / ".barbican" / "barbican.conf").write_text(settings)
        (data / "paste.ini").write_text(PASTE)
        (data / "application.py").write_text(APPLICATION.format(data=data))
        where = ["--bind", f"127.0.0.1:{port}", "--chdir", str(data), "application:application"]
        gunicorn = str(tools / "barbican" / "bin" / "gunicorn")
        command = [gunicorn, "--worker-class", "gthread", "--threads", "16", "--log-level", "error", *where]
        environment = {"PATH": os.environ["PATH"], "HOME": str(data)}
        process = stack.enter_context(started(command, port, data / "log", env=environment))
        postmaster = int((data / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        yield Target("barbican", port, [process.pid, postmaster], PROJECTS, IDENTITY, Barbican)


PEER = Peer(
    "barbican",
    "OpenStack Barbican 23.0.0 under gunicorn (one process, 16 threads) on PostgreSQL with fsync, simple_crypto "
    "(Fernet: AES-128-CBC and HMAC)",
    "an upload is two requests; no Keystone, so no token is checked; no checksum; its limit of 20,000 bytes "
    "for a secret is raised; the memory of PostgreSQL's processes counts what they share several times; the list "
    "bears names and kinds of 100 secrets",
    install,
    running,
)
