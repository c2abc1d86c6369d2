"""Three servers on one PostgreSQL and one store: whatever goes away, nothing acknowledged is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness import ROOT_TOKEN
from tests.postgres import needs_postgres
from tests.reliability.cluster import NGINX, Cluster, endure
from tests.reliability.load import Load
from tests.s3 import missing

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    *needs_postgres,
    pytest.mark.engine("nginx"),
    pytest.mark.skipif(NGINX is None, reason="needs nginx"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


def tracebacks(log: str) -> list[str]:
    """Return the lines of a log that tell of an error nobody expected."""
    return [line for line in log.splitlines() if "Traceback" in line]


def test_each_part_goes_away_and_comes_back_under_load(tmp_path: Path) -> None:
    with Cluster(tmp_path, wired=True) as cluster:
        load = Load(cluster.url, ROOT_TOKEN, workers=3)
        recovered = endure(cluster, load, seconds=8, away=2)

        assert load.wrong == []
        assert load.lost() == []
        assert [trace for server in cluster.servers for trace in tracebacks(server.log)] == []
        assert sum(load.answered.values()) > 50
        assert {name: took for name, took in recovered.items() if took >= 10} == {}
