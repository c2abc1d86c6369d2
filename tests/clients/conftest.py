"""What of this folder is collected at all."""

from __future__ import annotations

import os

# fastlane comes from no registry that a test may ask: its test is there for whoever has a checkout.
collect_ignore = [] if os.environ.get("FASTLANE_SOURCE") else ["test_fastlane_match.py"]
