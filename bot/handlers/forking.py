"""Going on in a copy: of a whole chat, or of one up to a message."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from conversations import ConversationManager, ConversationMetadata

from ..answering import Answering
from ..callbacks import ChatAction, ChatButton
from ..incoming import Receipt
from ..limits import Quotas, Refusal
from ..person import Person
from ..questions import replied_to
from ..show import Press
from .chats import find_or_tell, show_chat, tell_gone


def create_forking_router() -> Router:
    router = Router(name="conversations.forking")
    router.message.register(fork, Command("fork", ignore_case=True))
    router.callback_query.register(fork_chat, ChatButton.filter(F.action == ChatAction.FORK))
    return router


async def fork(
    message: Message,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    quotas: Quotas,
    receipt: Receipt | None = None,
) -> None:
    """`/fork` copies the active chat, or as a reply that of the message, up to it and with it."""
    t, replied = person.texts, replied_to(message)
    chat, unknown = await _meant(replied, person, manager)
    made = None
    if chat is None:
        refusal = t(unknown)
    elif not chat.message_count:
        refusal = t("fork-empty")
    elif over := await _admit(person, quotas, receipt):
        refusal = over.text(t)
    else:
        refusal = t(unknown)
        made = await manager.fork_conversation(
            person.user_id,
            chat.conversation_id,
            replied.message_id if replied is not None else None,
            key=f"{message.chat.id}:{message.message_id}",  # handled again, it is the same copy
        )
    if made is None:
        await message.answer(refusal, parse_mode=None)
        return
    await show_chat(message, made, person, manager, answering, None)


async def _admit(person: Person, quotas: Quotas, receipt: Receipt | None) -> Refusal | None:
    """Tell why there may be no copy; what was begun before a crash has been admitted."""
    if receipt is not None and receipt.facts:
        return None
    refusal = await quotas.admit_copy(person.user_id)
    if refusal is None and receipt is not None:
        await receipt.note(copying=1)
    return refusal


async def _meant(
    replied: Message | None, person: Person, manager: ConversationManager
) -> tuple[ConversationMetadata | None, str]:
    """Give the chat of a message, or else the active one; and what to say where there is none."""
    if replied is None:
        return await manager.get_active_conversation(person.user_id), "no-active-chat"
    found = await manager.find_message(
        person.user_id, replied.message_id, dialog_id=person.dialog_id, sent_at=replied.date
    )
    return found.chat if found is not None else None, "fork-unknown"


async def fork_chat(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering | None,
    quotas: Quotas,
    press: Press,
    receipt: Receipt | None = None,
) -> None:
    chat = await find_or_tell(event, callback_data.chat, person, manager, press)
    if chat is None:
        return
    if not chat.message_count:
        await press.answer(person.texts("fork-empty"), alert=True)
        return
    over = await _admit(person, quotas, receipt)
    if over is not None:
        await press.answer(over.text(person.texts), alert=True)
        return
    made = await manager.fork_conversation(
        person.user_id, chat.conversation_id, key=_key(event, chat, callback_data.stamp)
    )
    if made is None:
        await tell_gone(event, chat.conversation_id, person, manager, press)
        return
    await show_chat(event, made, person, manager, answering, press, toast="fork-made")


def _key(event: CallbackQuery, chat: ConversationMetadata, shown_at: str) -> str:
    """Tell one copy that is asked for from another: a double tap asks for the same.

    A card that is shown anew has a button of its own, and that of a chat that has grown means
    more than it did. Old buttons do not know when they were shown.
    """
    if not shown_at or event.message is None:
        return event.id
    place = f"{event.message.chat.id}:{event.message.message_id}"
    return f"{place}:{shown_at}:{chat.message_count}"
