"""Real processes: killed, or lied to by the system, at every call that writes; and at any time."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.bench import STORE, Bench, SkippedError
from tests.faults.calls import Mark
from tests.faults.expected import Expected
from tests.faults.folders import lay_out, read
from tests.faults.operations import Operation, State

_HISTORY = 14  # operations; each takes a process per call
_ROUNDS = 100
_MANY = 300  # operations; more than a process comes to before it is killed
_PATIENCE = 60.0  # seconds
_CALLS = (
    "openat", "write", "pwrite64", "writev", "fsync", "fdatasync", "ftruncate", "fallocate",
    "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat",
)  # fmt: skip
_READS = re.compile(r"O_RDONLY(?!\S*O_DIRECTORY)")


async def killed_by_strace(bench: Bench) -> None:
    """SIGKILL before every call that writes."""
    for point, (name, number) in enumerate(_count(bench), 1):
        if bench.wants(point):
            await _one(bench, point, f"{name}:signal=KILL:when={number}")


async def error_by_strace(bench: Bench) -> None:
    """An error from the system itself in every call that writes: once, or from there on."""
    for point, (name, number) in enumerate(_count(bench), 1):
        if bench.wants(point):
            await _one(bench, point, f"{name}:error=EIO:when={number}")
            await _one(bench, point, f"{name}:error=ENOSPC:when={number}+")
            await _one(bench, point, f"{name}:error=EINTR:when={number}")


async def killed_at_random(bench: Bench) -> None:
    """SIGKILL after a random time, again and again, on a folder that grows old with it."""
    rng = random.Random(bench.seed)
    subject, root = bench.subject, bench.disk / STORE
    states = {user: subject.initial(user) for user in subject.users}
    lay_out(subject.before(), bench.disk)
    for number in range(1, _ROUNDS // bench.job.thin + 1):
        seed = str(_seed(bench, number))
        history = subject.drawn(int(seed), _MANY, states)
        given = bench.disk.with_name("states")
        given.write_bytes(pickle.dumps(states))
        options = ("--seed", seed, "--count", str(_MANY), "--states", str(given))
        with _program(bench, *options) as run:
            run.go_on()
            await asyncio.sleep(rng.uniform(0.0, 0.2))
            run.process.send_signal(signal.SIGKILL)
            wrong, expected = _heard(bench, history, run.rest(), states)
        async with subject.opened(root) as store:
            wrong += await bench.compare(store, root, expected)
            seen = await bench.look(store, root)
        bench.count(number, f"killed for the {number}-th time", wrong)
        left = expected.narrowed(seen)
        if wrong or not left.is_possible:
            return
        states = {user: left.of(user)[0] for user in subject.users}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    words: socket.socket

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def rest(self) -> list[list[object]]:
        """Give all that it says until it ends; a last word that is cut off is not said."""
        said = b""
        while part := self.words.recv(1 << 16):
            said += part
        self.process.wait(_PATIENCE)
        return [json.loads(line) for line in said.split(b"\n")[:-1]]


@contextmanager
def _program(bench: Bench, *options: str) -> Iterator[Running]:
    ours, theirs = socket.socketpair()
    ours.settimeout(_PATIENCE)
    command = [sys.executable, "-m", "tests.faults.program", str(bench.disk / STORE)]
    command += ["--subject", bench.subject.name, *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        ours,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=theirs.fileno(), env=environment
        ) as process,
    ):
        theirs.close()
        try:
            assert ours.recv(8) == b'"ready"\n', "the program did not start"
            yield Running(process, ours)
        finally:
            process.kill()


def _heard(
    bench: Bench,
    history: list[Operation],
    said: list[list[object]],
    states: dict[int, State] | None = None,
) -> tuple[list[str], Expected]:
    expected = bench.expected()
    if states is not None:
        expected = Expected({user: [state] for user, state in states.items()}, bench.subject.shown)
    wrong: list[str] = []
    for what, number, *result in said:
        assert isinstance(number, int)
        mark = Mark(what, history[number], *result)  # type: ignore[arg-type]
        wrong += expected.hear_all(mark)
    return wrong, expected


async def _one(bench: Bench, point: int, injected: str) -> None:
    said, _ = _traced(bench, injected)
    wrong, expected = _heard(bench, bench.subject.workload(bench.seed), said)
    wrong += await bench.judge(read(bench.disk), expected, go_on=True)
    bench.count(point, injected, wrong)


def _count(bench: Bench) -> list[tuple[str, int]]:
    """Run it once, and find the calls that change the folder: by name and number in its thread."""
    _, log = _traced(bench, None)
    numbers: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.splitlines():
        call = re.match(r"(\d+) +(\w+)\(", line)
        if call is None:
            continue
        numbers[call[1], call[2]] += 1
        if str(bench.disk) in line and not _READS.search(line):
            found.append((call[2], numbers[call[1], call[2]]))
    return sorted(set(found))


def _traced(bench: Bench, injected: str | None) -> tuple[list[list[object]], str]:
    """Run the history under strace; give what it said, and strace's log."""
    lay_out(bench.subject.before(), bench.disk)
    log = bench.disk.with_name("strace")
    if shutil.which("strace") is None:
        raise SkippedError("there is no strace")
    with _program(bench, "--seed", str(bench.seed), "--count", str(_HISTORY)) as run:
        command = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(log)]
        command += ["-p", str(run.process.pid), "-e", f"trace={','.join(_CALLS)}"]
        if injected is not None:
            command += ["-e", f"inject={injected}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            _wait_for_tracer(run.process.pid, strace)
            run.go_on()
            said = run.rest()
            strace.wait(_PATIENCE)
    return said, log.read_text(errors="replace")


def _wait_for_tracer(pid: int, strace: subprocess.Popen[str]) -> None:
    status = Path(f"/proc/{pid}/status")
    deadline = time.monotonic() + _PATIENCE
    while "TracerPid:\t0\n" in status.read_text():
        if strace.poll() is not None:
            assert strace.stderr is not None
            raise SkippedError(f"strace may not: {strace.stderr.read().strip()}")
        assert time.monotonic() < deadline, "strace does not attach"
        time.sleep(0.002)


def _seed(bench: Bench, number: int) -> int:
    return 1000 * (bench.seed + 1) + number
