"""A real S3 server on free ports: SeaweedFS, whose program comes with the development requirements.

`SECURE_FILES_TEST_S3` names another one instead, as `http://ACCESS_KEY:SECRET_KEY@host:port/bucket`: the bucket has to
be there.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from vault.blobs import ObjectOptions, open_blobs

if TYPE_CHECKING:
    from vault.blobs import BlobStore

GIVEN = os.environ.get("SECURE_FILES_TEST_S3", "")
BUCKET = "vault-tests"
ACCESS_KEY, SECRET_KEY = "vault-of-the-tests", "secret-key-of-the-tests"
PROGRAM = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


def missing() -> str:
    """Say what is not there; empty when a server can be had."""
    return "" if GIVEN or PROGRAM else "weed, the program of SeaweedFS, is not there"


class S3:
    """An S3 server that somebody runs: where it is and how it is reached."""

    def __init__(self, endpoint: str, bucket: str, access_key: str, secret_key: str) -> None:
        self.endpoint, self.bucket = endpoint, bucket
        self.access_key, self.secret_key = access_key, secret_key

    @classmethod
    def given(cls) -> S3:
        """Return the one that the environment names."""
        place = urlsplit(GIVEN)
        address = f"{place.scheme}://{place.hostname}:{place.port}"
        return cls(address, place.path.strip("/"), unquote(place.username or ""), unquote(place.password or ""))

    @property
    def client(self) -> Any:
        """Return Amazon's own client, to look from outside."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def options(self, **changed: Any) -> ObjectOptions:
        """Return how a store reaches it."""
        given = {"endpoint": self.endpoint, "region": "us-east-1", "allow_http": True}
        keys = {"access_key": self.access_key, "secret_key": self.secret_key}
        return ObjectOptions(**{**given, **keys, **changed})

    def new_url(self) -> str:
        """Return the URL of a store that nothing was written to."""
        return f"s3://{self.bucket}/{secrets.token_hex(6)}"

    def store(self, url: str = "", **changed: Any) -> BlobStore:
        """Open a store; a new one unless a URL is given."""
        return open_blobs(url or self.new_url(), self.options(**changed))

    def settings(self) -> dict[str, Any]:
        """Return a vault's settings for a store that nothing was written to."""
        return {
            "blobs": self.new_url(),
            "blobs_endpoint": self.endpoint,
            "blobs_region": "us-east-1",
            "blobs_access_key": self.access_key,
            "blobs_secret_key": self.secret_key,
            "blobs_allow_http": True,
        }

    def uploads(self) -> list[str]:
        """Return the names of multipart uploads that were begun and neither completed nor aborted."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in found.get("Uploads", [])]


class SeaweedFS(S3):
    """Runs one in `folder` while the block runs; it can be stopped and started again with what it stored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_flags(), free_ports(len(_flags())), strict=True))
        super().__init__(f"http://127.0.0.1:{self._ports['s3.port']}", BUCKET, ACCESS_KEY, SECRET_KEY)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for flag, port in self._ports.items():
            if flag.endswith(".grpc"):  # it has no option for where these lie
                Path(f"/tmp/seaweedfs-{flag.partition('.')[0]}-grpc-{port}.sock").unlink(missing_ok=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        identity = {
            "name": "vault",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        keys = self._folder / "s3.json"
        keys.write_text(json.dumps({"identities": [identity]}))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(keys), stdout=log, stderr=log, cwd=self._folder)
        try:
            wait_until(self._answers, 60)
            wait_until(self._stores, 60)
        except BaseException:
            self.stop()  # nobody else would: the block has not begun
            raise

    def stop(self) -> None:
        """Kill it: when asked to end it takes half a minute."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def pause(self) -> None:
        """Let it hang: it takes connections and never answers."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _command(self, keys: Path) -> list[str]:
        ports = [f"-{flag}={port}" for flag, port in self._ports.items()]
        small = ["-master.volumeSizeLimitMB=256", "-volume.max=100", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self._folder}", f"-s3.config={keys}"]
        sockets = [f"-{part}.localSocket={self._folder}/{part}.sock" for part in ("filer", "s3")]
        return [PROGRAM or "weed", "server", "-filer", "-s3", *here, *ports, *small, *sockets]

    def _answers(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"weed ended: {(self._folder / 'log').read_text()[-2000:]}")
        with suppress(OSError), urlopen(f"{self.endpoint}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
        return False

    def _stores(self) -> bool:
        """Say whether it really works: right after a start it does not know yet where to put things."""
        with suppress(BotoCoreError, ClientError):
            if self.bucket not in [bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]]:
                self.client.create_bucket(Bucket=self.bucket)
            self.client.put_object(Bucket=self.bucket, Key="started", Body=b"x")
            return bool(self.client.get_object(Bucket=self.bucket, Key="started")["Body"].read() == b"x")
        return False


def _flags() -> list[str]:
    return [*PORTS, *(f"{port}.grpc" for port in PORTS)]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until(true: Any, seconds: float) -> None:
    """Return as soon as `true()` is. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} seconds")
        time.sleep(0.05)
