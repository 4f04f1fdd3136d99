"""One running answer per chat: the queue, the stop, the shutdown, and where an answer ends up.

An answer belongs to the chat in which it was asked, whatever the person does meanwhile. It is
stored before it is sent, and noted as sent afterwards: what a person has seen is always in the
file, and `sent_as=None` marks an answer of which that is not sure.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol
from weakref import WeakValueDictionary

from conversations import (
    INSTRUCTIONS_LIMIT,
    ConversationManager,
    ConversationMetadata,
    StorageError,
)

from .answerers import (
    Answerer,
    AnswerError,
    AnswerResult,
    AnswerStream,
    Mode,
    Namer,
    takes_instructions,
)
from .context import Context, ContextLimits, Tail, count_seen, make_context
from .delivery import Delivery, RichSupport
from .finishing import Ending, FinishedAnswer, Finisher, Question, tokens_used
from .keyboards import again_keyboard, stop_keyboard
from .limits import Quotas
from .person import Person
from .show import delete_quietly
from .streaming import DraftSupport, LiveAnswer, Pacing
from .texts import Texts

logger = logging.getLogger(__name__)

Admission = Literal["started", "waiting", "full", "full_in_all", "closed", "silenced"]


@dataclass(frozen=True, slots=True)
class AnsweringLimits:
    """How many answers run and wait at most."""

    waiting: int = 5  # questions of one chat
    per_user: int = 3  # answers that run at once
    pending_per_user: int = 20  # questions that run or wait in all chats of a person
    in_all: int = 50


class AnswerObserver(Protocol):
    """Is told how answers go; its methods are quick and raise nothing."""

    def begun(self) -> None: ...

    def first_word(self, seconds: float) -> None:
        """Tell how long the model took to its first word."""

    def ended(self, ending: Ending) -> None: ...


@dataclass(slots=True)
class _Lane:
    """One chat's questions, answered one after another by one task."""

    waiting: deque[Question] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    question: Question | None = None
    reading: asyncio.Task[None] | None = None
    ending: Ending = "complete"
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  # wait for Telegram no more
    in_line: bool = False  # for one of the answers that may run at once
    is_dropped: bool = False  # what comes is neither stored nor sent

    def stop(self, ending: Ending) -> None:
        self.ending = ending
        if self.reading is not None:
            self.reading.cancel()

    def drop(self) -> list[Question]:
        """Have its task end soon; give the questions that it does not come to any more."""
        left = list(self.waiting)
        self.waiting.clear()
        self.is_dropped = True
        self.hurry.set()
        self.stop("stopped")
        if self.in_line and self.task is not None and self.question is not None:
            self.task.cancel()  # others may keep it waiting for long
            left.append(self.question)
        return left


@dataclass(slots=True)
class _Seen:
    """What is seen of one answer."""

    observer: AnswerObserver | None
    ending: Ending = "interrupted"
    begun: float | None = field(default_factory=time.monotonic)

    def word(self) -> None:
        if self.begun is not None and self.observer is not None:
            self.observer.first_word(time.monotonic() - self.begun)
        self.begun = None


class Answering:
    """Runs answers in tasks of its own, so that no handler waits for a model.

    Questions of one chat wait for each other; chats run side by side. `close` must be awaited
    before the manager's storage is closed.
    """

    def __init__(
        self,
        manager: ConversationManager,
        answerer: Answerer,
        *,
        context: ContextLimits | None = None,
        limits: AnsweringLimits | None = None,
        pacing: Pacing | None = None,
        know: Callable[[Person], Awaitable[Person]] | None = None,
        quotas: Quotas | None = None,
        observer: AnswerObserver | None = None,
    ) -> None:
        """`know` gives a person with what they have set by now: answers take their time."""
        self.limits = limits or AnsweringLimits()
        self.can_name = isinstance(answerer, Namer)
        self.takes_instructions = takes_instructions(answerer)
        self._manager = manager
        self._answerer = answerer
        self._context_limits = context or ContextLimits()
        self._pacing = pacing or Pacing()
        self._know = know
        self._quotas = quotas
        self._observer = observer
        self._lanes: dict[tuple[int, str], _Lane] = {}
        self._slots = asyncio.Semaphore(self.limits.in_all)
        self._slots_of: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        self._background: set[asyncio.Task[None]] = set()
        self._silenced: set[int] = set()
        self._finisher = Finisher(manager, namer=answerer if isinstance(answerer, Namer) else None)
        self._drafts = DraftSupport()
        self._rich = RichSupport()
        self._closing = asyncio.Event()

    def submit(self, question: Question) -> Admission:
        """Have a stored question answered, now or when those before it in its chat are."""
        if self._closing.is_set():
            return "closed"
        if question.person.user_id in self._silenced:
            return "silenced"
        key = (question.person.user_id, question.conversation_id)
        if key in self._lanes and len(self._lanes[key].waiting) >= self.limits.waiting:
            return "full"
        if self._pending(question.person.user_id) >= self.limits.pending_per_user:
            return "full_in_all"
        lane = self._lanes.setdefault(key, _Lane())
        lane.waiting.append(question)
        if lane.task is None:
            lane.task = asyncio.create_task(self._run(key, lane))
            return "started"
        self._mark(question, waiting=True)
        return "waiting"

    def refusal(self, admission: Admission, texts: Texts, *, is_kept: bool = False) -> str | None:
        """Tell a person why their question is not answered now; None where it is.

        `is_kept`: after the next start it is.
        """
        if admission == "closed":
            return texts("closing-later" if is_kept else "closing")
        limits = {"full": self.limits.waiting, "full_in_all": self.limits.pending_per_user}
        limit = limits.get(admission)
        return None if limit is None else texts("queue-full", limit=limit)

    def stop(self, user_id: int, conversation_id: str) -> bool:
        """Stop the answer that runs in a chat, and keep what came; False when none does."""
        lane = self._lanes.get((user_id, conversation_id))
        if lane is None:
            return False
        lane.stop("stopped")
        return True

    def stop_draft(self, chat_id: int, draft_id: int) -> bool:
        """Stop the answer whose draft is shown in a private dialog, where a chat is its person."""
        for (user_id, _), lane in self._lanes.items():
            question = lane.question
            if question is None or user_id != chat_id or not question.person.in_private:
                continue
            if question.message_id == draft_id:
                lane.stop("stopped")
                return True
        return False

    @asynccontextmanager
    async def silence(self, user_id: int) -> AsyncIterator[None]:
        """Give up all answers of a person, and begin none while this context is entered.

        What came of them is neither stored nor sent; no task holds any of it when it is entered.
        """
        self._silenced.add(user_id)
        try:
            lanes = [lane for (owner, _), lane in self._lanes.items() if owner == user_id]
            left = [question for lane in lanes for question in lane.drop()]
            tasks = [lane.task for lane in lanes if lane.task is not None]
            if tasks:
                await asyncio.wait(tasks)
            for question in left:
                await question.is_over()
            yield
        finally:
            self._silenced.discard(user_id)

    def is_busy(self, user_id: int, conversation_id: str) -> bool:
        return (user_id, conversation_id) in self._lanes

    async def count_seen(self, chat: ConversationMetadata) -> int:
        """Tell how many of a chat's last messages the answerer would get now."""
        tail = await self._tail(chat.user_id, chat.conversation_id, chat)
        return count_seen(tail, self._context_limits) if tail.messages else 0

    async def abandon(self) -> None:
        """Give all up as a kill would, and return when it is: nothing is stored, sent or over."""
        lanes, self._lanes = self._lanes, {}
        tasks = [lane.task for lane in lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stop all answers, keep what came of them, and return when all of it is stored."""
        self._closing.set()
        for lane in self._lanes.values():
            lane.waiting.clear()
            lane.hurry.set()
            lane.stop("interrupted")
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await self._finisher.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _run(self, key: tuple[int, str], lane: _Lane) -> None:
        try:
            while lane.waiting:
                if lane.question is not None:
                    self._mark(lane.waiting[0], waiting=False)
                lane.question = question = lane.waiting.popleft()
                lane.ending = "complete"
                is_told = False
                try:
                    is_told = await self._answer(question, lane)
                except Exception:
                    logger.exception("an answer could not be brought to its end")
                if is_told or not self._closing.is_set():  # else it is sent after the next start
                    await question.is_over()
        finally:
            if self._lanes.get(key) is lane:
                del self._lanes[key]

    def _pending(self, user_id: int) -> int:
        lanes = (lane for (owner, _), lane in self._lanes.items() if owner == user_id)
        return sum(1 + len(lane.waiting) for lane in lanes)

    def _slot_of(self, user_id: int) -> asyncio.Semaphore:
        slot = self._slots_of.get(user_id)
        if slot is None:
            slot = self._slots_of[user_id] = asyncio.Semaphore(self.limits.per_user)
        return slot

    async def _answer(self, question: Question, lane: _Lane) -> bool:
        """Answer a question; False when what there is to tell did not reach the person."""
        delivery = self._delivery(question, lane.hurry)
        if await self._is_refused(question, delivery):
            return True
        lane.in_line = True
        async with self._slot_of(question.person.user_id), self._slots:
            lane.in_line = False
            if self._closing.is_set() and question.overs:
                return False
            return await self._answer_now(question, lane, delivery)

    async def _answer_now(self, question: Question, lane: _Lane, delivery: Delivery) -> bool:
        """Ask, store and send; as `_answer`.

        It counts as running until it is sent: what cannot be brought to its end in time, be that
        for the storage or for Telegram, is not to be made faster than it can.
        """
        try:
            answer = await self._ask(question, lane)
        except StorageError:
            logger.exception("the context of a question could not be read")
            await delivery.say(question.person.texts("storage-unavailable"))
            return True
        if lane.is_dropped or (answer is not None and self._may_wait(answer)):
            if answer is not None and answer.placeholder is not None:
                await delete_quietly(question.bot, question.person.chat_id, answer.placeholder)
            return lane.is_dropped
        if self._know is not None:  # what they want now, they may not have wanted then
            question = replace(question, person=await self._know(question.person))
            delivery = self._delivery(question, lane.hurry)
        if answer is not None:
            return await self._finisher.finish(replace(answer, question=question), delivery)
        if question.overs:
            return await self._finisher.send_stored(question, delivery)
        return True

    def _may_wait(self, answer: FinishedAnswer) -> bool:
        """Tell what was stopped before its first word, and is asked again after the next start."""
        has_begun = answer.result.text.strip() or answer.ending != "interrupted"
        return bool(self._closing.is_set() and answer.question.overs and not has_begun)

    async def _is_refused(self, question: Question, delivery: Delivery) -> bool:
        """Tell a person, and here, whose tokens were used up while the question waited."""
        person = question.person
        refusal = await self._quotas.spent(person.user_id) if self._quotas is not None else None
        if refusal is None:
            return False
        why = f"{refusal.text(person.texts)}\n{person.texts('limit-saved')}"
        await delivery.say(why, again_keyboard(person, question.conversation_id))
        return True

    async def _ask(self, question: Question, lane: _Lane) -> FinishedAnswer | None:
        """Have a question answered; None where it is deleted, or answered already."""
        context = await self._context(question)
        if not context.turns:
            return None
        live = self._live(question, lane)
        with self._observed() as seen:
            async with live:
                result, failure = await self._read(context, question, live, lane, seen)
            seen.ending = "failed" if failure else lane.ending
        if self._quotas is not None:
            await self._quotas.spend(question.person.user_id, tokens_used(context, result))
        return FinishedAnswer(question, context, result, seen.ending, failure, live.placeholder)

    @contextmanager
    def _observed(self) -> Iterator[_Seen]:
        """Tell the observer of an answer; one that is cut off is interrupted."""
        seen = _Seen(self._observer)
        if self._observer is not None:
            self._observer.begun()
        try:
            yield seen
        finally:
            if self._observer is not None:
                self._observer.ended(seen.ending)

    async def _read(
        self, context: Context, question: Question, live: LiveAnswer, lane: _Lane, seen: _Seen
    ) -> tuple[AnswerResult, AnswerError | None]:
        """Read an answer to its end, until it is stopped, or until it fails."""
        result = AnswerResult("partial", "")
        try:
            async with self._open(context, question.mode) as stream:
                lane.reading = asyncio.create_task(_show_all(stream, live, seen))
                if lane.ending != "complete":
                    lane.reading.cancel()
                try:
                    await asyncio.wait([lane.reading])
                    if not lane.reading.cancelled():
                        lane.ending = "complete"
                        lane.reading.result()
                finally:
                    lane.reading.cancel()
                    await asyncio.wait([lane.reading])  # a stream that is read cannot be closed
                    lane.reading = None
                    result = stream.result
        except AnswerError as error:
            logger.warning("the answerer failed: %s", error)
            return result, error
        except Exception as error:
            logger.exception("the answerer raised something of its own")
            return result, AnswerError("server", type(error).__name__)
        return result, None

    def _open(self, context: Context, mode: Mode) -> AbstractAsyncContextManager[AnswerStream]:
        answerer = self._answerer
        if context.instructions and takes_instructions(answerer):
            told = context.instructions
            return answerer.answer(context.turns, mode=mode, instructions=told)
        return answerer.answer(context.turns, mode=mode)

    async def _context(self, question: Question) -> Context:
        user_id, conversation_id = question.person.user_id, question.conversation_id
        chat = await self._manager.get_conversation(user_id, conversation_id)
        tail = await self._tail(user_id, conversation_id, chat)
        if not any(message.message_id == question.message_id for message in tail.messages):
            whole = await self._manager.load_conversation(user_id, conversation_id)
            tail = Tail(whole.messages if whole else [])
        context = make_context(
            tail,
            question.message_id,
            self._context_limits,
            model=self._answerer.name,
            again=question.again,
        )
        told = chat.instructions[:INSTRUCTIONS_LIMIT] if chat is not None else ""
        return replace(context, instructions=told)

    async def _tail(
        self, user_id: int, conversation_id: str, chat: ConversationMetadata | None
    ) -> Tail:
        """Read as much of a chat's end as any window or queue can reach back."""
        limit = 2 * (self._context_limits.messages + self.limits.waiting)
        messages = await self._manager.get_messages(user_id, conversation_id, limit)
        if chat is None or chat.message_count <= len(messages):
            return Tail(messages)
        tokens = chat.total_tokens - sum(message.tokens for message in messages)
        return Tail(messages, chat.message_count - len(messages), max(0, tokens))

    def _live(self, question: Question, lane: _Lane) -> LiveAnswer:
        return LiveAnswer(
            question.bot,
            question.person,
            draft_id=question.message_id,
            reply_to=question.replied,
            thread_id=question.thread_id,
            stop_keyboard=stop_keyboard(question.person, question.conversation_id),
            drafts=self._drafts,
            pacing=self._pacing,
            on_blocked=lambda: lane.stop("stopped"),
        )

    def _delivery(self, question: Question, hurry: asyncio.Event) -> Delivery:
        return Delivery(
            question.bot,
            question.person,
            question.thread_id,
            reply_to=question.replied,
            rich=self._rich,
            hurry=hurry,
        )

    def _mark(self, question: Question, *, waiting: bool) -> None:
        delivery = self._delivery(question, self._closing)
        task = asyncio.create_task(delivery.mark_waiting(question.message_id, waiting=waiting))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _show_all(stream: AnswerStream, live: LiveAnswer, seen: _Seen) -> None:
    text = ""
    async for delta in stream:
        seen.word()
        text += delta
        live.show(text)
