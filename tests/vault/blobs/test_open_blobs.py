import pytest

from tests.blobstore_suite import content, put
from vault.blobs import open_blobs
from vault.blobs.filesystem import FilesystemBlobs
from vault.blobs.memory import MemoryBlobs


class TestOpenBlobs:
    """A URL decides which store is used."""

    def test_memory_is_a_store_of_its_own_each_time(self):
        first, second = open_blobs("memory:"), open_blobs("memory:")
        assert isinstance(first, MemoryBlobs)
        put(first, b"x")
        assert list(second.ids()) == []

    def test_a_file_url_and_a_plain_path_name_the_same_folder(self, tmp_path):
        folder = tmp_path / "the blobs"
        blob_id = put(open_blobs(f"file://{tmp_path}/the%20blobs"), b"sealed")
        plain = open_blobs(str(folder))
        assert isinstance(plain, FilesystemBlobs)
        assert content(plain, blob_id) == b"sealed"

    def test_a_plain_path_is_taken_letter_for_letter(self, tmp_path):
        open_blobs(f"{tmp_path}/100%25?#:")
        assert (tmp_path / "100%25?#:" / "ff").is_dir()

    def test_a_relative_path_is_fixed_when_it_is_opened(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        store = open_blobs("blobs")
        monkeypatch.chdir("/")
        blob_id = put(store, b"sealed")
        assert (tmp_path / "blobs" / blob_id[:2] / blob_id).exists()

    @pytest.mark.parametrize("url", ["ftp://host/x", "C:relative", ""])
    def test_an_unknown_scheme_is_answered_with_those_that_are_known(self, url):
        with pytest.raises(ValueError, match=r"file:.*memory:"):
            open_blobs(url)

    def test_the_answer_does_not_repeat_a_password(self):
        with pytest.raises(ValueError, match="unknown") as raised:
            open_blobs("gopher://user:sesame@host/x")
        assert "sesame" not in str(raised.value)

    @pytest.mark.parametrize("url", ["file://otherhost/x", "file:relative", "file:", "file:///x?y", "file:///x#y"])
    def test_a_file_url_names_a_whole_path_of_this_machine(self, url):
        with pytest.raises(ValueError, match="whole path"):
            open_blobs(url)
