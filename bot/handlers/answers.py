"""What a person does to answers: stop them, ask for them anew, choose how they are made."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message, MessageGenerationStopped

from conversations import ConversationManager, ConversationMessage

from ..answerers import Mode
from ..answering import GIVEN_UP, Answering
from ..callbacks import ChatAction, ChatButton
from ..finishing import Question, find_answer
from ..incoming import Receipt
from ..limits import Quotas
from ..person import Person
from ..screens import mode_screen
from ..show import Press, send
from .chats import show_chat, tell_gone


def create_answers_router(answering: Answering) -> Router:
    router = Router(name="conversations.answers")
    router.message.register(stop, Command("stop", ignore_case=True))
    router.message.register(regenerate_active, Command("again", ignore_case=True))
    router.message.register(ask_mode, Command("mode", ignore_case=True))
    press = router.callback_query.register
    press(stop_by_button, ChatButton.filter(F.action == ChatAction.STOP))
    press(answer_again, ChatButton.filter(F.action == ChatAction.AGAIN))
    press(answer_again, ChatButton.filter(F.action == ChatAction.REGENERATE))
    press(set_mode, ChatButton.filter(F.action.in_({ChatAction.FAST, ChatAction.DEEP})))

    async def stop_draft(event: MessageGenerationStopped) -> None:
        """Telegram's own stop carries no user: in a private dialog the chat is the user."""
        answering.stop_draft(event.chat.id, event.draft_id)

    router.stopped_message_generation.register(stop_draft)
    return router


async def stop(
    message: Message, person: Person, manager: ConversationManager, answering: Answering
) -> None:
    """Stop the answer of the open chat, else the latest that goes on in this dialog."""
    active = await manager.get_active_conversation_id(person.user_id)
    stopped = active is not None and answering.stop(person.user_id, active)
    if not stopped and not answering.stop_latest(person):
        await message.answer(person.texts("nothing-to-stop"), parse_mode=None)


async def stop_by_button(
    _event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    answering: Answering,
    press: Press,
) -> None:
    stopped = answering.stop(person.user_id, callback_data.chat)
    await press.answer(person.texts("stopping" if stopped else "nothing-to-stop"))


async def regenerate_active(
    message: Message,
    bot: Bot,
    person: Person,
    manager: ConversationManager,
    answering: Answering,
    quotas: Quotas,
    receipt: Receipt | None = None,
) -> None:
    """`/again`: another answer to the last question of the active chat."""
    active = await manager.get_active_conversation_id(person.user_id)
    refusal: str | None = person.texts("again-nothing")
    if active is not None:
        thread_id = message.message_thread_id if message.is_topic_message else None
        question = Question(bot, person, active, 0, thread_id, asked_by=message.message_id)
        key = f"{message.chat.id}:{message.message_id}"
        last = _Last(manager, answering, quotas, receipt)
        refusal = await last.answer(question, key, anew=True)
    if refusal:
        await message.answer(refusal, parse_mode=None)


async def answer_again(
    event: CallbackQuery,
    bot: Bot,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering,
    quotas: Quotas,
    press: Press,
    receipt: Receipt | None = None,
) -> None:
    """Answer a chat's last question: what has no whole answer yet or, if so pressed, anew.

    A button that stands under another question by now does nothing, and says so.
    """
    menu = event.message if isinstance(event.message, Message) else None
    thread_id = menu.message_thread_id if menu and menu.is_topic_message else None
    asked_by = event.message.message_id if event.message else None
    question = Question(bot, person, callback_data.chat, 0, thread_id, asked_by=asked_by)
    anew = callback_data.action is ChatAction.REGENERATE
    last = _Last(manager, answering, quotas, receipt)
    if await last.has_newer(question, callback_data.question_id):
        await press.answer(person.texts("again-newer"), alert=True)
        return
    refusal = await last.answer(question, event.id, anew=anew)
    await press.answer(refusal)


async def ask_mode(message: Message, person: Person, manager: ConversationManager) -> None:
    chat = await manager.get_active_conversation(person.user_id)
    if chat is None:
        await message.answer(person.texts("no-active-chat"), parse_mode=None)
    else:
        await send(message, mode_screen(person, chat))


async def set_mode(
    event: CallbackQuery,
    callback_data: ChatButton,
    person: Person,
    manager: ConversationManager,
    answering: Answering,
    press: Press,
) -> None:
    deep = callback_data.action is ChatAction.DEEP
    mode: Mode = "deep" if deep else "fast"
    if not await manager.set_mode(person.user_id, callback_data.chat, mode):
        await tell_gone(event, callback_data.chat, person, manager, press)
        return
    toast = "mode-deep" if deep else "mode-fast"
    await show_chat(event, callback_data.chat, person, manager, answering, press, toast=toast)


@dataclass(frozen=True, slots=True)
class _Last:
    """Has the last question of a chat answered, once more after a crash that came before the end.

    What was asked for is noted with the time of the answer that stood there: where another one
    does after a crash, it was stored, and is only to be sent.
    """

    manager: ConversationManager
    answering: Answering
    quotas: Quotas
    receipt: Receipt | None

    async def has_newer(self, place: Question, question_id: int | None) -> bool:
        """Tell whether a question is not the last of its chat, if it is known which is meant.

        After a crash it does not matter any more: it was when the press was taken.
        """
        if question_id is None or (self.receipt is not None and self.receipt.facts):
            return False
        user_id, chat_id = place.person.user_id, place.conversation_id
        question, _ = _last_exchange(await self.manager.get_messages(user_id, chat_id, 20))
        return question is not None and question.message_id != question_id

    async def answer(self, place: Question, key: str, *, anew: bool) -> str | None:
        """Have it answered, and that said at `place`; else say why not."""
        t, user_id, chat_id = place.person.texts, place.person.user_id, place.conversation_id
        facts = self.receipt.facts if self.receipt is not None else {}
        chat = await self.manager.get_conversation(user_id, chat_id)
        if chat is None:
            return t("chat-gone")
        if not facts and self.answering.is_busy(user_id, chat_id):
            return t("again-busy")
        question, answer = _last_exchange(await self.manager.get_messages(user_id, chat_id, 20))
        if question is None:
            return t("again-nothing")
        stamp = answer.timestamp if answer is not None else ""
        wanted = replace(place, message_id=question.message_id, mode=chat.mode)
        if facts and (facts["question"], facts["answer"]) != (question.message_id, stamp):
            return await self._submit(wanted)
        if answer is not None and answer.state is None and not anew:
            return t("already-answered")
        refused = await self.quotas.admit(user_id, key)
        if refused is not None:
            return refused.text(t)
        if self.receipt is not None:
            await self.receipt.note(question=question.message_id, answer=stamp)
        return await self._submit(replace(wanted, again=answer is not None))

    async def _submit(self, question: Question) -> str | None:
        overs = (self.receipt.hold(),) if self.receipt is not None else ()
        question = replace(question, overs=overs)
        admission = self.answering.submit(question)
        refusal = self.answering.refusal(admission, question.person.texts, is_kept=bool(overs))
        if admission in GIVEN_UP:
            await question.is_over()
        return refusal


def _last_exchange(
    messages: list[ConversationMessage],
) -> tuple[ConversationMessage | None, ConversationMessage | None]:
    """Find the last question, and its answer if it has one."""
    for place in range(len(messages) - 1, -1, -1):
        question = messages[place]
        if question.type == "user_question":
            return question, find_answer(messages[place:], question.message_id)
    return None, None
