"""Names of files that people send."""

from __future__ import annotations

import pytest

from vault.errors import Invalid
from vault.filenames import alternative_text, extension, markdown, safe_name


class TestSafeName:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("a/b/c.png", "c.png"),
            ("a\\b\\c.png", "c.png"),
            ("folder/", "folder"),
            ("/", "unnamed"),
            ("", "unnamed"),
            (".", "_."),
            ("...", "_..."),
            ("a b\tc\r\nd\0e", "a_b_c__d_e"),
            ("-rf", "-rf"),
            ("हिन्दी.txt", "हिन्दी.txt"),
            ("a\u202eb\u200bc", "a_b_c"),
            ("½²", "__"),
        ],
    )
    def test_keeps_letters_digits_and_a_few_signs_of_the_last_part(self, given: str, kept: str) -> None:
        assert safe_name(given) == kept

    def test_refuses_what_no_disk_takes(self) -> None:
        assert safe_name("x" * 255) == "x" * 255
        with pytest.raises(Invalid):
            safe_name("x" * 256)


class TestExtension:
    @pytest.mark.parametrize(
        ("name", "found"), [("a.PNG", "png"), ("a.tar.gz", "gz"), (".png", ""), ("a", ""), ("a.", ""), ("..a.b", "b")]
    )
    def test_is_what_follows_the_last_dot(self, name: str, found: str) -> None:
        assert extension(name) == found


class TestMarkdown:
    def test_shows_what_can_be_shown_and_links_to_the_rest(self) -> None:
        assert markdown("a.png", "/u") == "![a](/u)"
        assert markdown("a.svg", "/u") == "![a.svg](/u)"
        assert markdown("a.zip", "/u") == "[a.zip](/u)"

    def test_names_what_cannot_be_shown_whole(self) -> None:
        assert [alternative_text(name) for name in ("a.b.png", "a.zip", ".png")] == ["a.b", "a.zip", ".png"]
