"""The endpoints: one module per family, each with a tuple `ENDPOINTS`. A new family is one more line here."""

from __future__ import annotations

from server.api import (
    artifacts,
    audit_events,
    doctor,
    expiry,
    git_http,
    git_lfs,
    groups,
    health,
    jobs,
    members,
    metrics,
    openapi,
    projects,
    repository_files,
    runner,
    secure_files,
    tokens,
    uploads,
    users,
)

# The router tries routes in this order: what is asked most of all comes first, but for a few routes that would be the
# number of a secure file: `secure_files/health`, `secure_files/expiry.ics`.
FAMILIES = (
    doctor,
    expiry,
    secure_files,
    health,
    openapi,
    metrics,
    users,
    tokens,
    groups,
    projects,
    members,
    jobs,
    repository_files,
    uploads,
    artifacts,
    runner,
    git_http,
    git_lfs,
    audit_events,
)
