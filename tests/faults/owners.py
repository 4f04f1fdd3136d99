"""One process owns a folder: a second one is refused, and takes nothing from the first."""

from __future__ import annotations

from pathlib import Path

from tests.faults.attempts import POINTS, Beginning, beginnings
from tests.faults.bench import STORE, Bench
from tests.faults.calls import Mark
from tests.faults.folders import lay_out


async def owned(bench: Bench) -> None:
    """Between two operations of the owner somebody else tries one."""
    for beginning in await beginnings(bench):
        point = POINTS * beginning.number
        if bench.wants(point):
            lay_out(beginning.tree, bench.disk)
            wrong = await _with_intruder(bench, beginning, bench.disk / STORE)
            bench.count(point, f"second owner at {beginning.operation.name}", wrong)


async def _with_intruder(bench: Bench, beginning: Beginning, root: Path) -> list[str]:
    wrong, expected = [], beginning.expected.copy()
    async with bench.subject.opened(root) as owner:
        await bench.look(owner, root)  # an owner is who has used it; a flush of nothing is no use
        for place, operation in enumerate((beginning.operation, *beginning.following)):
            said = await bench.say(owner, operation)
            wrong += expected.hear_all(Mark("try", operation), said)
            async with bench.subject.opened(root) as other:
                probe = bench.subject.probes(operation.user, expected.of(operation.user)[0])[0]
                if (await bench.say(other, probe)).said == "ack":
                    wrong.append(f"a second owner was let in after {place + 1} operations")
    async with bench.subject.opened(root) as store:
        return wrong + await bench.compare(store, root, expected)
