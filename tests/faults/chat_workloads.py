"""What is done to a storage of chats: a tour of every verb, and histories drawn by lot."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from conversations import ConversationMessage, ConversationMetadata
from tests.faults import chat_model
from tests.faults.chat_operations import (
    activate,
    append,
    append_to_active,
    create,
    delete,
    keep_file,
    pin,
    purge,
    rename,
    replace,
    restore,
    save,
    save_new,
    set_mode,
)
from tests.faults.expected import done
from tests.faults.operations import Operation, State

ANNA, BORIS, VERA = USERS = 1001, 1002, -1003
LONG = 'Длинный ответ, "который" не входит в один блок диска.\n' * 120
_NEVER, _ALL = "2001-01-01T00:00:00+00:00", "2101-01-01T00:00:00+00:00"


class Script:
    """Makes chats, messages and times that are all different, and the same in every run."""

    def __init__(self, prefix: str, start: datetime | None = None) -> None:
        self._prefix = prefix
        self._now = start or datetime(2026, 5, 1, 10, tzinfo=UTC)
        self._number = 0

    def time(self) -> str:
        self._now += timedelta(seconds=1)
        return self._now.isoformat()

    def chat(self, user: int, name: str = "", *, chat_id: str = "") -> ConversationMetadata:
        self._number += 1
        time = self.time()
        return ConversationMetadata(
            conversation_id=chat_id or f"{self._prefix}{self._number}",
            user_id=user,
            username=f"user {user}",
            name=name or "New chat",
            created_at=time,
            updated_at=time,
            name_source="question" if name else "default",
        )

    def said(
        self, text: str = "", kind: Literal["user_question", "bot_answer"] = "user_question"
    ) -> ConversationMessage:
        self._number += 1
        text = f"{text or 'said'} {self._prefix}{self._number}"
        return ConversationMessage(self.time(), self._number, kind, text, tokens=self._number % 50)

    def append(self, user: int, chat_id: str, text: str = "", *, late: bool = False) -> Operation:
        message = self.said(text, "bot_answer" if late else "user_question")
        name = None if late else f"Named {self._number}"
        return append(user, chat_id, message, self.time(), first_name=name, include_deleted=late)

    def ask(self, user: int) -> Operation:
        return append_to_active(self.chat(user), self.said("asked"), self.time(), "Asked first")

    def delete(self, user: int, chat_id: str) -> Operation:
        return delete(user, chat_id, self.time(), self.chat(user))

    def save(self, user: int, chat_id: str) -> Operation:
        return save(user, chat_id, "Saved", self.said("saved", "bot_answer"))


def tour() -> list[Operation]:
    """Every verb, in every way that takes another path, by three users in turn."""
    script = Script("t")
    return [*_first_half(script), *_second_half(script)]


def _first_half(script: Script) -> Iterator[Operation]:
    yield create(script.chat(ANNA, chat_id="a"))
    yield script.ask(BORIS)
    old = script.said("to be replaced")
    yield append(ANNA, "a", old, script.time(), first_name="Отель")
    yield script.append(ANNA, "a", LONG)
    yield create(script.chat(ANNA, chat_id="b"), "empty")
    yield create(script.chat(ANNA), "empty")  # gives b, which is empty
    yield create(script.chat(ANNA), "any")
    yield script.ask(ANNA)
    yield rename(ANNA, "a", "By its user")
    yield rename(ANNA, "a", "By a model", "model")  # not over a name by the user
    yield rename(ANNA, "b", "By a model", "model")
    yield create(script.chat(VERA, "Only", chat_id="only"))
    yield script.append(VERA, "only")
    yield set_mode(ANNA, "b", "deep")
    yield script.ask(ANNA)
    yield pin(ANNA, "a", pinned=True)
    yield activate(ANNA, "a")
    yield replace(ANNA, "a", old, script.said("replaced"))
    yield replace(ANNA, "a", old, script.said("never"))  # it is not there any more
    yield create(script.chat(ANNA, "Third", chat_id="c"))
    yield script.append(ANNA, "c")
    yield script.delete(ANNA, "c")  # the active one
    yield restore(ANNA, "c", activate=True)
    yield script.delete(VERA, "only")  # the last one
    yield script.ask(BORIS)


def _second_half(script: Script) -> Iterator[Operation]:
    yield script.delete(ANNA, "b")  # not the active one
    late = script.append(ANNA, "b", late=True)
    yield late
    yield restore(VERA, "only", activate=True)  # for the empty one that stood in
    yield restore(ANNA, "b", activate=False)
    yield script.append(ANNA, "b", late=True)
    yield script.save(ANNA, "b")
    yield save_new(script.chat(ANNA, "Saved", chat_id="d"))
    yield keep_file(ANNA, "answer.md", b"# Answer\n")
    yield keep_file(ANNA, "answer.md", LONG.encode())
    yield script.delete(ANNA, "d")
    yield create(script.chat(ANNA, "Twin", chat_id="d"))  # while its twin is in the trash
    yield script.append(ANNA, "d", "twin")
    yield restore(ANNA, "d", activate=True)  # not over the living one
    yield purge(ANNA, deleted_before=_NEVER)
    yield purge(ANNA, deleted_before=_ALL)
    yield pin(ANNA, "a", pinned=False)
    yield script.delete(BORIS, "nobody's")
    yield keep_file(BORIS, "first.md", b"first")
    yield script.delete(VERA, "only")
    yield script.ask(VERA)
    yield script.delete(VERA, "only")  # it is gone already
    yield purge(VERA)
    yield create(script.chat(VERA), "empty")
    yield script.delete(ANNA, "a")
    yield script.append(ANNA, "a")  # not to the trash
    yield restore(ANNA, "a", activate=False)
    yield activate(ANNA, "a")
    yield set_mode(ANNA, "a", "fast")
    yield script.append(ANNA, "a", "last")
    yield script.append(ANNA, "b", "last")  # shorter than the file that may be written over
    yield pin(ANNA, "b", pinned=True)


def drawn(seed: int, count: int, states: dict[int, State] | None = None) -> list[Operation]:
    """Draw a history, from these states on or from nothing."""
    rng = random.Random(seed)
    script = Script(f"s{seed}-", datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=seed))
    known = states or {user: chat_model.empty() for user in USERS}
    operations = []
    for _ in range(count):
        user = rng.choice((ANNA, ANNA, ANNA, BORIS, VERA))
        operation = _draw(rng, script, user, known[user])
        known = {**known, user: done(operation, known[user])[0]}
        operations.append(operation)
    return operations


def every_verb(script: Script, user: int, state: State) -> list[Operation]:
    """One operation of each sort that works in this state, and gives all that is in the trash."""
    chat_id = script.chat(user).conversation_id
    message = script.said("probed")
    return [
        *(restore(user, deleted, activate=False) for deleted in sorted(state["trash"])),
        create(script.chat(user, chat_id=chat_id)),
        append(user, chat_id, message, script.time(), first_name="Probed"),
        script.ask(user),
        replace(user, chat_id, message, script.said("replaced")),
        rename(user, chat_id, "Renamed"),
        set_mode(user, chat_id, "deep"),
        pin(user, chat_id, pinned=True),
        script.save(user, chat_id),
        *(activate(user, other) for other in sorted(state["chats"])[:1]),
        *(keep_file(user, name, b"again") for name in sorted(state["files"])[:1]),
        keep_file(user, "probe.md", b"probe"),
        script.delete(user, chat_id),
        restore(user, chat_id, activate=True),
        script.delete(user, chat_id),
        purge(user),
    ]


def _draw(rng: random.Random, script: Script, user: int, state: State) -> Operation:
    living, deleted = sorted(state["chats"]), sorted(state["trash"])
    made = [script.ask(user), create(script.chat(user)), create(script.chat(user), "empty")]
    if not living:
        return rng.choice(made)
    chat = rng.choice(living)
    text = rng.choice(("", "", "", LONG))
    choices = [
        *made,
        *(script.append(user, chat, text, late=late) for late in (False, True, False)),
        _replacement(rng, script, user, chat, state),
        rename(user, chat, f"Name {rng.randrange(99)}", rng.choice(("user", "model"))),
        set_mode(user, chat, rng.choice(("fast", "deep"))),
        pin(user, chat, pinned=rng.random() < 0.5),
        script.save(user, chat),
        activate(user, chat),
        script.delete(user, chat),
        keep_file(user, f"{rng.randrange(3)}.md", rng.randbytes(rng.randrange(300))),
    ]
    if deleted:
        gone = rng.choice(deleted)
        choices += [restore(user, gone, activate=rng.random() < 0.5) for _ in range(2)]
        choices += [purge(user), script.append(user, gone, late=True)]
    return rng.choice(choices)


def _replacement(
    rng: random.Random, script: Script, user: int, chat: str, state: State
) -> Operation:
    messages = state["chats"][chat]["messages"]
    old = ConversationMessage.from_dict(rng.choice(messages)) if messages else script.said()
    return replace(user, chat, old, script.said("replaced"))
