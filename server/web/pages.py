"""The pages, in the order in which they are tried."""

from __future__ import annotations

from server.web import belongings, files, overview, sign_in

PAGES = tuple(endpoint for module in (sign_in, overview, files, belongings) for endpoint in module.ENDPOINTS)
