"""A disk in memory, where a name and what it names become durable apart from each other.

The rules are those of POSIX, stricter than any file system of today: what a file holds is durable
after an fsync of that file, and not by a rename or by anybody else's fsync. A name is durable
after an fsync of the folder that it stands in. A rename is one step: a power cut leaves both its
sides or none, and an fsync of the folder it went to saves both. But an fsync of the folder that
it came from saves no more than that the old name is gone, unless the program that renamed it
was killed, or told that the fsync failed: who comes next cannot know which way it went.
After a failed fsync of a file the bytes it was to save are gone for good, though the program
still sees them; the names of a folder whose fsync failed may still become durable later.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from tests.faults.calls import (
    Call,
    Change,
    Create,
    Event,
    Link,
    Remove,
    Rename,
    Resize,
    Sync,
    Write,
)
from tests.faults.folders import Content, Folder, Tree

TOP = 0


class Image:
    """Bytes that may end in any number of zeros, which take no memory."""

    def __init__(self, data: bytes = b"", size: int = 0) -> None:
        self.data = bytearray(data)
        self.size = size

    def copy(self) -> Image:
        return Image(bytes(self.data), self.size)

    def put(self, change: Write | Resize) -> None:
        if isinstance(change, Resize):
            del self.data[change.size :]
            self.size = change.size
            return
        end = change.offset + len(change.data)
        gap = change.offset - len(self.data)
        if gap > 0:
            self.data += bytes(gap)
        self.data[change.offset : end] = change.data
        self.size = max(self.size, end)

    def content(self, mtime: int) -> Content:
        return Content(bytes(self.data).rstrip(b"\0"), self.size, mtime)


@dataclass(eq=False)
class FileNode:
    seen: Image = field(default_factory=Image)
    mtime: int = 0
    durable: Image = field(default_factory=Image)
    durable_mtime: int = 0
    pending: list[Write | Resize] = field(default_factory=list)  # written since the last fsync

    @property
    def is_durable(self) -> bool:
        same = self.seen.size == self.durable.size and self.seen.data == self.durable.data
        return same and self.mtime == self.durable_mtime

    def change(self, change: Write | Resize, time: int) -> None:
        self.seen.put(change)
        self.pending.append(change)
        self.mtime = time

    def sync(self, sync: Sync) -> None:
        if not sync.failed:
            size = self.durable.size
            for change in self.pending:
                self.durable.put(change)
            if not sync.data_only or self.durable.size != size:
                self.durable_mtime = self.mtime
        self.pending.clear()


@dataclass(eq=False)
class FolderNode:
    names: dict[str, int] = field(default_factory=dict)
    mtime: int = 0
    durable: dict[str, int] = field(default_factory=dict)
    durable_mtime: int = 0


@dataclass(frozen=True, eq=False)
class Name:
    """A name that was set, or removed where the node is None."""

    folder: FolderNode
    name: str
    node: int | None

    def put(self, names: dict[str, int]) -> None:
        if self.node is None:
            names.pop(self.name, None)
        else:
            names[self.name] = self.node


@dataclass(eq=False)
class Step:
    """A change of names that happens as a whole; of a rename the new name comes first."""

    names: list[Name]
    time: int
    is_whole: bool = False  # an fsync of any of its folders saves all of it

    def saved_by(self, folder: FolderNode) -> list[Name]:
        """Tell what an fsync of this folder makes durable."""
        folders = [name.folder for name in self.names]
        if folders[0] is folder or (self.is_whole and folder in folders):
            return self.names
        return [name for name in self.names if name.folder is folder]


Look = Callable[[FileNode], Content]


class Disk:
    def __init__(self, tree: Tree) -> None:
        """Begin with a folder that is durable as a whole."""
        self._nodes: list[FileNode | FolderNode] = [FolderNode()]
        self.steps: list[Step] = []  # the changes of names that are not durable yet, oldest first
        for path in sorted(tree):
            self._plant(path, tree[path])

    def find(self, path: str) -> int | None:
        """Give the node of this name as the program sees it; the empty path is the top."""
        node: int | None = TOP
        for name in path.split("/") if path else ():
            folder = self._nodes[node] if node is not None else None
            node = folder.names.get(name) if isinstance(folder, FolderNode) else None
        return node

    def node(self, number: int) -> FileNode | FolderNode:
        return self._nodes[number]

    def size(self, node: int) -> int:
        file = self._nodes[node]
        return file.seen.size if isinstance(file, FileNode) else 0

    def reachable(self) -> list[FileNode]:
        """Give the files that still have a name somewhere, if only for the disk."""
        numbers = {number for folder in self._folders() for number in folder.durable.values()}
        numbers |= {name.node for step in self.steps for name in step.names if name.node}
        nodes = (self._nodes[number] for number in sorted(numbers))
        return [node for node in nodes if isinstance(node, FileNode)]

    def apply(self, event: Event) -> None:
        if isinstance(event, Call):
            for change in event.changes:
                self._apply(change, event.time)

    def orphaned(self) -> Disk:
        """The same disk, for the program that comes after one that was killed."""
        disk = copy.deepcopy(self)
        for step in disk.steps:
            step.is_whole = True
        return disk

    def tree(self) -> Tree:
        """What the program sees, and what is left after the process alone is killed."""
        return self.after_loss(self.steps, lambda file: file.seen.content(file.mtime))

    def after_loss(self, kept: Collection[Step], look: Look) -> Tree:
        """What a power cut leaves where these changes of names, and such contents, are kept."""
        names = {id(node): dict(node.durable) for node in self._folders()}
        times = {id(node): node.durable_mtime for node in self._folders()}
        for step in self.steps:
            for name in step.names if step in kept else ():
                name.put(names[id(name.folder)])
                times[id(name.folder)] = max(times[id(name.folder)], step.time)
        tree: Tree = {}

        def walk(path: str, folder: FolderNode) -> None:
            for name, number in names[id(folder)].items():
                node = self._nodes[number]
                if isinstance(node, FileNode):
                    tree[path + name] = look(node)
                else:
                    tree[path + name] = Folder(times[id(node)])
                    walk(f"{path}{name}/", node)

        top = self._nodes[TOP]
        assert isinstance(top, FolderNode)
        walk("", top)
        return tree

    def _folders(self) -> Iterable[FolderNode]:
        return (node for node in self._nodes if isinstance(node, FolderNode))

    def _plant(self, path: str, content: Content | Folder) -> None:
        folder, name = self._split(path)
        node: FileNode | FolderNode
        if isinstance(content, Folder):
            node = FolderNode(mtime=content.mtime, durable_mtime=content.mtime)
        else:
            image = Image(content.data, content.size)
            node = FileNode(image, content.mtime, image.copy(), content.mtime)
        folder.names[name] = folder.durable[name] = self._add(node)

    def _add(self, node: FileNode | FolderNode) -> int:
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _split(self, path: str) -> tuple[FolderNode, str]:
        parent, _, name = path.rpartition("/")
        number = self.find(parent)
        folder = self._nodes[number] if number is not None else None
        assert isinstance(folder, FolderNode), f"{parent} is no folder that the disk knows"
        return folder, name

    def _apply(self, change: Change, time: int) -> None:
        match change:
            case Create(path, is_folder):
                node = FolderNode(mtime=time, durable_mtime=time) if is_folder else FileNode()
                if isinstance(node, FileNode):
                    node.mtime = node.durable_mtime = time
                self._step(time, (path, self._add(node)))
            case Write(number, _, _) | Resize(number, _):
                file = self._nodes[number]
                assert isinstance(file, FileNode)
                file.change(change, time)
            case Sync(number):
                self._sync(self._nodes[number], change)
            case Rename(source, target):
                self._step(time, (target, self._known(source)), (source, None))
            case Link(source, target):
                self._step(time, (target, self._known(source)))
            case Remove(path):
                self._known(path)
                self._step(time, (path, None))

    def _known(self, path: str) -> int:
        node = self.find(path)
        assert node is not None, f"the disk does not know {path}"
        return node

    def _step(self, time: int, *names: tuple[str, int | None]) -> None:
        step = Step([Name(*self._split(path), node) for path, node in names], time)
        for name in step.names:
            name.put(name.folder.names)
            name.folder.mtime = time
        self.steps.append(step)

    def _sync(self, node: FileNode | FolderNode, sync: Sync) -> None:
        if isinstance(node, FileNode):
            node.sync(sync)
        elif sync.failed:
            for step in self.steps:
                step.is_whole = step.is_whole or bool(step.saved_by(node))
        else:
            for place, step in enumerate(self.steps):
                for name in step.saved_by(node) if step.names else ():
                    name.put(name.folder.durable)
                    name.folder.durable_mtime = max(name.folder.durable_mtime, step.time)
                    for older in self.steps[: place + 1]:
                        _forget(older, name)
            self.steps = [step for step in self.steps if step.names]


def _forget(step: Step, durable: Name) -> None:
    """Take out what became durable, or was overtaken by it."""
    step.names = [
        name
        for name in step.names
        if name.folder is not durable.folder or name.name != durable.name
    ]
