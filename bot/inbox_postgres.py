"""The inbox of many workers, in PostgreSQL: an update is handled once, whoever it is brought to.

A person belongs to one worker as long as anything of theirs is open: the one that their first
open update was brought to. What is brought to others meanwhile is kept and told to that one. So
all of a person, their order, their queue, what stops an answer, is in the memory of one process,
and it needs no locks over all of them. When a worker dies, see `lease.py`, another takes over its
persons with what they have open, and handles that as after a restart.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from conversations import StorageError

from .access import concerns, sender_of
from .inbox import Entry
from .inbox_rows import InboxRows, NewUpdate
from .inboxes import Lost
from .lease import PostgresLease

if TYPE_CHECKING:
    import asyncpg

    from conversations import Database

    from .postgres_tables import Connection

logger = logging.getLogger(__name__)

_REMEMBERED = 10_000  # ids of what came here, or is over
_MOST_TRIES = 5  # an update that was open at so many deaths may be what they come from
_LOOK_ROUND = 3.0  # seconds between two looks for what nobody told of
_SWEEP = 3600.0  # seconds between two removals of what is old


class PostgresInbox:
    """The updates of one bot that are this worker's; a `SharedInbox`.

    The bot's tables have to be there, and the lease is the caller's to open before this and to
    close after it.
    """

    def __init__(self, database: Database, lease: PostgresLease, *, bot_id: int) -> None:
        self._database = database
        self._lease = lease
        self._bot_id = bot_id
        self._open: dict[int, Entry] = {}
        self._persons: dict[int, int] = {}  # by update
        self._busy: Counter[int] = Counter()  # open updates by person
        self._known: dict[int, None] = {}
        self._over: dict[int, None] = {}
        self._unfinished: dict[int, int] = {}  # persons by updates whose end is not noted yet
        self._arrived: list[Callable[[], object]] = []
        self._woken = asyncio.Event()
        self._is_to_look_round = True
        self._swept = 0.0
        self._attending: asyncio.Task[None] | None = None
        self._polls_as: int | None = None
        self._lost: list[Lost] = []
        lease.watch(lost=self._lose, taken=self._look_round_soon, heard=self._hear)

    async def open(self) -> None:
        """Take over what dead workers have left.

        :raises StorageError: the database does not let us.
        """
        await self._look_round()
        self._attending = asyncio.create_task(self._attend())

    async def close(self) -> None:
        """Note what is over; what is open is for others to take over."""
        if self._attending is not None:
            self._attending.cancel()
            with suppress(asyncio.CancelledError):
                await self._attending
            self._attending = None
        with suppress(StorageError):
            await self._note_ends()

    def watch(self, *, arrived: Callable[[], object], lost: Lost) -> None:
        self._arrived.append(arrived)
        self._lost.append(lost)

    async def may_fetch(self) -> None:
        told = False
        while self._lease.worker is None or self._polls_as != self._lease.worker:
            worker = self._lease.worker
            if await self._lease.claim("polling"):
                self._polls_as = worker
                continue
            if not told and worker is not None:
                logger.warning("another worker polls for this bot; waiting until it stops")
                told = True
            await asyncio.sleep(1)

    @property
    def open_count(self) -> int:
        return len(self._open)

    @property
    def is_empty(self) -> bool:
        return not self._open

    def left_open(self) -> list[Entry]:
        return [entry for _, entry in sorted(self._open.items()) if not entry.begun]

    async def keep(self, updates: Iterable[dict[str, Any]]) -> None:
        """:raises StorageError: none of them was taken, or it is not known whether they were."""
        given = {raw["update_id"]: raw for raw in updates}
        new = {number: raw for number, raw in given.items() if number not in self._known}
        worker = self._lease.worker
        if not new:
            return
        if worker is None:
            raise StorageError("this worker has no lease")
        rows = [NewUpdate(number, _person_of(raw), json.dumps(raw)) for number, raw in new.items()]
        there = list(self._open)
        found = await self._transact(
            lambda inbox: inbox.keep(worker, rows, there, self._lease.channel)
        )
        for number in new:
            _remember(self._known, number)
        if self._lease.worker == worker and set(await self._take_in(found)) - set(new):
            self._tell_of_arrival()

    def knows(self, update_id: int) -> bool:
        return update_id in self._open or update_id in self._known

    def begin(self, update_id: int) -> Entry | None:
        entry = self._open.get(update_id)
        if entry is None or entry.begun:
            return None
        entry.begun = True
        return entry

    async def note(self, update_id: int, facts: dict[str, Any]) -> None:
        """:raises StorageError: that failed."""
        entry = self._open.get(update_id)
        if entry is not None:
            entry.facts |= facts
            await self._transact(lambda inbox: inbox.note(update_id, json.dumps(entry.facts)))

    async def finish(self, update_id: int) -> None:
        """:raises StorageError: that failed; it is tried again until it is noted."""
        if self._open.pop(update_id, None) is None:
            return
        person = self._persons.pop(update_id)
        self._busy[person] -= 1
        _remember(self._over, update_id)
        self._unfinished[update_id] = person
        await self._finish(update_id, person)

    async def forget_person(self, user_id: int) -> None:
        """:raises StorageError: that failed."""
        await self._note_ends()
        given_up = await self._transact(lambda inbox: inbox.given_up())
        theirs = [key for key, raw in given_up if concerns(json.loads(raw), user_id)]
        if theirs:
            await self._transact(lambda inbox: inbox.forget(theirs))

    async def _finish(self, update_id: int, person: int) -> None:
        """Note an end; a person who has nothing open here any more is anybody's again."""
        worker = self._lease.worker
        is_last = not self._busy[person]
        if is_last:
            del self._busy[person]
        await self._transact(
            lambda inbox: inbox.finish(update_id, person, worker if is_last else None)
        )
        self._unfinished.pop(update_id, None)

    async def _note_ends(self) -> None:
        for update_id, person in list(self._unfinished.items()):
            await self._finish(update_id, person)

    async def _lose(self) -> None:
        """Have nothing any more: others may be at it."""
        self._open.clear()
        self._persons.clear()
        self._busy.clear()
        self._polls_as = None
        await asyncio.gather(*(lost() for lost in self._lost))

    def _hear(self, payload: str) -> None:
        """Be told that something was kept for a worker, or by nobody in particular of a death."""
        if payload == str(self._lease.worker):
            self._woken.set()
        elif not payload:
            self._look_round_soon()

    def _look_round_soon(self) -> None:
        self._is_to_look_round = True
        self._woken.set()

    async def _attend(self) -> None:
        """Fetch what is told of, and look for what is not."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_ROUND):
                    await self._woken.wait()
            except TimeoutError:
                self._is_to_look_round = True
            self._woken.clear()
            try:
                if self._is_to_look_round:
                    await self._look_round()
                else:
                    await self._fetch()
            except StorageError as error:
                logger.warning("the inbox cannot be read now: %s", error)
            except Exception:
                logger.exception("the inbox failed")

    async def _look_round(self) -> None:
        self._is_to_look_round = False
        worker = self._lease.worker
        if worker is None:
            return
        await self._note_ends()
        gone = await self._transact(lambda inbox: inbox.take_over(worker))
        if gone:
            logger.warning("worker %d takes over from %s", worker, ", ".join(map(str, gone)))
        await self._fetch()
        for person in await self._transact(lambda inbox: inbox.idle_persons(worker)):
            if not self._busy[person]:
                await self._transact(partial(InboxRows.release, person=person, worker=worker))
        now = asyncio.get_running_loop().time()
        if now - self._swept >= _SWEEP:
            self._swept = now
            await self._transact(lambda inbox: inbox.sweep())

    async def _fetch(self) -> None:
        """Take in what is this worker's and was brought to others, or left by them."""
        worker = self._lease.worker
        if worker is None:
            return
        there = list(self._open)
        found = await self._transact(lambda inbox: inbox.open_updates(worker, there))
        if self._lease.worker == worker and await self._take_in(found):
            self._tell_of_arrival()

    async def _take_in(self, rows: Iterable[asyncpg.Record]) -> list[int]:
        """Take what is to be handled here; tell what of it was not here yet."""
        fresh = []
        for row in rows:
            update_id, person, tries = row["update_id"], row["person"], row["tries"]
            if update_id in self._open or update_id in self._over:
                continue
            if tries >= _MOST_TRIES:
                logger.error("update %d was open at %d deaths of a worker", update_id, tries)
                _remember(self._over, update_id)
                await self._transact(partial(InboxRows.give_up, update_id=update_id))
                continue
            _remember(self._known, update_id)
            facts = json.loads(row["facts"] or "{}")
            self._open[update_id] = Entry(json.loads(row["raw"]), tries, facts)
            self._persons[update_id] = person
            self._busy[person] += 1
            fresh.append(update_id)
        return fresh

    def _tell_of_arrival(self) -> None:
        for arrived in self._arrived:
            arrived()

    async def _transact(self, work: Callable[[InboxRows], Any]) -> Any:
        async def do(connection: Connection) -> Any:
            return await work(InboxRows(connection, self._bot_id, self._database.schema))

        return await self._database.transact(do, deadline=self._database.deadline())


def _person_of(raw: dict[str, Any]) -> int:
    """Tell whose an update is: who acts, else the chat; 0 for what is nobody's."""
    sender = sender_of(raw)
    if sender is not None:
        return sender
    for event in raw.values():
        chat = event.get("chat") if isinstance(event, dict) else None
        if isinstance(chat, dict) and isinstance(chat.get("id"), int):
            return int(chat["id"])
    return 0


def _remember(ids: dict[int, None], number: int) -> None:
    ids[number] = None
    if len(ids) > _REMEMBERED:
        del ids[next(iter(ids))]
