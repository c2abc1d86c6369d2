"""Each notice once for each recipient: across runs, restarts and processes, and after a receiver was away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from server.notify.recipients import Recipient
from tests.notify.support import notifier, pass_pauses, put, tell
from tests.receivers import Web, web_receiver
from tests.vault.core import Core, opened
from vault.notices import Notices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        core.project(core.user("ada"))
        yield core


@pytest.fixture
def web() -> Iterator[Web]:
    with web_receiver() as web:
        yield web


def hook(web: Web, name: str = "team", **more: object) -> Recipient:
    return Recipient(name, "webhook", options={"url": f"{web.url}/{name}"}, **more)  # type: ignore[arg-type]


def names(web: Web) -> list[str]:
    return [file["name"] for posted in web.posted for file in posted.json["files"]]


class TestWhatIsDue:
    def test_is_told_at_the_nearest_number_of_days_that_is_reached(self, core: Core, web: Web) -> None:
        for name, days in {"far": 61, "60": 59.9, "30": 20, "14": 14, "7": 5, "1": 0.5, "gone": -3}.items():
            put(core, name, days)

        tell(core, hook(web))

        (posted,) = web.posted
        ahead = {file["name"]: file["days_ahead"] for file in posted.json["files"]}
        assert ahead == {"60": 60, "30": 30, "14": 14, "7": 7, "1": 1, "gone": 1}

    def test_is_told_once_however_often_it_is_looked(self, core: Core, web: Web) -> None:
        put(core, "a", 5)

        for _ in range(3):
            tell(core, hook(web))

        assert names(web) == ["a"]

    def test_is_told_again_when_the_next_number_of_days_is_reached(self, core: Core, web: Web) -> None:
        put(core, "a", 20)
        tell(core, hook(web))
        # Ten days later: the file is as far from its end as one that was stored with ten days left.
        core.sql("UPDATE notices SET days = 60")

        tell(core, hook(web))

        assert names(web) == ["a", "a"]

    def test_is_told_again_of_a_file_that_was_replaced(self, core: Core, web: Web) -> None:
        number = put(core, "a", 5)
        tell(core, hook(web))
        core.sql("UPDATE secure_files SET expires_at = '2026-01-01T00:00:00.000Z' WHERE id = :id", id=number)

        tell(core, hook(web))

        assert names(web) == ["a", "a"]

    def test_is_told_to_each_recipient_in_his_projects(self, core: Core, web: Web) -> None:
        other = core.project(core.user("bob"))
        put(core, "mine", 5)
        put(core, "theirs", 5, other.id)

        tell(core, hook(web, "all"), hook(web, "some", projects=(other.full_path,)))

        assert sorted(names(web)) == ["mine", "theirs", "theirs"]

    def test_goes_with_the_file(self, core: Core, web: Web) -> None:
        number = put(core, "a", 5)
        tell(core, hook(web))

        core.secure_files.remove(1, number)

        assert core.sql("SELECT * FROM notices") == []

    def test_is_only_shown_by_a_dry_run(self, core: Core, web: Web) -> None:
        put(core, "a", 5)

        due = notifier(core, hook(web)).due()

        assert [notice.file.name for notice in due] == ["a"]
        assert web.posted == []
        assert [told.problem for told in tell(core, hook(web))] == [""]


class TestTrouble:
    def test_a_receiver_that_was_away_gets_each_notice_once_when_it_is_back(self, core: Core, web: Web) -> None:
        for name in ("a", "b", "c"):
            put(core, name, 5)
        web.status = 503
        for _ in range(4):
            assert {told.problem for told in tell(core, hook(web))} == {"127.0.0.1 answered 503"}
            pass_pauses(core)
        web.posted.clear()
        web.status = 200

        for _ in range(3):
            tell(core, hook(web))

        assert sorted(names(web)) == ["a", "b", "c"]

    def test_a_receiver_that_does_not_listen_is_tried_after_a_pause_only(self, core: Core) -> None:
        with web_receiver() as gone:
            pass
        put(core, "a", 5)

        first, second = tell(core, hook(gone)), tell(core, hook(gone))

        assert [told.problem for told in first] == ["127.0.0.1 does not answer: Connection refused"]
        assert second == []
        (waiting,) = Notices(core.database).pending()
        assert (waiting["state"], waiting["attempts"], waiting["name"]) == ("failed", 1, "a")
        assert waiting["try_at"] > waiting["changed_at"]

    def test_the_pause_grows_and_ends_at_six_hours(self, core: Core, web: Web) -> None:
        put(core, "a", 5)
        web.status = 500
        pauses = []
        for _ in range(12):
            tell(core, hook(web))
            (waiting,) = Notices(core.database).pending()
            pauses.append(_seconds(waiting["changed_at"], waiting["try_at"]))
            pass_pauses(core)

        assert pauses[:4] == [60, 120, 240, 480]
        assert pauses[-1] == 6 * 3600

    def test_is_counted_from_its_first_moment_until_it_is_over(self, core: Core, web: Web) -> None:
        for name in ("a", "b"):
            put(core, name, 5)
        notices = Notices(core.database)
        assert notices.failing() == []
        web.status = 500
        tell(core, hook(web))
        ((recipient, count, since),) = notices.failing()
        pass_pauses(core)
        tell(core, hook(web))

        assert (recipient, count) == (hook(web).name, 2)
        assert notices.failing() == [(recipient, 2, since)]
        web.status = 200
        pass_pauses(core)
        tell(core, hook(web))
        assert notices.failing() == []

    def test_of_one_recipient_does_not_keep_the_others_from_being_told(self, core: Core, web: Web) -> None:
        put(core, "a", 5)
        broken = Recipient("broken", "webhook", options={"url": "http://127.0.0.1:1/secret-path"})
        unforeseen = Recipient("odd", "webhook", options={"url": "http://[secret"})

        told = tell(core, broken, unforeseen, hook(web))

        assert names(web) == ["a"]
        assert [bool(each.problem) for each in told] == [True, True, False]
        assert "secret" not in " ".join(each.problem for each in told)

    def test_a_redirect_is_not_followed(self, core: Core, web: Web) -> None:
        put(core, "a", 5)
        web.status = 307

        (told,) = tell(core, hook(web))

        assert told.problem == "127.0.0.1 answered 307"
        assert [posted.path for posted in web.posted] == ["/team"]

    def test_a_claim_of_a_process_that_died_is_taken_over_later(self, core: Core, web: Web) -> None:
        put(core, "a", 5)
        notices = Notices(core.database)
        due = notifier(core, hook(web)).due()
        assert notices.claim(due) == due

        assert tell(core, hook(web)) == []
        pass_pauses(core)

        assert [told.problem for told in tell(core, hook(web))] == [""]


class TestManyAtOnce:
    def test_tell_each_notice_once(self, core: Core, web: Web) -> None:
        for number in range(40):
            put(core, f"file-{number}", 5)

        with opened(core.folder) as second, ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: tell(each, hook(web)), [core, second] * 8))

        assert sorted(names(web)) == sorted(f"file-{number}" for number in range(40))


def _seconds(start: str, end: str) -> int:
    from vault.expiry import moment

    return round((moment(end) - moment(start)).total_seconds())
