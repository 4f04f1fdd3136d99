"""Writes docs/benchmarks.md and its picture from results; `make bench` does it at its end.

`python -m tests.benchmarks.report FIGURES DOCS`, two folders; the results are in the first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.plot import plot
from tests.benchmarks.stores import contenders

BASE = "aiosqlite (WAL, FULL)"


def table(title: str, columns: Mapping[str, Mapping[str, float]], unit: str) -> Iterator[str]:
    """Lay out one measure, a row a store; in brackets how it compares with aiosqlite."""
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    yield from (f"### {title}", "", f"| {unit} | {' | '.join(columns)} |")
    yield "|---" + "|---:" * len(columns) + "|"
    for name in names:
        cells = [_cell(values.get(name), values.get(BASE)) for values in columns.values()]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _cell(value: float | None, base: float | None) -> str:
    if value is None:
        return "—"
    return number(value) + (f" ({number(value / base)}×)" if base else "")


def number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def report(speed: dict[str, Any], limits: dict[str, Any], updates: dict[str, Any]) -> str:
    lengths, crowds = speed["lengths"], speed["crowds"]
    measured = {key: speed["machine"][key] for key in speed["machine"]}
    lines = [
        "# Benchmarks",
        "",
        _INTRODUCTION.format(
            machine=", ".join(f"{key}: {value}" for key, value in measured.items())
        ),
        "",
        *durability(lengths["10"]["add"]),
        *table("Adding a message", _by_length(lengths, "add"), "median ms"),
        "![Adding a message, by the length of the chat](benchmarks.svg)",
        "",
        *table("The last 20 messages, warm", _by_length(lengths, "last 20, warm"), "median ms"),
        *table(
            "The last 20 messages, in a store just opened",
            _by_length(lengths, "last 20, cold"),
            "median ms",
        ),
        *table("Many at once, chats of 100 messages", _crowds(crowds), "adds a second"),
        *table(
            "More and more users, chats of 10 messages",
            {f"{users} users": rates["adds"] for users, rates in crowds["users"].items()},
            "adds a second",
        ),
        *table("The list of 1 000 chats", speed["lists"], "median ms"),
        *table("Growth", _by_length(lengths, "MB on disk"), "MB on disk"),
        *_limits(limits),
        *_updates(updates),
        _COMMANDS,
    ]
    return "\n".join(lines)


def durability(measured: Mapping[str, float]) -> Iterator[str]:
    """Say of everybody what an acknowledged message survives, and who is missing."""
    yield from ("| store | survives a power cut |", "|---|---|")
    for each in contenders():
        missing = "" if each.name in measured else " (not measured: it could not be installed)"
        yield f"| {each.name} | {each.durable}{missing} |"
    yield ""


def _by_length(lengths: Mapping[str, Any], kind: str) -> dict[str, dict[str, float]]:
    return {f"{int(length):,}".replace(",", " "): lengths[length][kind] for length in lengths}


def _crowds(crowds: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    columns: dict[str, dict[str, float]] = {}
    for name, rates in crowds.items():
        if name != "users":
            columns |= {name: rates["adds"], f"{name}, until the files are": rates["settled"]}
    return columns


def _limits(limits: dict[str, Any]) -> Iterator[str]:
    yield from ("### Memory: 10 000 users touched, then nobody, and all of it again", "")
    columns = ("touched", "idle", "touched again", "idle again")
    yield f"| cache, MiB | {' | '.join(f'MB more when {column}' for column in columns)} |"
    yield "|---:|" + "---:|" * len(columns)
    for cache, found in limits["memory"].items():
        yield f"| {cache} | {' | '.join(f'{found[column]:.0f}' for column in columns)} |"
    yield from ("", "Nothing is held for who is idle; what the process does not give back, the")
    yield from ("next ones use.",)
    yield from ("", "### Start", "", "| chats on disk | open, ms | first list of a user, ms |")
    yield "|---:|---:|---:|"
    for chats, found in limits["start"].items():
        yield f"| {chats} | {found['open']:.1f} | {found['first list']:.1f} |"
    yield ""


def _updates(found: dict[str, Any]) -> Iterator[str]:
    opening = found["ms of an update that opens 1 000 chats"]
    yield from ("### An update's whole way", "", _UPDATES.format(opening=number(opening)), "")
    yield "| store | what people do | updates a second | by a second of processor time |"
    yield "|---|---|---:|---:|"
    for store, key in (("files", ""), ("journal", ", with a journal")):
        for what, rates in found[f"updates a second{key}"].items():
            yield f"| {store} | {what} | {' | '.join(number(rate) for rate in rates.values())} |"
    yield ""


_INTRODUCTION = """\
How fast chats are stored and read, beside what others use. The figures are those of one run on
one machine ({machine}). What can be compared are the ratios to aiosqlite, in brackets; they differ
between runs by a fifth, and on a busy machine by more.

In short: reading the last messages takes a quarter of what it takes with aiosqlite while a chat is
in memory, and about as much when it is not. Adding one to a file takes up to twice as much in
chats of up to a hundred messages, for a file and its name are two syncs where SQLite has one, and
more with the length; with a journal it takes two thirds to nine tenths at any length, which is
what the disk allows. A list of a thousand chats takes two to three times as much, for each file is
looked at, lest an edit by hand be missed. SQLite with a group commit of its own beats both where a
hundred people write at once; files alone cannot, for what the disk allows them is little more than
what aiosqlite does.

All contenders run in one process, take turns within every measure, and do the same: a message of
about 500 Russian characters goes into one of a user's ten chats, and its count, tokens and time
follow where the store knows such things. What is read comes as objects, newest last. A store that
rewrites one file for everybody is left out where a hundred users come at once. Two bare limits of
the disk stand among them: the bytes of one message appended to a file and synced, and all bytes of
a chat written over a file that is there already, with the steps that leave it whole at any moment.

## Files or a journal

`JsonStorage` writes a chat's file anew for every message: a temporary file, two syncs, a rename.
So it costs by the length of the chat, and each message is in its file when the call returns. The
temporary file is the one that a chat had before, where that can be: its blocks are there already,
and a new file takes the disk half as long again, a long one twice as long. With
`journal=True` (`JOURNAL=true`) a message is one record in a file that all users share, synced for
all who wait at once, and the chat's own file follows within a quarter of a second; that costs the
same at any length. Both are put to the same faults, kills and power cuts
([reliability](reliability.md)).

`python -m bot` uses no journal unless told: an update takes nearly the same processor time with
either, a person waits for a model and not for milliseconds, and without it there is never anything
but plain files. A bot with many people at once, with very long chats or on a busy disk gains by
it."""

_UPDATES = """\
The dispatcher, its middlewares, the handlers and the store, with the wire faked and an answerer
that costs nothing; 50 people at once, chats of 20 messages. An update that opens a list of 1 000
chats takes {opening} ms of our own. Looking is `/chats`; a question is stored, answered, and the
answer is stored and sent."""

_COMMANDS = """\
## Running it

```console
$ make bench                                              # everything, and this page from it
$ .venv-peers/bin/python -m tests.benchmarks.storage_speed --only lengths   # one part, printed
```

The temporary folder has to be on a disk; name another one with `--folder`.
"""


def main() -> None:
    figures, docs = Path(sys.argv[1]), Path(sys.argv[2])
    speed, limits, updates = (
        json.loads((figures / f"{name}.json").read_text())
        for name in ("speed", "limits", "updates")
    )
    (docs / "benchmarks.md").write_text(report(speed, limits, updates), encoding="utf-8")
    lengths = speed["lengths"]
    lines = {
        each.name: [(int(length), lengths[length]["add"].get(each.name)) for length in lengths]
        for each in contenders()
    }
    picture = plot(lines, across="messages in the chat", up="ms an added message")
    (docs / "benchmarks.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
