"""What a power cut may leave of what was not synced: the folders that are tried, in a fixed order.

Of the names all is kept, nothing, every beginning, all but one, one alone, and some drawn by lot.
With each of those, what files hold is kept, lost, cut in half, zeroed, or kept and lost by blocks
drawn by lot, whichever order they were written in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.faults.calls import Resize, Write
from tests.faults.disk import Disk, FileNode, Look, Step
from tests.faults.folders import Content, Tree

_BLOCK = 512


def all_lost(disk: Disk) -> Tree:
    return disk.after_loss((), lost)


def losses(disk: Disk, seed: int, *, drawn: int = 2) -> Iterator[tuple[str, Tree]]:
    """Give what may be left; so many subsets of names, and of blocks, are drawn by lot."""
    rng = random.Random(seed)
    dirty = [file for file in disk.reachable() if not file.is_durable]
    looks: dict[str, Look] = _looks(rng, drawn) if dirty else {"kept": kept}
    for steps in _subsets(disk.steps, rng, drawn):
        for name, look in looks.items():
            what = f"{len(steps)} of {len(disk.steps)} changes of names kept, contents {name}"
            yield what, disk.after_loss(steps, look)


def kept(file: FileNode) -> Content:
    return file.seen.content(file.mtime)


def lost(file: FileNode) -> Content:
    return file.durable.content(file.durable_mtime)


def halved(file: FileNode) -> Content:
    image = file.durable.copy()
    for change in file.pending:
        if isinstance(change, Write):
            change = Write(change.node, change.offset, change.data[: len(change.data) // 2])
        image.put(change)
    return image.content(file.mtime)


def zeroed(file: FileNode) -> Content:
    """The size has become durable, and not a byte of what was written."""
    image = file.durable.copy()
    for change in file.pending:
        if isinstance(change, Write):
            change = Write(change.node, change.offset, bytes(len(change.data)))
        image.put(change)
    return image.content(file.mtime)


def by_blocks(seed: int) -> Look:
    """Keep some blocks of what was written and lose others; a size may be lost too."""

    def look(file: FileNode) -> Content:
        rng, image = random.Random(seed), file.durable.copy()
        for change in file.pending:
            if isinstance(change, Resize):
                parts: list[Write | Resize] = [change]
            else:
                parts = list(_blocks(change))
            for part in parts:
                if rng.random() < 0.5:
                    image.put(part)
        return image.content(rng.choice((file.mtime, file.durable_mtime)))

    return look


def _looks(rng: random.Random, drawn: int) -> dict[str, Look]:
    looks: dict[str, Look] = {"kept": kept, "lost": lost, "halved": halved, "zeroed": zeroed}
    for number in range(drawn):
        looks[f"by blocks, {number}"] = by_blocks(rng.randrange(1 << 30))
    return looks


def _blocks(write: Write) -> Iterator[Write]:
    """Cut a write at the blocks of the disk."""
    start = 0
    while start < len(write.data):
        offset = write.offset + start
        end = start + _BLOCK - offset % _BLOCK
        yield Write(write.node, offset, write.data[start:end])
        start = end


def _subsets(steps: list[Step], rng: random.Random, drawn: int) -> Iterator[list[Step]]:
    chosen = [steps[:size] for size in range(len(steps) + 1)]
    chosen += [[step for step in steps if step is not left] for left in steps]
    chosen += [[step] for step in steps]
    chosen += [[step for step in steps if rng.random() < 0.5] for _ in range(drawn)]
    seen = set()
    for subset in chosen:
        key = frozenset(map(id, subset))
        if key not in seen:
            seen.add(key)
            yield subset
