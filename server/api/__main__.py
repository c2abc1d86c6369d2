"""`python -m server.api` prints the description of the API, without a server."""

from __future__ import annotations

import json
import sys

from server.api import FAMILIES
from server.openapi import described

if __name__ == "__main__":
    endpoints = [endpoint for family in FAMILIES for endpoint in family.ENDPOINTS]
    sys.stdout.write(json.dumps(described(endpoints), indent=2, ensure_ascii=False) + "\n")
