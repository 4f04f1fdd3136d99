"""From a provider's first word to the person's eyes; `python -m tests.benchmarks.first_word`.

The whole program runs as a process of its own, over real HTTP on both sides. Measured is the time
between the first piece leaving the provider and the draft standing in the person's dialog.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.fake_providers import FakeProviders, Gate, Say, Stop
from tests.playground_client import Person
from tests.program import Program


async def first_words(folder: Path, times: int) -> list[float]:
    """Ask so often, each time in a new chat; give the seconds until something was seen."""
    seen = []
    async with FakeProviders() as fake:
        settings = {"MODEL": "openai:fake", "OPENAI_API_KEY": "sk-none", "LOG_LEVEL": "WARNING"}
        program = Program(folder, OPENAI_BASE_URL=fake.openai_url, **settings)
        async with program, Person(program.url, 1002) as ben:
            for number in range(times):
                first, rest = Gate(), Gate()
                fake.streams(first, Say(f"Word {number}"), rest, Say(" and the rest"), Stop())
                fake.refuses(400)  # the name that is asked for afterwards
                sent = await ben.send(f"/new question {number}")
                await fake.next_request()
                begun = time.perf_counter()
                first.open()
                await ben.wait_for(
                    lambda d, n=number: any(f"Word {n}" in x["text"] for x in d["drafts"])  # type: ignore[misc]
                )
                seen.append(time.perf_counter() - begun)
                rest.open()
                await ben.wait_message("and the rest", after=sent)
                await fake.next_request()
    return seen


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        seen = sorted(asyncio.run(first_words(Path(folder), 20)))
    middle, last = seen[len(seen) // 2] * 1000, seen[-1] * 1000
    sys.stdout.write(f"first word seen after: median {middle:.0f} ms, longest {last:.0f} ms\n")


if __name__ == "__main__":
    main()
