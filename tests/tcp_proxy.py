"""A TCP proxy that a test puts between two programs, and that cuts, resets, holds and swallows."""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio import FIRST_COMPLETED, StreamReader, StreamWriter
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

Fault = Literal["close", "reset", "silence"]

_RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)


@dataclass
class _Link:
    """One connection on its way through the proxy."""

    client: StreamWriter
    server: StreamWriter
    is_silent: bool = False
    fault: Fault = "close"

    async def cut(self) -> None:
        for writer in (self.client, self.server):
            if self.fault == "reset":
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_WHEN_CLOSED)
                writer.transport.abort()
            writer.close()
        for writer in (self.client, self.server):
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


class TcpProxy:
    """Forwards to the host and port of `url`; `proxy.url` is the way through it.

    `forwarded` counts the bytes of both directions, over all connections.
    """

    def __init__(self, url: str) -> None:
        self.forwarded = 0
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: list[_Link] = []
        self._is_silent = False
        self._left: int | None = None
        self._fault: Fault = "close"
        self._marker: bytes | None = None
        self._is_held = asyncio.Event()
        self._may_go_on = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        credentials, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{credentials}{at}127.0.0.1:{port}").geturl()

    @property
    def has_failed(self) -> bool:
        """Tell whether the fault that was asked for has happened."""
        return self._left is None

    def fail_after(self, count: int, fault: Fault) -> None:
        """Let so many bytes through, and then fail, once, where the next one is."""
        self._left, self._fault = count, fault

    def silence(self) -> None:
        """Swallow all that comes, of those who are connected for good."""
        self._is_silent = True
        for link in self._links:
            link.is_silent = True

    def restore(self) -> None:
        """Be sound again for those who connect now."""
        self._is_silent, self._left = False, None

    def hold_at(self, marker: bytes) -> None:
        """Keep back the next piece that has this in it, until `let_go`."""
        self._marker = marker
        self._is_held.clear()
        self._may_go_on.clear()

    async def held(self) -> None:
        await self._is_held.wait()

    def let_go(self) -> None:
        self._may_go_on.set()

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        host, port = self._target.hostname or "127.0.0.1", self._target.port or 5432
        try:
            answers, onward = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        link = _Link(writer, onward, self._is_silent)
        self._links.append(link)
        pumps = [
            asyncio.create_task(self._pump(link, reader, onward)),
            asyncio.create_task(self._pump(link, answers, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=FIRST_COMPLETED)
            if link.is_silent:  # nor does one side hear that the other has left
                await asyncio.wait(pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await link.cut()
            self._links.remove(link)

    async def _pump(self, link: _Link, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._marker is not None and self._marker in data:
                self._marker = None
                self._is_held.set()
                await self._may_go_on.wait()
            if link.is_silent:
                continue
            allowed = data if self._left is None else data[: self._left]
            self.forwarded += len(allowed)
            writer.write(allowed)
            await writer.drain()
            if self._left is None:
                continue
            if len(allowed) < len(data):
                self._left, link.fault = None, self._fault
                link.is_silent = self._fault == "silence"
                if not link.is_silent:
                    return
            else:
                self._left -= len(data)
