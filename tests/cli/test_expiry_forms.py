"""`expiry-report` in the forms that others read: each is read back by a reader of that form."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from icalendar import Calendar
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.runner import run
from tests.vault.core import Core, Found, opened
from vault import clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = {"plain.cer": 40, 'odd "name", <em>x</em> | `y`\\.p12': 3, "gone.jks": -2, "ünïcode; 👍.cer": 700}


def in_days(days: int) -> str:
    return clock.stamp(datetime.now(UTC) + timedelta(days=days, hours=12))


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        project = core.project(core.user("ada"))
        for name, days in NAMES.items():
            core.reader.answer = Found("certificate", expires_at=in_days(days))
            core.secure_files.add(project.id, name, b"")
        yield core


def report(core: Core, form: str, *more: str) -> str:
    outcome = run("expiry-report", "--data", core.folder, "--format", form, *more)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out


class TestCalendar:
    def events(self, core: Core) -> dict[str, dict[str, object]]:
        found = Calendar.from_ical(report(core, "ics"))
        return {str(event["summary"]): event for event in found.walk("VEVENT")}

    def test_has_an_event_on_the_day_each_file_expires(self, core: Core) -> None:
        found = self.events(core)

        assert len(found) == len(NAMES)
        for name, days in NAMES.items():
            event = next(event for summary, event in found.items() if summary.startswith(f"{name} of "))
            assert event.decoded("dtstart") == date.fromisoformat(in_days(days)[:10])
            assert name in str(event["description"])

    def test_keeps_the_identity_of_an_event_from_one_reading_to_the_next(self, core: Core) -> None:
        first, second = ({str(event["uid"]) for event in self.events(core).values()} for _ in range(2))

        assert first == second
        assert len(first) == len(NAMES)

    def test_reminds_ahead_of_what_has_not_expired(self, core: Core) -> None:
        found = self.events(core)

        alarms = {summary.split(" of ")[0]: len(event.walk("VALARM")) for summary, event in found.items()}
        assert alarms == {name: 0 if days < 0 else 3 for name, days in NAMES.items()}

    def test_takes_the_last_day_there_is(self, core: Core) -> None:
        core.reader.answer = Found("certificate", expires_at="9999-12-31T23:59:59.000Z")
        core.secure_files.add(1, "last.cer", b"")

        assert any(summary.startswith("last.cer") for summary in self.events(core))

    def test_its_lines_end_and_fold_as_the_standard_says(self, core: Core) -> None:
        lines = report(core, "ics").rstrip("\n").split("\r\n")

        assert lines[0] == "BEGIN:VCALENDAR"
        assert lines[-1] == "END:VCALENDAR"
        assert max(len(line.encode()) for line in lines) <= 75


class TestMetrics:
    def test_tell_the_moment_of_each_file_with_its_names_as_they_are(self, core: Core) -> None:
        (family,) = text_string_to_metric_families(report(core, "prometheus"))

        found = {sample.labels["name"]: sample.value for sample in family.samples}
        assert found.keys() == NAMES.keys()
        assert abs(found["plain.cer"] - (datetime.now(UTC) + timedelta(days=40.5)).timestamp()) < 60
        assert family.type == "gauge"

    def test_of_an_empty_vault_are_a_family_without_samples(self, tmp_path: Path) -> None:
        with opened(tmp_path / "empty") as empty:
            (family,) = text_string_to_metric_families(report(empty, "prometheus"))

        assert family.samples == []


class TestMarkdown:
    def test_is_a_table_in_which_names_are_only_text(self, core: Core) -> None:
        head, rule, *rows = report(core, "markdown").splitlines()

        assert head.startswith("| Project | File |")
        assert rule == "| --- | --- | --- | --- | --- |"
        assert len(rows) == len(NAMES)
        odd = next(row for row in rows if row.startswith("| ") and "odd" in row)
        assert 'odd "name", \\<em\\>x\\</em\\> \\| \\`y\\`\\\\.p12' in odd

    def test_says_how_long_in_words(self, core: Core) -> None:
        text = report(core, "markdown")

        assert "| in 40 days |" in text
        assert "| expired 1 day ago |" in text

    def test_of_an_empty_vault_is_a_sentence(self, tmp_path: Path) -> None:
        with opened(tmp_path / "empty") as empty:
            assert report(empty, "markdown") == "Nothing expires in this time.\n"


class _Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


class TestPage:
    def test_shows_each_name_as_text_and_runs_nothing(self, core: Core) -> None:
        page = _Page(report(core, "html"))

        assert set(NAMES) <= set(page.words)
        assert not {"script", "link", "img", "iframe", "em"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on") or name in {"src", "href"}]

    def test_counts_and_pictures_the_coming_year(self, core: Core) -> None:
        page = _Page(report(core, "html"))

        assert page.tags.count("rect") == 2  # the others have expired, or will much later
        assert ("class", "bar expiring") in page.attributes
        assert any("2 files expire in the coming year" in word and "1 file has expired" in word for word in page.words)

    def test_of_an_empty_vault_is_a_page_too(self, tmp_path: Path) -> None:
        with opened(tmp_path / "empty") as empty:
            page = _Page(report(empty, "html"))

        assert "Nothing expires in this time." in page.words
