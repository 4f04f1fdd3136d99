"""One running answer per chat: the queue, the stop, the shutdown, and where an answer ends up.

An answer belongs to the chat in which it was asked, whatever the person does meanwhile. It is
stored before it is sent, and noted as sent afterwards: what a person has seen is always in the
file, and `sent_as=None` marks an answer of which that is not sure.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

from conversations import ConversationManager, ConversationMetadata, StorageError

from .answerers import Answerer, Namer, takes_instructions
from .context import ContextLimits
from .delivery import Delivery, RichSupport
from .finishing import FinishedAnswer, Finisher, Question, offer_again, tokens_used
from .gathering import Gatherer
from .keyboards import stop_keyboard
from .lanes import Lane
from .limits import Quotas
from .marks import Marks
from .person import Person
from .reading import AnswerObserver, Reader
from .show import delete_quietly
from .slots import Slots
from .streaming import DraftSupport, LiveAnswer, Pacing
from .texts import Texts

logger = logging.getLogger(__name__)

Admission = Literal["started", "waiting", "full", "full_in_all", "closed", "silenced"]
GIVEN_UP: frozenset[Admission] = frozenset({"full", "full_in_all", "silenced"})


@dataclass(frozen=True, slots=True)
class AnsweringLimits:
    """How many answers run and wait at most."""

    waiting: int = 5  # questions of one chat
    per_user: int = 3  # answers that run at once
    pending_per_user: int = 20  # questions that run or wait in all chats of a person
    in_all: int = 50


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
        self._pacing = pacing or Pacing()
        self._know = know
        self._quotas = quotas
        self._lanes: dict[tuple[int, str], Lane] = {}
        self._slots = Slots(per_user=self.limits.per_user, in_all=self.limits.in_all)
        self._marks = Marks()
        self._silenced: set[int] = set()
        self._begun = itertools.count(1)
        self._gatherer = Gatherer(
            manager, answerer, context or ContextLimits(), waiting=self.limits.waiting
        )
        self._reader = Reader(answerer, observer)
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
        lane = self._lanes.setdefault(key, Lane())
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

    def stop_latest(self, person: Person) -> bool:
        """Stop the answer that began last of those that go on in a person's Telegram chat."""
        lanes = [
            lane
            for lane in self._lanes_of(person.user_id)
            if lane.question is not None
            and lane.question.person.chat_id == person.chat_id
            and lane.ending == "complete"  # else it is stopped already
        ]
        if not lanes:
            return False
        max(lanes, key=lambda lane: lane.begun).stop("stopped")
        return True

    def stop_draft(self, chat_id: int, draft_id: int) -> bool:
        """Stop the answer whose draft is shown in a private dialog, where a chat is its person."""
        for lane in self._lanes_of(chat_id):
            question = lane.question
            if question is None or not question.person.in_private:
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
            lanes = self._lanes_of(user_id)
            left = [question for lane in lanes for question in lane.drop()]
            tasks = [lane.task for lane in lanes if lane.task is not None]
            if tasks:
                await asyncio.wait(tasks)
            for question in left:
                self._mark(question, waiting=False)
                await question.is_over()
            yield
        finally:
            self._silenced.discard(user_id)

    def is_busy(self, user_id: int, conversation_id: str) -> bool:
        return (user_id, conversation_id) in self._lanes

    async def count_seen(self, chat: ConversationMetadata) -> int:
        """Tell how many of a chat's last messages the answerer would get now."""
        return await self._gatherer.count_seen(chat)

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
            for question in lane.waiting:
                self._mark(question, waiting=False)
            lane.waiting.clear()
            lane.hurry.set()
            lane.stop("interrupted")
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await self._finisher.close()
        await self._marks.close()

    async def _run(self, key: tuple[int, str], lane: Lane) -> None:
        try:
            while lane.waiting:
                if lane.question is not None:
                    self._mark(lane.waiting[0], waiting=False)
                lane.question = question = lane.waiting.popleft()
                lane.ending = "complete"
                try:
                    is_told = await self._answer(question, lane)
                except Exception:
                    logger.exception("an answer could not be brought to its end")
                    is_told = await self._tell_failure(question, lane)
                if is_told or not self._closing.is_set():  # else it is sent after the next start
                    await question.is_over()
        finally:
            if self._lanes.get(key) is lane:
                del self._lanes[key]

    async def _tell_failure(self, question: Question, lane: Lane) -> bool:
        """Tell of a failure that nobody expected; False where that did not reach the person."""
        if lane.is_dropped:
            return True
        delivery, texts = self._delivery(question, lane.hurry), question.person.texts
        try:
            said = await delivery.say(texts("something-wrong"), offer_again(question))
        except Exception:
            logger.exception("a failure could not be told")
            return False
        return said is not None

    def _pending(self, user_id: int) -> int:
        return sum(1 + len(lane.waiting) for lane in self._lanes_of(user_id))

    def _lanes_of(self, user_id: int) -> list[Lane]:
        return [lane for (owner, _), lane in self._lanes.items() if owner == user_id]

    async def _answer(self, question: Question, lane: Lane) -> bool:
        """Answer a question; False when what there is to tell did not reach the person."""
        delivery = self._delivery(question, lane.hurry)
        if await self._is_refused(question, delivery):
            return True
        lane.in_line = True
        async with self._slots.of(question.person.user_id):
            lane.in_line = False
            if self._closing.is_set() and question.overs:
                return False
            return await self._answer_now(question, lane, delivery)

    async def _answer_now(self, question: Question, lane: Lane, delivery: Delivery) -> bool:
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
        await delivery.say(why, offer_again(question))
        return True

    async def _ask(self, question: Question, lane: Lane) -> FinishedAnswer | None:
        """Have a question answered; None where it is deleted, or answered already."""
        context = await self._gatherer.context(question)
        if not context.turns:
            return None
        lane.begun = next(self._begun)
        live = self._live(question, lane)
        result, ending, failure = await self._reader.read(context, question.mode, live, lane)
        if self._quotas is not None:
            await self._quotas.spend(question.person.user_id, tokens_used(context, result))
        return FinishedAnswer(question, context, result, ending, failure, live.placeholder)

    def _live(self, question: Question, lane: Lane) -> LiveAnswer:
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
        chat_id = question.person.chat_id
        self._marks.set(delivery, chat_id, question.message_id, waiting=waiting)
