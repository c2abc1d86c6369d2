"""All peers, by name."""

from __future__ import annotations

from benchmarks.peers import barbican, minio, nginx, openbao, seaweedfs, swift

PEERS = {module.PEER.name: module.PEER for module in (nginx, openbao, seaweedfs, swift, barbican, minio)}
