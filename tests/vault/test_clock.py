"""Times as the catalog keeps them: texts of one length that order as the moments do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from vault import clock
from vault.expiry import moment

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def test_has_its_milliseconds_within_a_second_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begin = datetime(2026, 2, 22, 22, 22, 22, tzinfo=UTC).timestamp()
        told = []
        for offset in (0.0, 0.0015, 0.999, 1.25, 0.5):
            monkeypatch.setattr(clock.time, "time", lambda offset=offset: begin + offset)
            told.append(clock.now()[17:])

        assert told == ["22.000Z", "22.001Z", "22.999Z", "23.250Z", "22.500Z"]


class TestLatest:
    """What has ended stays ended when the clock is set back a little."""

    @pytest.fixture
    def clock_at(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], str]:
        begin = datetime(2026, 2, 23, tzinfo=UTC).timestamp()
        monkeypatch.setattr(clock, "_seen", 0.0)

        def at(offset: float) -> str:
            monkeypatch.setattr(clock.time, "time", lambda: begin + offset)
            return clock.latest()

        return at

    def test_does_not_go_back_by_less_than_five_minutes(self, clock_at: Callable[[float], str]) -> None:
        assert clock_at(1) == "2026-02-23T00:00:01.000Z"
        assert clock_at(-298) == "2026-02-23T00:00:01.000Z"
        assert clock.today() == "2026-02-23"

    def test_believes_a_clock_that_was_set_back_by_more(self, clock_at: Callable[[float], str]) -> None:
        clock_at(1)

        assert clock_at(-300) == "2026-02-22T23:55:00.000Z"

    def test_goes_on_with_the_clock(self, clock_at: Callable[[float], str]) -> None:
        assert [clock_at(second)[17:19] for second in (0, 1, 59)] == ["00", "01", "59"]
