from enum import IntEnum, StrEnum

import pytest

from vault.catalog.database import checked, checked_table


class Level(IntEnum):
    LOW = 1


class Colour(StrEnum):
    RED = "red"


class TestChecked:
    """Parameters reach every engine as the same plain values."""

    @pytest.mark.parametrize(("value", "plain"), [(True, 1), (Level.LOW, 1), (Colour.RED, "red")])
    def test_what_is_more_than_a_number_or_a_text_becomes_one(self, value, plain):
        bound = checked({"value": value})["value"]
        assert bound == plain
        assert type(bound) is type(plain)

    def test_plain_values_stay_as_they_are(self):
        values = {"text": "größer", "number": -5, "ratio": 0.5, "data": b"\0", "nothing": None}
        assert checked(values) == values


class TestCheckedTable:
    """A table's name that becomes part of a statement is nothing but a name."""

    def test_a_name_is_returned(self):
        assert checked_table("secure_files") == "secure_files"

    @pytest.mark.parametrize("name", ["a b", "a;", "A", "", "a\n", "1"])
    def test_anything_else_is_refused(self, name):
        with pytest.raises(ValueError, match="table"):
            checked_table(name)
