"""How tables get to be of the version that a program knows: each migration once, in order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import StorageError

if TYPE_CHECKING:
    from .postgres_pool import Connection

TIMEOUT = 600.0  # seconds for all that is missing


@dataclass(frozen=True, slots=True)
class Migrations:
    """What is done, step by step, to the tables of one kind, and where their version stands.

    `whose` begins a sentence: "the tables".
    """

    table: str
    whose: str
    steps: tuple[str, ...]

    @property
    def version(self) -> int:
        return len(self.steps)

    async def read_version(self, connection: Connection) -> int:
        """Tell which version the tables are of; 0 where there are none yet.

        :raises StorageError: that is a newer one than this program knows.
        """
        if await connection.fetchval("select to_regclass($1)", self.table) is None:
            return 0
        # No row is seen by a look that began before another worker's migration was done.
        version: int = await connection.fetchval(
            f"select coalesce(max(version), 0) from {self.table}"  # noqa: S608
        )
        if version > self.version:
            raise StorageError(
                f"{self.whose} are of version {version}, and this program knows those up to"
                f" {self.version}; run a newer one"
            )
        return version

    async def run(self, connection: Connection) -> None:
        """Do what is missing, in a transaction that holds a lock of these tables.

        :raises StorageError: as `read_version`.
        """
        # Not asked whether it is there: PostgreSQL may answer from before the lock was waited for.
        await connection.execute(f"create table if not exists {self.table} (version int not null)")
        version = await self.read_version(connection)  # now that nobody else is at it
        if version == 0:
            await connection.execute(f"insert into {self.table} values (0)")  # noqa: S608
        for step in self.steps[version:]:
            await connection.execute(step)
        await connection.execute(
            f"update {self.table} set version = $1",  # noqa: S608
            self.version,
        )


def lock_key(*names: str) -> int:
    """Give the number of an advisory lock; a schema is among the names, for locks are of all."""
    digest = hashlib.sha256(" ".join(("conversations", *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
