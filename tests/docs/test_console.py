"""The runner of the documents' commands notices what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.console import Session, in_order, same, steps
from tests.docs.markdown import Block, slugged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def block(path: Path, *lines: str) -> Block:
    return Block(path / "page.md", 1, "console", lines)


class TestSteps:
    def test_are_commands_with_what_is_shown_under_them(self, tmp_path: Path) -> None:
        first, second = steps(block(tmp_path, "$ echo a \\", "    b", "a b", "", "$ true"))

        assert (first.command, first.shown) == ("echo a \\\n    b", ["a b"])
        assert (second.command, second.shown) == ("true", [])

    def test_are_needed_in_a_console(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="begins with"):
            steps(block(tmp_path, "output of nothing"))


class TestSame:
    def test_takes_other_dates_tokens_and_addresses(self) -> None:
        shown = ["made 2026-11-21T10:25:58.315Z at http://127.0.0.1:8080", "glpat-one"]
        printed = ["made 2031-01-02T00:00:00.000Z at http://127.0.0.1:1", "glpat-two"]

        assert same(shown, printed)

    @pytest.mark.parametrize("check", ["00000000", "12345678", "abcdefab", "9e300001", "20261128"])
    def test_takes_every_check_of_a_key(self, check: str) -> None:
        line = "k1   active      0  {}  2026-11-28T03:38:37.616Z  vault/keys/keyring.json"

        assert same([line.format("9f3a01c2")], [line.format(check)])
        assert same(['needs the key "k1" (check 9f3a01c2)'], [f'needs the key "k1" (check {check})'])

    def test_takes_no_other_words_and_no_lines_more_or_fewer(self) -> None:
        assert not same(["a"], ["b"])
        assert not same(["a"], ["a", "b"])
        assert not same(["a", "b"], ["a"])

    def test_takes_any_lines_for_dots(self) -> None:
        assert same(["a", "...", "d"], ["a", "b", "c", "d"])
        assert same(["a", "..."], ["a"])
        assert not same(["a", "...", "e"], ["a", "b"])


class TestInOrder:
    def test_takes_lines_between_and_after(self) -> None:
        assert in_order(["a", "c"], ["a", "b", "c", "d"])

    def test_takes_no_other_order_and_none_missing(self) -> None:
        assert not in_order(["c", "a"], ["a", "b", "c"])
        assert not in_order(["a", "x"], ["a", "b"])


class TestSession:
    @pytest.fixture
    def session(self, tmp_path: Path) -> Iterator[Session]:
        with Session(tmp_path) as running:
            yield running

    def test_hands_variables_and_the_folder_on(self, session: Session, tmp_path: Path) -> None:
        session.run(
            block(tmp_path, "$ mkdir a && cd a", "$ export WORD=here", '$ echo "$PWD $WORD"', "/home/you/a here")
        )

    def test_fails_when_a_command_fails(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="exited with 3"):
            session.run(block(tmp_path, "$ exit 3"))

    def test_fails_when_something_else_is_printed(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="but printed"):
            session.run(block(tmp_path, "$ echo a", "b"))

    def test_fails_when_a_server_does_not_start(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="ended"):
            session.run(block(tmp_path, "$ secure-files serve --host 192.0.2.1"))


class TestAnchors:
    @pytest.mark.parametrize(
        ("heading", "anchor"),
        [
            ("When it says no", "when-it-says-no"),
            ("Behind a proxy, with TLS", "behind-a-proxy-with-tls"),
            ("`serve` and [more](x.md)", "serve-and-more"),
        ],
    )
    def test_are_made_as_the_forges_make_them(self, heading: str, anchor: str) -> None:
        assert slugged(heading) == anchor
