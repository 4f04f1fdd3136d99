"""Long lists, shown a page at a time; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton

from .buttons import data_button, menu_button
from .callbacks import MenuAction
from .person import Person

PAGE_SIZE = 8

Rows = list[list[InlineKeyboardButton]]
_Item = TypeVar("_Item")


def pages_of(count: int, size: int = PAGE_SIZE) -> int:
    return max(1, -(-count // size))


def page_within(page: int, count: int, size: int = PAGE_SIZE) -> int:
    """Give the page that is there: buttons of old menus may name another one."""
    return min(max(page, 0), pages_of(count, size) - 1)


def page_of(items: Sequence[_Item], page: int, size: int = PAGE_SIZE) -> Sequence[_Item]:
    return items[page * size : (page + 1) * size]


def turning_rows(
    person: Person,
    count: int,
    page: int,
    turn: Callable[[int], CallbackData],
    size: int = PAGE_SIZE,
) -> Rows:
    """Make the row that turns the pages, where there is more than one; `turn` leads to a page."""
    pages = pages_of(count, size)
    if pages == 1:
        return []
    t = person.texts
    number = t("button-page", page=page + 1, pages=pages)
    turning = [menu_button(person, number, MenuAction.STAY, page=page)]
    if page > 0:
        turning.insert(0, data_button(t("button-previous"), turn(page - 1)))
    if page < pages - 1:
        turning.append(data_button(t("button-next"), turn(page + 1)))
    return [turning]
