"""What `/metrics` tells: counted by prometheus-client, of all processes of this server together.

Workers keep their numbers in files of a folder that they share, in memory where the system has such a place: on a full
disk a write through a mapping would end the process. Labels are route templates, methods, statuses, reason codes, and
recipients by the names they were given: nothing that a client can make up.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from server.settings import share_metrics
from server.version import REVISION, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from aiohttp import web
    from aiohttp.web_urldispatcher import AbstractResource
    from prometheus_client.core import Metric

    from vault.errors import VaultError

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it, for its owner alone
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
UNMATCHED, OTHER, GONE = "unmatched", "other", "499"
OUTCOMES = 40  # a plugin may have codes of its own, and not too many
DURATIONS = (0.002, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
COMMITS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0)


class Metrics:
    """The numbers of one process, and the page of all. An `Observer` of what happens below the server."""

    def __init__(
        self,
        expiring: Callable[[], Mapping[str, int]] = dict,
        folder: Path | None = None,
        failing: Callable[[], Iterable[tuple[str, int, datetime]]] = tuple,
    ) -> None:
        self._folder = folder
        self._registry = registry = CollectorRegistry()
        prefix = "secure_files_"
        self._requests = Counter(
            f"{prefix}http_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._durations = Histogram(
            f"{prefix}http_request_duration_seconds",
            "From the head of a request to its answer; of a large download to its end.",
            ("route", "method"),
            registry=registry,
            buckets=DURATIONS,
        )
        self._received = Counter(f"{prefix}http_received_bytes", "Bytes of bodies.", ("route",), registry=registry)
        self._sent = Counter(f"{prefix}http_sent_bytes", "Bytes of answers' bodies.", ("route",), registry=registry)
        self._parsed = Counter(f"{prefix}parsed_files", "Files that were read.", ("outcome",), registry=registry)
        self._commits = Histogram(
            f"{prefix}catalog_write_duration_seconds",
            "Changes of the catalog, waiting included.",
            registry=registry,
            buckets=COMMITS,
        )
        self._store_errors = Counter(
            f"{prefix}blob_store_errors", "What the store refused.", ("operation", "reason"), registry=registry
        )
        self._uploads = Gauge(
            f"{prefix}uploads_in_flight", "Files on the way.", registry=registry, multiprocess_mode="livesum"
        )
        self._queues = Gauge(
            f"{prefix}queue_length",
            "What waits or is at work, looked at every two seconds.",
            ("queue",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._notices = Counter(
            f"{prefix}notices", "Notices that were tried to be told.", ("recipient", "outcome"), registry=registry
        )
        self._catalog = _OfTheVault(expiring, failing)
        if folder is None:
            registry.register(self._catalog)
        self._of: dict[tuple[AbstractResource | None, str, int | str], _Numbers] = {}
        self._outcomes: set[str] = set()

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type, in the format that the header asks for. Blocks."""
        encode, content_type = choose_encoder(accept)
        registry = self._registry
        if self._folder is not None:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
            registry.register(self._catalog)
        return encode(registry), content_type

    def answered(self, request: web.Request, response: web.StreamResponse | None, seconds: float) -> None:
        """Count a request; without a response its client had gone."""
        key = request.match_info.route.resource, request.method, response.status if response is not None else GONE
        requests, durations, received, sent = self._of.get(key) or self._make(key)
        requests.inc()
        durations.observe(seconds)
        if came := request.content.total_bytes:
            received.inc(came)
        if response is not None and (size := response.content_length or response.body_length):
            sent.inc(size)

    def _make(self, key: tuple[AbstractResource | None, str, int | str]) -> _Numbers:
        resource, method, status = key
        route = resource.canonical if resource is not None else UNMATCHED
        known = method if method in METHODS else OTHER
        found = _Numbers(
            self._requests.labels(route, known, str(status)),
            self._durations.labels(route, known),
            self._received.labels(route),
            self._sent.labels(route),
        )
        if known != OTHER:  # of methods that a client makes up nothing is kept
            self._of[key] = found
        return found

    def committed(self, seconds: float) -> None:
        """Count a change of the catalog."""
        self._commits.observe(seconds)

    def parsed(self, outcome: str) -> None:
        """Count a file that was read."""
        if outcome not in self._outcomes and len(self._outcomes) >= OUTCOMES:
            outcome = OTHER
        self._outcomes.add(outcome)
        self._parsed.labels(outcome).inc()

    def store_failed(self, operation: str, error: VaultError) -> None:
        """Count what the store of blobs refused."""
        self._store_errors.labels(operation, type(error).__name__).inc()

    def told(self, recipient: str, *, well: bool) -> None:
        """Count a notice that reached its recipient, or did not."""
        self._notices.labels(recipient, "told" if well else "failed").inc()

    def waiting(self, *, uploads: int, **queues: int) -> None:
        """Note how much is on the way, and how long the queues are."""
        self._uploads.set(uploads)
        for name, length in queues.items():
            self._queues.labels(name).set(length)


class _Numbers(NamedTuple):
    """What is counted of the requests of one route and method that were answered alike."""

    requests: Counter
    durations: Histogram
    received: Counter
    sent: Counter


class _OfTheVault:
    """What is the same whichever process is asked."""

    def __init__(
        self, expiring: Callable[[], Mapping[str, int]], failing: Callable[[], Iterable[tuple[str, int, datetime]]]
    ) -> None:
        self._expiring, self._failing = expiring, failing

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        labels = ("version", "revision", "python")
        build = GaugeMetricFamily("secure_files_build_info", "The program that serves.", labels=labels)
        build.add_metric((VERSION, REVISION, platform.python_version()), 1)
        yield build
        files = GaugeMetricFamily(
            "secure_files_expiring", "Secure files by when they expire; each is in one window.", labels=("window",)
        )
        for window, count in self._expiring().items():
            files.add_metric((window,), count)
        yield files
        pending = GaugeMetricFamily(
            "secure_files_notices_pending", "Notices that did not reach their recipient yet.", labels=("recipient",)
        )
        since = GaugeMetricFamily(
            "secure_files_notices_pending_since_seconds", "Since when, as Unix time.", labels=("recipient",)
        )
        for recipient, count, moment in self._failing():
            pending.add_metric((recipient,), count)
            since.add_metric((recipient,), moment.timestamp())
        yield from (pending, since)


def folder_for_workers(data: Path) -> Path:
    """Make the folder where workers keep their numbers, and have them kept there. Call it before they are forked.

    There is one for a data folder, whose lock the caller holds: what a killed server left in it is removed.
    """
    name = f"secure-files-metrics-{os.getuid()}-{hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]}"
    folder = (SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())) / name
    with suppress(OSError):
        if folder.lstat().st_uid == os.getuid():
            shutil.rmtree(folder)
    try:
        folder.mkdir(0o700)
    except FileExistsError:  # somebody else's, who wants to be in the way
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    share_metrics(folder)
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    return folder


def forget_process(folder: Path, pid: int) -> None:
    """Drop the queues of a worker that died; what it had counted stays."""
    multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
