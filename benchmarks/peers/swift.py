"""OpenStack Swift with encryption at rest."""

from __future__ import annotations

import base64
import os
import pwd
import secrets
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from benchmarks.load import Target
from benchmarks.peers.dialects import Swift
from benchmarks.peers.peer import Peer, apt, ask, run
from benchmarks.run import PROJECTS
from benchmarks.serving import free_ports, started

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PARTS = ("account", "container", "object")
DEFAULT = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {data}
user = {user}
devices = {data}/devices
mount_check = false
workers = 1
log_level = ERROR
"""
STORAGE = """
[pipeline:main]
pipeline = {part}-server
[app:{part}-server]
use = egg:swift#{part}
"""
PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper cache tempauth keymaster encryption proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{cache}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:keymaster]
use = egg:swift#keymaster
encryption_root_secret = {secret}
[filter:encryption]
use = egg:swift#encryption
"""


def install(_tools: Path) -> None:
    apt("swift-proxy-server", "swift-proxy")
    for part in PARTS:
        apt(f"swift-{part}-server", f"swift-{part}")
    apt("memcached", "memcached")


def ring(data: Path, part: str, port: int) -> None:
    """Say where the only copy lies."""
    builder = data / f"{part}.builder"
    run("swift-ring-builder", builder, "create", "4", "1", "1")
    run("swift-ring-builder", builder, "add", f"r1z1-127.0.0.1:{port}/disk", "1")
    run("swift-ring-builder", builder, "rebalance")


@contextmanager
def running(_tools: Path, data: Path) -> Iterator[Target]:
    """Run the proxy and its three servers over rings of one device."""
    cache, proxy, *storage = free_ports(2 + len(PARTS))
    user = pwd.getpwuid(os.geteuid()).pw_name
    (data / "devices" / "disk").mkdir(parents=True)
    with ExitStack() as stack:
        memory = ["memcached", "-l", "127.0.0.1", "-p", str(cache), "-U", "0", "-u", user]
        processes = [stack.enter_context(started(memory, cache, data / "log"))]
        for part, port in zip(PARTS, storage, strict=True):
            ring(data, part, port)
            text = DEFAULT.format(port=port, data=data, user=user) + STORAGE.format(part=part)
            processes.append(stack.enter_context(server(data, part, port, text)))
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        text = DEFAULT.format(port=proxy, data=data, user=user) + PROXY.format(cache=cache, secret=secret)
        processes.append(stack.enter_context(server(data, "proxy", proxy, text)))
        token = logged_in(proxy)
        for project in PROJECTS:
            ask("PUT", f"http://127.0.0.1:{proxy}{Swift.root}/{project}", headers={"X-Auth-Token": token})
        pids = [process.pid for process in processes]
        yield Target("swift", proxy, pids, PROJECTS, f"X-Auth-Token: {token}\r\n", Swift)


def server(data: Path, part: str, port: int, text: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Return what runs one of Swift's servers."""
    configuration = data / f"{part}-server.conf"
    configuration.write_text(text)
    return started([f"swift-{part}-server", str(configuration)], port, data / "log")


def logged_in(port: int) -> str:
    """Return a token of tempauth."""
    headers = {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/auth/v1.0", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["X-Auth-Token"])


PEER = Peer(
    "swift",
    "OpenStack Swift of Debian: proxy, account, container and object server with one worker each, one copy, "
    "keymaster and encryption (AES-256-CTR), memcached, tempauth; object and folder synced",
    "five processes; CTR protects from reading, not from change; MD5 instead of SHA-256; the database of the list is "
    "not synced for each file; the list bears names, sizes, times and checksums",
    install,
    running,
)
