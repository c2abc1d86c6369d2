from contextlib import closing

import pytest

from vault.catalog import open_catalog


class TestOpenCatalog:
    """A URL decides which engine is used."""

    @pytest.mark.parametrize("form", ["sqlite://{}/a%20b.db", "sqlite:{}/a b.db", "SQLite:{}/a b.db"])
    def test_sqlite_is_named_by_url_or_by_path(self, tmp_path, form):
        with closing(open_catalog(form.format(tmp_path))) as database:
            assert not (tmp_path / "a b.db").exists()
            database.migrate()
        assert (tmp_path / "a b.db").exists()

    def test_a_path_is_taken_letter_for_letter(self, tmp_path):
        with closing(open_catalog(f"sqlite:{tmp_path}/100%25?mode=ro#.db")) as database:
            database.migrate()
            assert database.query("SELECT * FROM instance") == []
        assert (tmp_path / "100%25?mode=ro#.db").exists()

    @pytest.mark.parametrize("scheme", ["postgresql", "postgres", "PostgreSQL"])
    def test_postgresql_is_named_by_url_and_not_asked_for_yet(self, scheme):
        with closing(open_catalog(f"{scheme}://u@127.0.0.1:1/catalog")) as database:
            assert not database.reads_are_quick

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://u:ses@me@h:port/x",
            "postgresql://u:sesame@host:1/x?sesame=1",
            "postgresql://u:sesame%00@host/x",
            "postgresql://u:sesame%zz@host/x",
        ],
    )
    def test_a_postgresql_url_that_cannot_be_read_is_not_repeated(self, url):
        with pytest.raises(ValueError, match="cannot be read") as raised:
            open_catalog(url)
        assert "sesame" not in str(raised.value)
        assert raised.value.__cause__ is None
        assert "ses@me" not in str(raised.value)

    @pytest.mark.parametrize("url", ["mysql://u:sesame@host/db", "/just/a/path", ""])
    def test_anything_else_is_answered_with_what_is_known(self, url):
        with pytest.raises(ValueError, match="sqlite:///") as raised:
            open_catalog(url)
        assert "sesame" not in str(raised.value)

    @pytest.mark.parametrize(
        "url", ["sqlite:", "sqlite::memory:", "sqlite://host/x", "sqlite://", "sqlite:///x?mode=ro"]
    )
    def test_a_catalog_is_a_file_of_this_machine(self, url):
        with pytest.raises(ValueError, match="file"):
            open_catalog(url)
