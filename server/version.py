"""Which GitLab this server passes for, and which build it is."""

from __future__ import annotations

# Clients decide by it which calls they may make; the endpoints here are those of this release.
GITLAB_VERSION = "17.11.0"
VERSION = "0.1.0"
REVISION = f"secure-files-{VERSION}"
