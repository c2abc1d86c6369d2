"""nginx with WebDAV."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.load import Target
from benchmarks.peers.dialects import WebDav
from benchmarks.peers.peer import Missing, Peer, apt, run
from benchmarks.run import PROJECTS
from benchmarks.serving import free_port, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = """\
daemon off;
user {user} {group};
worker_processes 1;
pid {data}/pid;
error_log {data}/errors;
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  client_max_body_size 64m;
  client_body_temp_path {data}/coming;
  server {{
    listen 127.0.0.1:{port};
    location /dav/ {{
      root {data};
      dav_methods PUT DELETE;
      create_full_put_path on;
      autoindex on;
      autoindex_format json;
    }}
  }}
}}
"""


def install(_tools: Path) -> None:
    apt("nginx", "nginx-light")
    if "http_dav_module" not in run(program(), "-V"):
        raise Missing("this nginx was built without its WebDAV module (apt-get install nginx-full)")


def program() -> str:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"


@contextmanager
def running(_tools: Path, data: Path) -> Iterator[Target]:
    port = free_port()
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    (data / "dav").mkdir()
    configuration = data / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(data=data, port=port, user=user, group=group))
    with started([program(), "-p", str(data), "-c", str(configuration)], port, data / "log") as process:
        yield Target("nginx", port, [process.pid], PROJECTS, dialect=WebDav)


PEER = Peer(
    "nginx",
    "nginx of Debian, one worker: PUT and GET of its WebDAV module, sendfile, the list is a folder's index in JSON",
    "no encryption, no fsync, no tokens, no checksum; the list bears names, sizes and times of 90 files",
    install,
    running,
    sealed=False,
)
