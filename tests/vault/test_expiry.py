"""How long a file is still good, in days and in one word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault import clock, expiry

NOW = datetime(2026, 2, 22, 12, 0, 0, 500_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LAST = "9999-12-31T23:59:59.999Z"


def expiring_in(left: timedelta) -> expiry.Expiry:
    """Return the line of a report for a file that expires so long after NOW."""
    return report_of(clock.stamp(NOW + left))


def report_of(expires_at: str) -> expiry.Expiry:
    row = {"project_id": 7, "project": "team/app", "id": 3, "name": "a.cer", "kind": "certificate"}
    return expiry.report([{**row, "expires_at": expires_at, "metadata_error": None}], NOW)[0]


class TestReport:
    @pytest.mark.parametrize(
        ("left", "days", "status"),
        [
            (timedelta(0), 0, "expired"),
            (timedelta(milliseconds=1), 0, "expiring"),
            (timedelta(days=1) - SECOND, 0, "expiring"),
            (timedelta(days=1), 1, "expiring"),
            (timedelta(days=30), 30, "expiring"),
            (timedelta(days=30) + SECOND, 30, "valid"),
            (timedelta(days=400), 400, "valid"),
            (-SECOND, -1, "expired"),
            (timedelta(days=-1), -1, "expired"),
            (timedelta(days=-1) - SECOND, -2, "expired"),
        ],
    )
    def test_days_are_whole_ones_and_the_word_follows_the_moment(self, left: timedelta, days: int, status: str) -> None:
        line = expiring_in(left)

        assert (line.days_left, line.status) == (days, status)

    def test_a_line_tells_which_file_of_which_project(self) -> None:
        line = report_of("2026-03-01T00:00:00.000Z")

        assert (line.project_id, line.project, line.id, line.name) == (7, "team/app", 3, "a.cer")
        assert (line.kind, line.expires_at) == ("certificate", "2026-03-01T00:00:00.000Z")

    @pytest.mark.parametrize(
        ("expires_at", "status"), [(LAST, "valid"), ("0001-01-01T00:00:00.000Z", "expired")], ids=["last", "first"]
    )
    def test_the_ends_of_the_calendar_are_dates_like_any_other(self, expires_at: str, status: str) -> None:
        assert report_of(expires_at).status == status

    def test_keeps_the_order_it_is_given(self) -> None:
        assert expiry.report([], NOW) == []


class TestHorizon:
    def test_none_asks_for_everything(self) -> None:
        assert expiry.horizon(NOW, None) is None

    def test_is_the_last_moment_inside_the_time(self) -> None:
        assert expiry.horizon(NOW, timedelta(days=30)) == "2026-03-24T12:00:00.500Z"

    @pytest.mark.parametrize("within", [timedelta(days=4_000_000), timedelta(weeks=999_999)])
    def test_beyond_the_calendar_it_is_the_calendars_end(self, within: timedelta) -> None:
        assert expiry.horizon(NOW, within) == LAST


class TestFallsWithin:
    WEEK = timedelta(days=7)

    @pytest.mark.parametrize(
        ("left", "falls"),
        [
            (timedelta(days=-400), True),
            (timedelta(0), True),
            (timedelta(days=7), True),
            (timedelta(days=7) + SECOND, False),
        ],
    )
    def test_what_has_expired_or_will_in_the_time_does(self, left: timedelta, falls: bool) -> None:
        assert expiry.falls_within([expiring_in(left)], NOW, self.WEEK) is falls

    def test_one_of_many_is_enough(self) -> None:
        lines = [expiring_in(timedelta(days=left)) for left in (90, 3, 90)]

        assert expiry.falls_within(lines, NOW, self.WEEK)
        assert not expiry.falls_within(lines[::2], NOW, self.WEEK)
        assert not expiry.falls_within([], NOW, self.WEEK)
