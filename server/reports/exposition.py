"""The report as metrics in Prometheus's text format, for a scrape or node_exporter's textfile collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from vault.expiry import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.expiry import Expiry

LABELS = ("project", "id", "name", "kind")


def exposition(rows: Iterable[Expiry]) -> str:
    """Return one sample a file: the Unix time at which it expires, in seconds."""
    registry = CollectorRegistry()
    gauge = Gauge(
        "secure_file_expiry_timestamp_seconds", "When a secure file expires, in Unix time.", LABELS, registry=registry
    )
    for row in rows:
        gauge.labels(row.project, str(row.id), row.name, row.kind or "").set(moment(row.expires_at).timestamp())
    return generate_latest(registry).decode().rstrip("\n")
