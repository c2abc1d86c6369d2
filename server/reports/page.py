"""The report as one page that needs nothing else: no script, no other file, right in print and on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import PackageLoader

from server.reports.templating import environment
from server.reports.timeline import WEEKS, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vault.expiry import Expiry


def page(rows: Sequence[Expiry], now: datetime) -> str:
    """Return the HTML. What a file is called is text there, whatever it holds."""
    templates = environment(PackageLoader("server.reports"))
    counts = {status: sum(row.status == status for row in rows) for status in ("expired", "expiring", "valid")}
    return templates.get_template("report.html").render(
        rows=rows, counts=counts, timeline=timeline(rows, now), weeks=WEEKS, now=now
    )
