"""How long something is kept, in the words of https://docs.gitlab.com/ci/yaml/#artifactsexpire_in."""

from __future__ import annotations

import re
from datetime import timedelta

from vault.errors import Invalid

# As GitLab's parser counts them: a month has 30 days, a year 365.25.
UNITS = {
    "s sec secs second seconds": 1,
    "m min mins minute minutes": 60,
    "h hr hrs hour hours": 3600,
    "d day days": 86400,
    "w wk wks week weeks": 604800,
    "mo mos month months": 2592000,
    "y yr yrs year years": 31557600,
}
SECONDS = {word: seconds for words, seconds in UNITS.items() for word in words.split()}
TERM = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]*)\s*(?:,|and\b)?", re.ASCII)
LONGEST = timedelta(days=365_250)


def duration(text: str, field: str = "expire_in") -> timedelta | None:
    """Read `42` (seconds), `3 mins 4 sec`, `2h20min`, `3 weeks and 2 days`; None for `never` and for no time at all.

    Raises `Invalid`, naming `field`, for anything else and for more than a thousand years.
    """
    words = text.strip().lower()
    if words == "never":
        return None
    total, at = 0.0, 0
    while at < len(words):
        found = TERM.match(words, at)
        if found is None or (found[2] or "s") not in SECONDS:
            raise Invalid(field, "is not a duration such as 30 days, 2h20min or never")
        total += float(found[1]) * SECONDS[found[2] or "s"]
        at = found.end()
    if total > LONGEST.total_seconds():
        raise Invalid(field, "is longer than a thousand years")
    return timedelta(seconds=total) or None
