"""`python -m tests.faults.program <folder>`: a program that uses a store, and tells what it does.

It says "ready", waits for a line, and then says for each operation of its history a line of JSON:
`["try", n]`, then `["ack", n, result]` or `["err", n]`. What failed it tries once again. It
speaks by a socket where that is its standard output, so that its words are no writes to a file.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.operations import Operation
from tests.faults.subjects import SUBJECTS, Subject, find_subject

_SET_TRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)  # prctl; Linux lets only parents trace


async def work(subject: Subject, root: Path, history: list[Operation], say: Any) -> None:
    async with subject.opened(root) as store:
        for number, operation in enumerate(history):
            for _ in range(2):
                say(["try", number])
                try:
                    result = await operation.act(store)
                except subject.failure:
                    say(["err", number])
                else:
                    say(["ack", number, result])
                    break


def one_thread() -> None:
    """Have every pool of threads be one thread: strace counts the calls of each by itself."""
    start = ThreadPoolExecutor.__init__

    def start_one(self: ThreadPoolExecutor, max_workers: int = 1, **options: Any) -> None:
        start(self, 1, **options)

    ThreadPoolExecutor.__init__ = start_one  # type: ignore[method-assign, assignment]


def history_of(subject: Subject, options: argparse.Namespace) -> list[Operation]:
    if options.states is None:
        return subject.workload(options.seed)[: options.count]
    states = pickle.loads(Path(options.states).read_bytes())
    return subject.drawn(options.seed, options.count, states)


def _speaker() -> Callable[[object], object]:
    try:
        put: Callable[[bytes], object] = socket.socket(fileno=1).sendall
    except OSError:  # a terminal, a file, a pipe
        put = partial(os.write, 1)
    return lambda said: put(json.dumps(said).encode() + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.program", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subject", choices=list(SUBJECTS), default="files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="of operations")
    parser.add_argument("--states", help="a pickle of what every user has in the folder")
    options = parser.parse_args()
    logging.getLogger("conversations").setLevel(logging.CRITICAL)
    one_thread()
    subject = find_subject(options.subject)
    history = history_of(subject, options)
    ctypes.CDLL(None).prctl(_SET_TRACER, _ANYBODY, 0, 0, 0)
    say = _speaker()
    say("ready")
    sys.stdin.readline()
    asyncio.run(work(subject, options.folder, history, say))


if __name__ == "__main__":
    main()
