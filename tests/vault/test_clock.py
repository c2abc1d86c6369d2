"""Times as the catalog keeps them: texts of one length that order as the moments do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from vault import clock
from vault.expiry import moment

MOMENTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 2, 22, 22, 22, 22, 222_000, tzinfo=UTC),
    datetime(2026, 2, 22, 22, 22, 22, 223_000, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
)


class TestStamp:
    def test_looks_as_the_api_shows_it(self) -> None:
        assert clock.stamp(MOMENTS[3]) == "2026-02-22T22:22:22.222Z"

    def test_texts_order_as_the_moments_do(self) -> None:
        stamps = [clock.stamp(at) for at in MOMENTS]

        assert stamps == sorted(stamps)
        assert {len(text) for text in stamps} == {24}

    @pytest.mark.parametrize("at", MOMENTS)
    def test_is_read_back_as_the_same_moment(self, at: datetime) -> None:
        assert moment(clock.stamp(at)) == at

    def test_any_zone_becomes_utc(self) -> None:
        at = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

        assert clock.stamp(at) == "2025-12-31T23:30:00.000Z"

    def test_milliseconds_are_cut_and_not_rounded_into_the_future(self) -> None:
        assert clock.stamp(datetime(2026, 1, 1, microsecond=999_999, tzinfo=UTC)) == "2026-01-01T00:00:00.999Z"


class TestNow:
    def test_is_the_present_in_utc(self) -> None:
        before = datetime.now(UTC) - timedelta(milliseconds=1)

        assert before <= moment(clock.now()) <= datetime.now(UTC)
        assert clock.today() in {before.date().isoformat(), datetime.now(UTC).date().isoformat()}
