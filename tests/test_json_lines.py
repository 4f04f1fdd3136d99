from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import json_lines

HEAD = {"metadata": {"name": "Отель"}}
ITEMS = [{"text": "один"}, {"text": "два"}, {"text": 'три "messages": [ \n'}]
DOCUMENT = json_lines.encode(
    HEAD, "messages", json_lines.join_items([json_lines.encode_item(item) for item in ITEMS])
)

simple = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
values = st.recursive(
    simple,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def test_a_document_is_plain_json_with_an_item_a_line() -> None:
    assert DOCUMENT.decode() == (
        '{"metadata": {"name": "Отель"}, "messages": [\n'
        '{"text": "один"},\n'
        '{"text": "два"},\n'
        '{"text": "три \\"messages\\": [ \\n"}\n'
        "]}\n"
    )
    assert json.loads(DOCUMENT) == {**HEAD, "messages": ITEMS}


def test_an_empty_list_and_an_empty_head() -> None:
    assert json_lines.encode({}, "messages", b"") == b'{"messages": [\n]}\n'
    assert json_lines.split(b'{"messages": [\n]}\n', "messages") == ({}, b"")
    assert json_lines.split_items(b"") == []


@given(st.lists(values, max_size=5), st.dictionaries(st.text(max_size=5), values, max_size=3))
def test_what_was_written_is_read(items: list[Any], head: dict[str, Any]) -> None:
    head.pop("messages", None)
    body = json_lines.join_items([json_lines.encode_item(item) for item in items])
    document = json_lines.encode(head, "messages", body)
    assert json.loads(document) == {**head, "messages": items}
    assert json_lines.split(document, "messages") == (head, body)
    assert [json_lines.decode_item(line) for line in json_lines.split_items(body)] == items
    assert json_lines.salvage(document, "messages") == json_lines.Salvaged(head, items, False)


def test_items_are_found_whole_and_appended() -> None:
    body = bytearray()
    assert json_lines.find_last_item(body, b'{"a": 1}') == -1
    for line in (b'{"a": 1}', b'{"a": 12}', b'{"a": 1}', b'{"b": {"a": 1}}'):
        json_lines.append_item(body, line)
    assert json_lines.find_last_item(body, b'{"a": 1}') == 21
    assert json_lines.find_last_item(body, b'{"a": 12}') == 10
    assert json_lines.find_last_item(body, b'{"a": 2}') == -1


def test_the_last_items_are_cut_off_the_end() -> None:
    lines = [b'{"a": %d}' % number for number in range(5)]
    body = json_lines.join_items(lines)
    for limit in range(7):
        assert json_lines.last_items(body, limit) == lines[max(5 - limit, 0) :]
    assert json_lines.last_items(b"", 3) == []


@given(values)
def test_an_item_is_encoded_as_the_standard_library_does(item: Any) -> None:
    line = json_lines.encode_item(item)
    try:
        assert line == json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        assert line == json.dumps(item).encode()


def test_a_lone_surrogate_is_escaped_and_comes_back() -> None:
    line = json_lines.encode_item({"text": "a\ud800"})
    assert line == b'{"text": "a\\ud800"}'
    assert json_lines.decode_item(line) == {"text": "a\ud800"}


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_layout_is_read(indent: int | str | None, ends: str, mark: str) -> None:
    text = mark + json.dumps({**HEAD, "messages": ITEMS}, indent=indent).replace("\n", ends)
    read = json_lines.salvage(text.encode(), "messages")
    assert read == json_lines.Salvaged(HEAD, ITEMS, damaged=False)


def test_the_list_may_come_first() -> None:
    text = json.dumps({"messages": ITEMS, **HEAD})
    assert json_lines.salvage(text.encode(), "messages") == json_lines.Salvaged(HEAD, ITEMS, False)


INDENTED = json.dumps({**HEAD, "messages": ITEMS}, indent=2, ensure_ascii=False).encode()


@pytest.mark.parametrize("document", [DOCUMENT, INDENTED], ids=["lines", "indented"])
def test_cut_anywhere_everything_before_the_cut_is_read(document: bytes) -> None:
    opened = [document.index(text.encode()) for text in ("один", "два", "три")]
    closed = [document.index(b"}", place) for place in opened]
    for end in range(len(document.rstrip())):
        read = json_lines.salvage(document[:end], "messages")
        assert read.damaged
        assert read.items == ITEMS[: sum(end > place for place in closed)]
        assert read.head in ({}, HEAD)
        assert read.head == HEAD or not read.items


@pytest.mark.parametrize(
    ("broken", "items"),
    [
        ('{"text": "broken', [1, 3]),
        ("garbage", [1, 3]),
        ('{"n": 2}}', [1, 2, 3]),
        ('{"n": 2}]', [1, 2, 3]),
        ("", [1, 3]),
        ("\x00\x00\x00", [1, 3]),
        ('{"n": 2, "deep": ' + "[" * 500 + "]" * 500 + "}", [1, 3]),
        ("[" * 100_000, [1, 3]),
        ('{"n": 2, "score": NaN}', [1, 2, 3]),
        ('{"n": 2, "score": 1e999}', [1, 2, 3]),
        ('{"n": 2, "score": ' + "9" * 5000 + "}", [1, 2, 3]),
        ('{"n": 7, "n": 2}', [1, 2, 3]),
    ],
    ids=lambda value: str(value)[:12].replace("\x00", "0"),
)
def test_a_line_that_is_no_item_costs_only_itself(broken: str, items: list[int]) -> None:
    document = f'{{"metadata": {{}}, "messages": [\n{{"n": 1}},\n{broken},\n{{"n": 3}}\n]}}\n'
    read = json_lines.salvage(document.encode(), "messages")
    assert read.damaged
    assert [item["n"] for item in read.items] == items
    json_lines.encode_item(read.items)


def test_a_number_that_json_has_not_got_costs_no_other() -> None:
    document = b'{"messages": [\n{"n": 1, "stars": 4.5, "score": NaN, "rank": Infinity}\n]}\n'
    read = json_lines.salvage(document, "messages")
    assert read.items == [{"n": 1, "stars": 4.5, "score": None, "rank": None}]


def test_a_key_that_stands_twice_loses_neither_list() -> None:
    twice = b'{"metadata": {}, "messages": [\n{"n": 1}\n], "messages": [\n{"n": 2}\n]}\n'
    read = json_lines.salvage(twice, "messages")
    assert read.damaged
    assert read.items == [{"n": 1}, {"n": 2}]


def is_numbered(item: object) -> bool:
    return isinstance(item, dict) and "n" in item


LINES = """{"metadata": {"messages": [{"other": 1}]}, "messages": [
{"n": 1},
{"n": 2}
]}
"""
INDENTED_LINES = json.dumps(json.loads(LINES), indent=2)


@pytest.mark.parametrize(
    ("document", "items"),
    [
        (LINES.replace('"messages": [\n', '"mes ages": [\n'), [1, 2]),
        (LINES.replace('"other": 1}', '"other": 1'), [1, 2]),
        (LINES[12:], [1, 2]),
        (LINES[LINES.index("\n") - 3 :], [1, 2]),
        (LINES[LINES.index("1},") :], [2]),
        ('{"n": 0},\n' + LINES, [0, 1, 2]),
        (LINES + '{"n": 3}\n', [1, 2, 3]),
        (LINES + LINES.replace("2}", "2},\n{" + '"n": 3}'), [1, 2, 3]),
        (LINES.replace('{"n": 1}', LINES.strip())[:-3], [1, 2]),
        ('{"messages": [\n{"n": 0, "messages": [\n{"n": 1},\n{"n": 2}\n]}\n', [0, 1, 2]),
        ('{"messages": [\n{"n": 0, "sages": [\n{"n": 1},\n{"n": 2}\n]}\n', [0, 1, 2]),
        (LINES.replace('"messages": [\n', '"mes ages": [\n') + '"messages": [{"n": 3}', [1, 2, 3]),
        (INDENTED_LINES[10:], [1, 2]),
        (INDENTED_LINES.replace('"messages": [', '"mes ages": ['), [1, 2]),
        (INDENTED_LINES.replace("\n", "")[10:], [1, 2]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_item_is_found_wherever_it_stands(document: str, items: list[int]) -> None:
    assert document not in (LINES, INDENTED_LINES)
    read = json_lines.salvage(document.encode(), "messages", is_numbered)
    assert read.damaged
    assert [item["n"] for item in read.items if is_numbered(item)] == items


def test_what_is_salvaged_is_not_too_deep_for_the_document_it_is_written_into() -> None:
    for depth in range(90, 105):
        deep = "[" * depth + "]" * depth
        text = f'{{"messages": [\n{{"n": 1, "deep": {deep}}},\n{{"n": 2}}\n'
        read = json_lines.salvage(text.encode(), "messages", is_numbered)
        body = json_lines.join_items(list(map(json_lines.encode_item, read.items)))
        again = json_lines.encode(read.head, "messages", body)
        assert not json_lines.salvage(again, "messages", is_numbered).damaged, depth
        assert len(read.items) == (2 if depth < 98 else 1)


def test_an_item_that_holds_others_in_a_line_of_its_own_stays_one() -> None:
    text = json.dumps({"messages": [{"n": 1, "more": [{"n": 2}]}, {"n": 3}]}, indent=1)[:-4]
    read = json_lines.salvage(text.encode(), "messages", is_numbered)
    assert [item["n"] for item in read.items] == [1, 3]


@pytest.mark.parametrize(
    "other", [b'{"messages": {}}', b'{"messages": null}', b"{}", b"[]", b"5", b""]
)
def test_no_list_is_damage_and_is_not_written_back(other: bytes) -> None:
    assert json_lines.salvage(other, "messages") == json_lines.Salvaged({}, [], damaged=True)


def test_bytes_that_are_no_utf8_spoil_one_character() -> None:
    read = json_lines.salvage(DOCUMENT.replace("два".encode(), b"\xff\xfe"), "messages")
    assert read.damaged
    assert [item["text"][:3] for item in read.items] == ["оди", "\ufffd\ufffd", "три"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_somehow(data: bytes) -> None:
    read = json_lines.salvage(data, "messages")
    json_lines.encode_item([read.head, read.items])
    json_lines.split(data, "messages")
    json_lines.is_json(data)


def test_sound_json_of_another_kind_is_known_from_damage() -> None:
    assert json_lines.is_json(b'\xef\xbb\xbf{"theme": "dark", "scale": NaN}')
    assert not json_lines.is_json(b'{"theme": "da')
    assert not json_lines.is_json(b"[" * 100_000)
    assert not json_lines.is_json(b"\xff")
