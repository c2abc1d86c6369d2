"""One line: what it holds, and that nothing of it can be changed."""

from __future__ import annotations

import json

import pytest

from tests.vault.audit.support import ENTRY
from vault.audit.lines import FIELDS, Sealer

SEALER = Sealer(b"k" * 32)


class TestLine:
    def test_is_json_with_the_fields_in_their_order(self) -> None:
        raw, digest = SEALER.line(5, ENTRY, "0" * 64)
        told = json.loads(raw)

        assert tuple(told) == FIELDS
        assert (told["seq"], told["prev"]) == (5, "0" * 64)
        assert told["hash"] == digest
        assert raw.endswith(b"\n")

    @pytest.mark.parametrize("token", [None, 7, "job:12"])
    @pytest.mark.parametrize("actor", [None, "root", 'a"b\\\n\u202e\ud800\0é'])
    def test_is_read_back_as_it_was_written(self, actor: str | None, token: int | str | None) -> None:
        given = ENTRY._replace(actor=actor, token_id=token, target=actor or "")

        line = SEALER.read(SEALER.line(1, given, "0" * 64)[0])

        assert line is not None
        assert line.entry == given

    def test_is_one_line_of_ascii_whatever_is_in_it(self) -> None:
        raw, _ = SEALER.line(1, ENTRY._replace(target="a\nb\r\u2028é"), "0" * 64)

        assert raw.isascii()
        assert raw.splitlines() == [raw[:-1]]

    def test_with_any_byte_changed_or_gone_is_none_of_ours(self) -> None:
        raw = SEALER.line(5, ENTRY, "0" * 64)[0][:-1]

        for at in range(len(raw)):
            assert SEALER.read(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]) is None
            assert SEALER.read(raw[:at] + raw[at + 1 :]) is None
            assert SEALER.read(raw[:at]) is None

    def test_of_another_key_is_none_of_ours(self) -> None:
        assert Sealer(b"j" * 32).read(SEALER.line(5, ENTRY, "0" * 64)[0]) is None
