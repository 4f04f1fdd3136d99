"""What the harness found in the store once, each in a few lines of its own."""

from __future__ import annotations

from pathlib import Path

from tests.storages import USER, opened


async def test_what_a_crash_leaves_of_a_kept_file_is_swept(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await storage.keep_file(USER, "answer.md", b"whole")
    files = tmp_path / "user_1001" / "files"
    (files / ".answer.md.0123456789ab.tmp").write_bytes(b"ha")
    async with opened(tmp_path) as storage:
        await storage.read_index(USER)
    assert [path.name for path in files.iterdir()] == ["answer.md"]
