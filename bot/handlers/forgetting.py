"""`/forget`: everything of a person is erased, after two questions.

Handled again after a kill it goes on where it was: what there was is noted before it is erased.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardButton, Message

from conversations import ConversationManager, Footprint, StorageError

from ..callbacks import ForgetAction, ForgetButton, fingerprint
from ..commands import show_commands_to
from ..forgetting import Forgetting
from ..incoming import Receipt
from ..menus.forgetting import (
    forget_screen,
    forgotten_screen,
    kept_screen,
    nothing_screen,
    sure_screen,
)
from ..people import People
from ..person import Person
from ..show import Press, show

ExportButton = Callable[[Person], InlineKeyboardButton]


def create_forgetting_router(*, export_button: ExportButton | None = None) -> Router:
    """`export_button` makes the button that gives a person all of theirs before it is erased."""
    router = Router(name="conversations.forgetting")

    async def show_what_goes(
        event: Message | CallbackQuery,
        person: Person,
        manager: ConversationManager,
        forgetting: Forgetting,
        press: Press | None,
        receipt: Receipt | None = None,
    ) -> None:
        footprint = await manager.measure_user(person.user_id)
        if press is not None:
            await press.answer()
        if footprint == Footprint():
            await _erase(person, forgetting, receipt)
            await show(event, nothing_screen(person))
            return
        export = export_button(person) if export_button is not None else None
        await show(event, forget_screen(person, footprint, export=export))

    router.message.register(show_what_goes, Command("forget", ignore_case=True))
    press = router.callback_query.register
    press(show_what_goes, ForgetButton.filter(F.action == ForgetAction.SHOW))
    press(ask_whether_sure, ForgetButton.filter(F.action == ForgetAction.ASK))
    press(erase, ForgetButton.filter(F.action == ForgetAction.ERASE))
    press(keep, ForgetButton.filter(F.action == ForgetAction.CANCEL))
    return router


async def ask_whether_sure(
    event: CallbackQuery,
    person: Person,
    manager: ConversationManager,
    press: Press,
    *,
    changed: bool = False,
) -> None:
    footprint = await manager.measure_user(person.user_id)
    stamp = await _stamp(person, manager)
    await press.answer()
    await show(event, sure_screen(person, footprint, stamp, changed=changed))


async def keep(event: CallbackQuery, person: Person, press: Press) -> None:
    await press.answer()
    await show(event, kept_screen(person))


async def erase(
    event: CallbackQuery,
    bot: Bot,
    callback_data: ForgetButton,
    person: Person,
    people: People,
    manager: ConversationManager,
    forgetting: Forgetting,
    exclusive: bool,
    press: Press,
    receipt: Receipt | None = None,
) -> None:
    footprint = await _agreed(callback_data, person, manager, receipt)
    if footprint is None:
        await _ask_again(event, person, manager, forgetting, press, receipt)
        return
    await press.answer()
    await _erase(person, forgetting, receipt)
    await show(event, forgotten_screen(person, footprint))
    if exclusive:
        await show_commands_to(bot, await people.know(person))
    if receipt is not None:  # and now this update itself
        await receipt.over()
        await _forget_updates(receipt, person)


async def _agreed(
    button: ForgetButton, person: Person, manager: ConversationManager, receipt: Receipt | None
) -> Footprint | None:
    """Give what is erased, if that is what the person was asked about, and note it."""
    if receipt is not None and receipt.facts:
        return Footprint(**{key: receipt.facts.get(key, 0) for key in asdict(Footprint())})
    if button.stamp != await _stamp(person, manager):
        return None
    footprint = await manager.measure_user(person.user_id)
    if footprint == Footprint():
        return None
    if receipt is not None:
        await receipt.note(**asdict(footprint))
    return footprint


async def _ask_again(
    event: CallbackQuery,
    person: Person,
    manager: ConversationManager,
    forgetting: Forgetting,
    press: Press,
    receipt: Receipt | None,
) -> None:
    """Something came since; or all of it is gone, as after two presses, and the receipt stays."""
    if await manager.measure_user(person.user_id) == Footprint():
        await _erase(person, forgetting, receipt)
        await press.answer(person.texts("forget-nothing"))
        return
    await ask_whether_sure(event, person, manager, press, changed=True)


async def _stamp(person: Person, manager: ConversationManager) -> str:
    chats = await manager.list_conversations(person.user_id)
    return fingerprint([*chats, *await manager.list_deleted(person.user_id)])


async def _erase(person: Person, forgetting: Forgetting, receipt: Receipt | None) -> None:
    """Erase what there is; also what an error left of it after it had gone out of sight."""
    await forgetting.erase(person.user_id)
    await _forget_updates(receipt, person)


async def _forget_updates(receipt: Receipt | None, person: Person) -> None:
    """Have the inbox forget what this person sent; a disk that fails is told as a storage is."""
    if receipt is None:
        return
    try:
        await receipt.forget_person(person.user_id)
    except OSError as error:
        raise StorageError("the inbox could not be written") from error
