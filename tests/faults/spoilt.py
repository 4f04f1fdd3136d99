"""Files of chats that somebody else has spoilt: cut, emptied, zeroed, garbled.

No disk that keeps its promises does this; a broken one does, and people do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tests.faults.bench import STORE, Bench, difference
from tests.faults.chat_workloads import Script
from tests.faults.folders import Content, Tree, lay_out
from tests.faults.operations import State
from tests.faults.traces import record


@dataclass(frozen=True)
class Spoilt:
    path: PurePosixPath
    data: bytes
    owner: int
    known: dict[int, State]  # what everybody saw before

    def wrong(self, seen: dict[int, State], root: Path) -> list[str]:
        """Tell what is lost besides what is in that file, and whether that is kept."""
        before, after = self.known[self.owner], seen[self.owner]
        spoilt_id = self.path.stem
        found = [
            f"user {user}: {difference(seen[user], self.known[user])}"
            for user in seen
            if user != self.owner and seen[user] != self.known[user]
        ]
        for place in ("chats", "trash"):
            for chat_id, chat in before[place].items():
                if chat_id != spoilt_id and after[place].get(chat_id) != chat:
                    found.append(f"{place}: {difference(after[place].get(chat_id), chat)}")
        if after["chats"] and after["active"] not in after["chats"]:
            found.append(f"{after['active']} is active and gone")
        messages = before["chats"].get(spoilt_id, {}).get("messages", [])
        left = after["chats"].get(spoilt_id, {}).get("messages", [])
        if any(message not in messages for message in left):
            found.append("a message is there that never was")
        if not self.is_harmless(after) and not self._is_kept(root):
            found.append("what it held is not kept")
        return found

    def is_harmless(self, after: State) -> bool:
        before = self.known[self.owner]
        same = all(after[place].items() >= before[place].items() for place in ("chats", "trash"))
        return same and self.path.name != "index.json"

    def _is_kept(self, root: Path) -> bool:
        folder = root / f"user_{self.owner}"
        return any(path.read_bytes() == self.data for path in folder.rglob("*.json*"))


async def damaged(bench: Bench) -> None:
    """Every file in turn: nothing else is lost, and what it held is kept, also when it goes on."""
    trace = await record(bench, bench.subject.workload(bench.seed))
    *_, end = trace.stops()
    tree = end.disk.tree()
    known = {user: end.expected.shown(user)[0] for user in bench.subject.users}
    point = 0
    for path in sorted(path for path in tree if path.endswith(".json")):
        content = tree[path]
        assert isinstance(content, Content)
        owner = next(user for user in known if f"/user_{user}/" in path)
        for how, data in _spoilt(content.data):
            point += 1
            if bench.wants(point):
                spoilt: Tree = {**tree, path: Content(data, len(data), content.mtime + 1)}
                lay_out(spoilt, bench.disk)
                wrong = await _open_twice(bench, Spoilt(PurePosixPath(path), data, owner, known))
                bench.count(point, f"{path} {how}", wrong)


def _spoilt(data: bytes) -> Iterator[tuple[str, bytes]]:
    size = len(data)
    yield "emptied", b""
    for part in (size // 4, size // 2, size - 3):
        yield f"cut to {part} bytes", data[:part]
    yield "zeroed", bytes(size)
    yield "zeroed in its second half", data[: size // 2] + bytes(size - size // 2)
    yield "garbled", data[: size // 3] + b"\xff{]\0" + data[size // 3 + 4 :]


async def _open_twice(bench: Bench, spoilt: Spoilt) -> list[str]:
    root = bench.disk / STORE
    wrong: list[str] = []
    try:
        async with bench.subject.opened(root) as store:
            for chat in (await store.read_index(spoilt.owner)).conversations:
                await store.load(spoilt.owner, chat.conversation_id)  # what is spoilt shows now
            seen = await bench.look(store, root)
            wrong += spoilt.wrong(seen, root)
            told = await store.take_damage(spoilt.owner)
            is_lost = not spoilt.is_harmless(seen[spoilt.owner])
            if is_lost and not told and spoilt.path.parent.name != "trash":
                wrong.append("nobody is told")
            new = await _go_on(store, spoilt.owner)
        async with bench.subject.opened(root) as store:
            seen = await bench.look(store, root)
            wrong += spoilt.wrong(seen, root)
            if len(seen[spoilt.owner]["chats"].get(new, {}).get("messages", [])) != 1:
                wrong.append("what was done after it is lost")
            if await store.take_damage(spoilt.owner):
                wrong.append("it is told twice")
    except Exception as error:  # noqa: BLE001 - whatever it is, the folder cannot be used
        wrong.append(f"{type(error).__name__}: {error}")
    return wrong


async def _go_on(store: Any, user: int) -> str:
    """Make a chat and put a message into it."""
    script = Script("after")
    chat_id = await store.create(script.chat(user, "After"))
    assert await store.append(user, chat_id, script.said(), updated_at=script.time())
    return str(chat_id)
