"""Three servers on one PostgreSQL and one S3 store behind nginx, all of them real, and all of them may be killed.

    python -m tests.reliability.cluster --seconds 600

puts them under a mixed load, kills each server in turn, restarts PostgreSQL, takes the store away, and says what became
of the requests. `deploy/nginx.conf` is the balancer's configuration, but for addresses.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from tests.harness import ROOT_TOKEN, Client
from tests.postgres import PostgresServer, running
from tests.relay import Relay
from tests.reliability.load import Load
from tests.reliability.processes import ROOT, Server
from tests.s3 import SeaweedFS, free_ports, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVERS = 3
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SAFE = ("-c", "max_connections=100")


class Balancer:
    """nginx with the configuration that is meant for others, over these servers."""

    def __init__(self, folder: Path, servers: list[Server]) -> None:
        self._folder = folder
        folder.mkdir()
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
        for number, server in enumerate(servers, 1):
            text = text.replace(f"server vault-{number}:8080", f"server {server.url.removeprefix('http://')}")
        assert "vault-" not in text.partition("server {")[0].partition("upstream")[2]
        text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
        places = "".join(
            f"    {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = text.replace("http {\n", f"http {{\n{places}", 1).replace("/dev/stderr", f"{folder}/log")
        (folder / "nginx.conf").write_text(f"pid {folder}/pid;\n{text}")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [NGINX or "nginx", "-p", str(self._folder), "-c", f"{self._folder}/nginx.conf", "-g", "daemon off;"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(self._answers, 10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def _answers(self) -> bool:
        with suppress(requests.ConnectionError):
            return Client(self.url, None).get("/-/readiness").status == 200
        return False


class Cluster:
    """All of it, under `folder`, while the block runs. `wired` has the store be reached by a wire that can be cut."""

    def __init__(self, folder: Path, *, wired: bool = False) -> None:
        self._folder = folder
        self._wired = wired
        self._wire: Relay | None = None
        self._stack = ExitStack()
        self.servers: list[Server] = []
        self.url = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.postgres: PostgresServer = stack.enter_context(running(options=SAFE))
            self.store = stack.enter_context(SeaweedFS(self._folder / "s3"))
            settings = {
                **self.store.settings(),
                "database": self.postgres.database(None),
                "keyring": str(self._folder / "keyring.json"),
                "repositories": str(self._folder / "repositories"),
                "secure_files_per_project": 10_000,
                "trusted_proxy": "127.0.0.1",
            }
            if self._wired:
                self._wire = stack.enter_context(Relay(self.store.endpoint))
                settings["blobs_endpoint"] = self._wire.url
            for number in range(SERVERS):
                server = Server(self._folder / f"server-{number}", workers=1, **settings)
                self.servers.append(stack.enter_context(server))
            self.url = stack.enter_context(Balancer(self._folder / "nginx", self.servers)).url
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def root(self) -> Client:
        """A client of the administrator, by way of the balancer."""
        return Client(self.url, ROOT_TOKEN)

    # What is done to it. Each returns when what was taken away is there again.

    def kill_server(self, number: int, seconds: float) -> None:
        """Kill one server with all its processes; start it again after so long."""
        self.servers[number].kill_all()
        time.sleep(seconds)
        self.servers[number].start()

    def crash_database(self) -> None:
        """Have PostgreSQL crash, and start it again at once."""
        self.postgres.stop("immediate")
        self.postgres.start()

    def restart_database(self) -> None:
        """Stop PostgreSQL, which ends every session, and start it again."""
        self.postgres.stop("fast")
        self.postgres.start()

    def lose_store(self, seconds: float) -> None:
        """Kill the S3 server, or cut the wire to it, which is there again sooner, for so long."""
        if self._wire is not None:
            self._wire.cut()
            time.sleep(seconds)
            self._wire.restore()
        else:
            self.store.stop()
            time.sleep(seconds)
            self.store.start()

    def freeze_store(self, seconds: float) -> None:
        """Have the S3 server take connections and not answer for so long."""
        self.store.pause()
        time.sleep(seconds)
        self.store.resume()


def events(cluster: Cluster, away: float) -> Iterator[tuple[str, Callable[[], None]]]:
    """Name everything that is done to a cluster, in order; `away` is how long the store is gone."""
    for number in range(SERVERS):
        yield f"kill -9 server {number + 1}", lambda number=number: cluster.kill_server(number, 1.0)  # type: ignore[misc]
    yield "restart PostgreSQL", cluster.restart_database
    yield "crash PostgreSQL", cluster.crash_database
    yield f"freeze the store for {away:g} s", lambda: cluster.freeze_store(away)
    yield f"lose the store for {away:g} s", lambda: cluster.lose_store(away)


def endure(cluster: Cluster, load: Load, seconds: float, away: float) -> dict[str, float]:
    """Do everything to the cluster under load, spread over `seconds`; return how long each took to recover from."""
    planned = list(events(cluster, away))
    pause = max(0.0, (seconds - 2 * away) / (len(planned) + 1))
    recovered: dict[str, float] = {}
    with load:
        time.sleep(pause)
        for name, happen in planned:
            load.during = name
            happen()
            recovered[name] = load.seconds_until_well()
            load.during = ""
            time.sleep(pause)
    return recovered


def main() -> None:
    """Run it for as long as asked and print the figures."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--away", type=float, default=30, help="seconds that the store is gone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, Cluster(Path(folder)) as cluster:
        load = Load(cluster.url, ROOT_TOKEN)
        recovered = endure(cluster, load, options.seconds, options.away)
        figures: dict[str, Any] = {**load.figures(), "lost or wrong at the end": load.lost()}
        figures["tracebacks in the logs"] = sum(server.log.count("Traceback") for server in cluster.servers)
    lines = [f"{name:40} {value}" for name, value in figures.items()]
    lines += [f"well again after: {name:30} {took:.2f} s" for name, took in recovered.items()]
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
