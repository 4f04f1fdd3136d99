"""Long texts are split where it hurts least, and nothing of them is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.rendering import sendable, split_text, utf16_length


@given(st.text(max_size=200), st.integers(min_value=2, max_value=20))
def test_parts_join_to_the_text_and_fit(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert "".join(parts) == text
    assert all(0 < utf16_length(part) <= limit for part in parts)


def test_it_splits_behind_lines_then_behind_words_then_anywhere() -> None:
    assert split_text("one two\nthree four", 12) == ["one two\n", "three four"]
    assert split_text("one two three", 8) == ["one two ", "three"]
    assert split_text("abcdefgh", 3) == ["abc", "def", "gh"]
    assert split_text("👍👍👍", 5) == ["👍👍", "👍"]
    assert split_text("", 5) == []


@given(st.text(alphabet=st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)))
def test_what_is_sendable_can_be_encoded_and_is_as_long(text: str) -> None:
    assert utf16_length(sendable(text)) == utf16_length(text)
    sendable(text).encode()
