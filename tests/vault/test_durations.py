"""How long something is kept, in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from vault.durations import duration
from vault.errors import Invalid


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("42", timedelta(seconds=42)),
            ("42 seconds", timedelta(seconds=42)),
            ("3 mins 4 sec", timedelta(minutes=3, seconds=4)),
            ("2 hrs 20 min", timedelta(hours=2, minutes=20)),
            ("2h20min", timedelta(hours=2, minutes=20)),
            ("6 mos 1 day", timedelta(days=181)),
            ("47 yrs 6 mos and 4d", timedelta(seconds=47 * 31557600) + timedelta(days=184)),
            ("3 weeks and 2 days", timedelta(days=23)),
            ("1 week, 1 day", timedelta(days=8)),
            ("1.5 hours", timedelta(minutes=90)),
            (" 1 Day ", timedelta(days=1)),
            ("1d1d", timedelta(days=2)),
            ("1 day 2", timedelta(days=1, seconds=2)),
            ("5m", timedelta(minutes=5)),
            ("5mo", timedelta(days=150)),
        ],
    )
    def test_is_read_as_pipelines_write_it(self, text: str, found: timedelta) -> None:
        assert duration(text) == found

    @pytest.mark.parametrize("text", ["never", "Never ", "0", "0 days", ""])
    def test_is_none_where_there_is_no_end(self, text: str) -> None:
        assert duration(text) is None

    @pytest.mark.parametrize(
        "text", ["soon", "1 fortnight", "-1 day", "1 day ago", "day", "1e3", "1 .", "٣ days", "1 000 days x"]
    )
    def test_refuses_what_is_none(self, text: str) -> None:
        with pytest.raises(Invalid):
            duration(text)

    @pytest.mark.parametrize("text", ["2000 years", "999999999 years", "9" * 400, "999999999d" * 1000])
    def test_refuses_what_no_calendar_holds(self, text: str) -> None:
        with pytest.raises(Invalid):
            duration(text)

    def test_names_the_field_it_was_for(self) -> None:
        with pytest.raises(Invalid) as caught:
            duration("soon", "artifacts_expire_in")

        assert caught.value.field == "artifacts_expire_in"
