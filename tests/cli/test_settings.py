"""Every setting is a flag, a variable or a line of one TOML file; what does not fit is refused by name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from server.settings import Settings, load
from tests.cli.runner import run
from vault.errors import Invalid

FIELDS = fields(Settings)
INTEGERS = [each.name for each in FIELDS if isinstance(each.default, int) and not isinstance(each.default, bool)]
TRUTHS = [each.name for each in FIELDS if isinstance(each.default, bool)]
LISTS = [each.name for each in FIELDS if isinstance(each.default, tuple)]
TEXTS = [each.name for each in FIELDS if isinstance(each.default, str) and not each.metadata["one_of"]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "vault.toml"


def refused(flags: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> Invalid:
    with pytest.raises(Invalid) as raised:
        load(flags or {}, environment or {})
    return raised.value


class TestOrder:
    def test_without_anything_the_defaults_hold(self) -> None:
        assert load({}, {}) == Settings()

    def test_a_flag_wins_over_a_variable_and_that_over_the_file(self, config: Path) -> None:
        config.write_text('port = 1\nhost = "file"\nlog = "json"\n')
        environment = {"SECURE_FILES_CONFIG": str(config), "SECURE_FILES_PORT": "2", "SECURE_FILES_HOST": "variable"}
        found = load({"port": "3"}, environment)

        assert (found.port, found.host, found.log) == (3, "variable", "json")
        assert found.threads == Settings().threads

    def test_a_flag_that_names_the_file_wins_over_the_variable_that_does(self, config: Path, tmp_path: Path) -> None:
        config.write_text("port = 1\n")
        other = tmp_path / "other.toml"
        other.write_text("port = 2\n")

        assert load({"config": str(other)}, {"SECURE_FILES_CONFIG": str(config)}).port == 2

    def test_an_empty_variable_is_one_that_is_not_set(self, config: Path) -> None:
        config.write_text("port = 1\n")

        assert load({"config": str(config)}, {"SECURE_FILES_PORT": "", "SECURE_FILES_DATA": ""}).port == 1

    def test_other_programs_variables_mean_nothing(self) -> None:
        assert load({}, {"PORT": "1", "SECURE_FILES_TOKEN": "x", "HOME": "/x"}) == Settings()

    def test_the_environment_is_that_of_the_process_unless_another_is_given(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECURE_FILES_PORT", "7")

        assert load().port == 7


class TestEverySetting:
    @pytest.mark.parametrize("name", [each.name for each in FIELDS])
    def test_has_a_sentence_for_the_documentation(self, name: str) -> None:
        about = next(each.metadata["about"] for each in FIELDS if each.name == name)

        assert len(about.split()) > 2
        assert not about.endswith(".")

    @pytest.mark.parametrize("name", TEXTS)
    def test_texts_are_taken_from_all_three_places_as_they_are(self, name: str, config: Path) -> None:
        config.write_text(f'{name} = "a b"\n')
        found = [
            load({name: "a b"}, {}),
            load({}, {f"SECURE_FILES_{name.upper()}": "a b"}),
            load({"config": str(config)}, {}),
        ]

        assert {getattr(each, name) for each in found} == {"a b"}

    @pytest.mark.parametrize("name", INTEGERS)
    def test_numbers_are_taken_from_all_three_places(self, name: str, config: Path) -> None:
        config.write_text(f"{name} = 3\n")
        found = [
            load({name: "3"}, {}),
            load({}, {f"SECURE_FILES_{name.upper()}": "3"}),
            load({"config": str(config)}, {}),
        ]

        assert {getattr(each, name) for each in found} == {3}

    @pytest.mark.parametrize(("written", "meant"), [("true", True), ("YES", True), ("0", False), ("false", False)])
    @pytest.mark.parametrize("name", TRUTHS)
    def test_truths_are_taken_from_all_three_places(self, name: str, written: str, meant: bool, config: Path) -> None:
        config.write_text(f"{name} = {str(meant).lower()}\n")
        found = [
            load({name: meant}, {}),
            load({}, {f"SECURE_FILES_{name.upper()}": written}),
            load({"config": str(config)}, {}),
        ]

        assert {getattr(each, name) for each in found} == {meant}

    @pytest.mark.parametrize("name", LISTS)
    def test_lists_are_taken_from_all_three_places(self, name: str, config: Path) -> None:
        config.write_text(f'{name} = ["10.0.0.1", "fd00::/8"]\n')
        found = [
            load({name: ["10.0.0.1", "fd00::/8"]}, {}),
            load({}, {f"SECURE_FILES_{name.upper()}": "10.0.0.1, fd00::/8"}),
            load({"config": str(config)}, {}),
        ]

        assert {getattr(each, name) for each in found} == {("10.0.0.1", "fd00::/8")}


class TestRefusals:
    @pytest.mark.parametrize("value", ["perhaps", "2"])
    @pytest.mark.parametrize("name", TRUTHS)
    def test_a_truth_that_is_none(self, name: str, value: str) -> None:
        assert str(refused({}, {f"SECURE_FILES_{name.upper()}": value})) == f"{name} has to be true or false"

    @pytest.mark.parametrize("name", LISTS)
    def test_a_list_of_addresses_with_something_else_in_it(self, name: str, config: Path) -> None:
        config.write_text(f"{name} = [1]\n")

        assert "has to be a list of addresses" in str(refused({"config": str(config)}))
        assert "has to be a list of addresses" in str(refused({name: ["localhost"]}))

    def test_a_line_that_is_no_setting(self, config: Path) -> None:
        config.write_text("prot = 1\n")

        assert str(refused({"config": str(config)})).startswith("prot is not a setting; those are data, host, port, ")

    @pytest.mark.parametrize("value", ["abc", "1.5", "", "-1", "0x10", "1 2", "nan", "٣x"])
    @pytest.mark.parametrize("name", INTEGERS)
    def test_a_flag_that_is_no_number(self, name: str, value: str) -> None:
        assert str(refused({name: value})).startswith(f"{name} has to be a whole number, at least ")

    @pytest.mark.parametrize("value", ["true", "1.0", "[1]", "{ a = 1 }", '"x"', "1979-05-27"])
    def test_a_line_that_is_no_number(self, config: Path, value: str) -> None:
        config.write_text(f"port = {value}\n")

        assert str(refused({"config": str(config)})) == "port has to be a whole number, at least 0 and at most 65535"

    @pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "soon"])
    def test_a_time_there_cannot_be(self, value: str) -> None:
        assert str(refused({"grace": value})) == "grace has to be a number, at least 0"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("port", "65536"), ("workers", "0"), ("threads", "0"), ("parser_children", "0"), ("secure_file_bytes", "0")],
    )
    def test_a_number_out_of_range(self, name: str, value: str) -> None:
        assert "at least" in str(refused({name: value}))

    @pytest.mark.parametrize("value", ["5", "true", "[]", '["a"]', "{}"])
    @pytest.mark.parametrize("name", ["host", "data", "master_key", "log"])
    def test_a_line_that_is_no_text(self, config: Path, name: str, value: str) -> None:
        config.write_text(f"{name} = {value}\n")

        assert str(refused({"config": str(config)})).startswith(f"{name} has to be ")

    def test_an_empty_name_of_the_data_folder(self) -> None:
        """`--data "$UNSET"` would make a vault of the current folder."""
        assert str(refused({"data": ""})) == "data has to be the name of a folder"

    def test_a_form_of_the_log_there_is_not(self) -> None:
        assert str(refused({"log": "xml"})) == "log has to be text or json"

    def test_a_value_is_not_repeated_as_it_may_be_a_secret(self, config: Path) -> None:
        config.write_text('master_key = ["hunter2"]\n')

        assert "hunter2" not in str(refused({"config": str(config)}))

    @pytest.mark.parametrize(
        ("content", "problem"), [(b"port = \n", "is not TOML"), (b"\xff\xfe", "is not TOML"), (None, "cannot be read")]
    )
    def test_a_file_that_cannot_be_read(self, config: Path, content: bytes | None, problem: str) -> None:
        if content is not None:
            config.write_bytes(content)

        assert str(refused({"config": str(config)})).startswith(f"config {problem}: {config}: ")
        assert run("expiry-report", "--config", config).status == 2

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        assert "Is a directory" in str(refused({"config": str(tmp_path)}))


class TestDerived:
    def test_everything_lies_in_the_data_folder_unless_told_otherwise(self, tmp_path: Path) -> None:
        found = Settings(data=tmp_path)

        assert found.database_url() == f"sqlite:{tmp_path}/catalog.sqlite"
        assert found.blobs_url() == f"{tmp_path}/blobs"
        assert found.keyring_path() == tmp_path / "keys" / "keyring.json"
        assert found.alone()

    def test_each_part_can_lie_elsewhere(self) -> None:
        found = Settings(database="sqlite:/a/b", blobs="file:///c", keyring="/d/e.json")

        assert (found.database_url(), found.blobs_url(), found.keyring_path()) == (
            "sqlite:/a/b",
            "file:///c",
            Path("/d/e.json"),
        )
        assert not found.alone()
