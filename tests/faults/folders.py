"""Whole folders in memory: read from a disk, laid out on one, told apart."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, without zeros at the end; `size` counts those too. `mtime` is in ns."""

    data: bytes
    size: int
    mtime: int


@dataclass(frozen=True, slots=True)
class Folder:
    mtime: int


Tree = dict[str, Content | Folder]  # by path relative to the top, which is not in it


def digest(tree: Tree) -> bytes:
    """Tell trees apart, by names, contents and times."""
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(tree):
        node = tree[path]
        state.update(f"{path}\0{node.mtime}\0".encode())
        if isinstance(node, Content):
            state.update(f"{node.size}\0{len(node.data)}\0".encode() + node.data)
    return state.digest()


def read(top: Path) -> Tree:
    tree: Tree = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        try:
            status = path.lstat()
            if path.is_dir():
                tree[name] = Folder(status.st_mtime_ns)
                continue
            data = path.read_bytes()
        except FileNotFoundError:  # who should have ended is still at work: it will be seen
            continue
        tree[name] = Content(data.rstrip(b"\0"), len(data), status.st_mtime_ns)
    return tree


def lay_out(tree: Tree, top: Path) -> None:
    """Make a folder that holds exactly this; what was there goes."""
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    for name in sorted(tree):
        node, path = tree[name], f"{top}/{name}"
        if isinstance(node, Folder):
            os.mkdir(path, 0o700)  # noqa: PTH102 - thousands of times
        else:
            _write(path, node)
    for name in sorted(tree, reverse=True):  # a folder's time last, when nothing is put into it
        os.utime(f"{top}/{name}", ns=(tree[name].mtime, tree[name].mtime))


def _write(path: str, content: Content) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content.data)
        os.ftruncate(descriptor, content.size)
    finally:
        os.close(descriptor)
