"""The playground is for this computer alone: who else comes, by whatever way, gets nothing."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.playground import Playground
from tests.playground_client import Person
from tests.program import Program
from tests.waiting import PATIENCE


@pytest.fixture
async def playground(tmp_path: Path) -> AsyncIterator[Playground]:
    (tmp_path / "outside.txt").write_text("canary outside")
    async with Playground(port=0, state_path=tmp_path / "state.json") as playground:
        yield playground


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


async def answer(url: str, target: str, *, host: str | None = "own", **headers: str) -> bytes:
    """Send a request as it is, for clients tidy paths up before they send them."""
    port = port_of(url)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {target} HTTP/1.1" if host else f"GET {target} HTTP/1.0", "Connection: close"]
    if host:
        lines.append(f"Host: {host if host != 'own' else f'127.0.0.1:{port}'}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    async with asyncio.timeout(PATIENCE):
        answered = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answered


def status(answered: bytes) -> int:
    return int(answered.split(b" ", 2)[1])


def own_addresses() -> set[str]:
    """Other addresses of this computer; all of 127.0.0.0/8 is its own on Linux."""
    found = {"127.0.0.2"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            found.add(probe.getsockname()[0])
        except OSError:
            pass
    return found - {"127.0.0.1", "0.0.0.0"}


async def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    async with Program(tmp_path) as program:
        port = port_of(program.url)
        assert status(await answer(program.url, "/")) == 200
        for address in own_addresses():
            with pytest.raises(OSError, match=r"refused|unreachable|assign|timed out"):
                socket.create_connection((address, port), timeout=5).close()
        with pytest.raises(OSError):  # noqa: PT011 - there may be no such protocol at all
            socket.create_connection(("::1", port), timeout=5).close()


async def test_foreign_hosts_and_origins_read_nothing(playground: Playground) -> None:
    async with Person(playground.url) as anna:
        await anna.send("canary")
    port = port_of(playground.url)
    foreign = ["evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "null",
               f"127.0.0.1:{port}@evil.example", f"127.0.0.1:{port}.evil.example", ""]  # fmt: skip
    for path in ("/", "/person", "/person/1001/dialog", "/person/1001/events", "/page/app.js"):
        answers = [await answer(playground.url, path, host=host) for host in foreign[:4]]
        answers += [await answer(playground.url, path, host=None)]
        for origin in foreign:
            url = origin if origin in {"null", ""} else f"http://{origin}"
            answers.append(await answer(playground.url, path, Origin=url))
        answers.append(await answer(playground.url, path, Origin=f"https://127.0.0.1:{port}"))
        assert {status(answered) for answered in answers} == {403}, path
        assert b"canary" not in b"".join(answers)
        assert b"Access-Control" not in b"".join(answers)


TRAVERSALS = [
    "/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/server.py", "/page/%2e%2e%2fx.py",
    "/page/..%5cserver.py", "/page/..\\server.py", "/page/....//server.py", "/page//etc/passwd",
    "/page/%2fetc%2fpasswd", "/page/app.js/../../server.py", "/page/..%00/server.py", "/page/",
    "/page", "//etc/passwd", "/../bot/playground/server.py", "/page/%252e%252e/server.py",
    "/file/bot{token}/../../../outside.txt", "/file/bot{token}/..%2foutside.txt",
    "/file/bot{token}/documents/../../outside.txt", "/file/bot{token}/%2e%2e/state.json",
    "/file/bot{token}//etc/passwd", "/file/bot{token}/state.json", "/file/bot{token}/file_1.txt",
    "/file/bot{token}/documents/..%2f..%2fstate.json", "/file/bot0:wrong/documents/file_1.txt",
    "/file/bot/documents/file_1.txt", "/person/1001/files/..%2f..%2foutside.txt",
    "/person/1001/files/file_1.txt", "/person/1001/files/%2fetc%2fpasswd",
    "/person/1001/files/../../../outside.txt", "/bot{token}/../getMe/x", "/bot0:wrong/getUpdates",
]  # fmt: skip


@pytest.mark.parametrize("target", TRAVERSALS)
async def test_no_path_leads_out(playground: Playground, target: str) -> None:
    async with Person(playground.url) as anna:
        sent = await anna.document("../../outside.txt", b"canary document")
        answered = await answer(playground.url, target.format(token=playground.token))
        assert status(answered) in {400, 401, 403, 404}
        for inside in (b"canary", b"import", b"root:", b'"dialogs"'):
            assert inside not in answered
        assert await anna.download(sent) == b"canary document"


async def test_documents_stay_in_their_folder(playground: Playground, tmp_path: Path) -> None:
    names = ["../../outside.txt", "/etc/passwd", "..", "a/../../b.txt", "x\0.txt", "..\\out.txt",
             "state.json", "\u202etxt.exe", "con.txt", "x" * 200 + ".txt", "a.tx/t", "a.<b>",
             ]  # fmt: skip
    async with Person(playground.url) as anna:
        for name in names:
            await anna.document(name, b"canary")
    kept = sorted(path.name for path in (tmp_path / "state_files").iterdir())
    assert len(kept) == len(names)
    assert all(name.startswith("file_") for name in kept)
    beside = {path.name for path in tmp_path.iterdir()}
    assert beside - {"state.json", "state.json.tmp"} == {"outside.txt", "state_files"}
    assert (tmp_path / "outside.txt").read_text() == "canary outside"


async def test_nonsense_is_refused_and_not_stumbled_over(
    playground: Playground, caplog: pytest.LogCaptureFixture
) -> None:
    deep, big = "[" * 100_000, "9" * 5000
    as_json = {"Content-Type": "application/json"}
    bot = f"/bot{playground.token}"
    asked = [
        ("/person/1001/send", deep), ("/person/1001/send", '{"text": 5}'),
        ("/person/1001/send", ""),
        ("/person/1001/press", f'{{"message_id": {big}, "data": "x"}}'),
        ("/person/1001/edit", f'{{"message_id": -{big}, "text": "x"}}'),
        ("/person/1001/stop", f'{{"draft_id": {big}}}'), (f"/person/{big}/send", '{"text": "x"}'),
        ("/person/²/send", '{"text": "x"}'), (f"{bot}/sendMessage", deep),
        (f"{bot}/sendMessage", f'{{"chat_id": {big}, "text": "x"}}'),
        (f"{bot}/sendMessage", f'{{"chat_id": 1001, "text": "x", "reply_markup": {deep}}}'),
        (f"{bot}/deleteMessages", f'{{"chat_id": 1001, "message_ids": [{big}]}}'),
    ]  # fmt: skip
    async with aiohttp.ClientSession() as http:
        for path, body in asked:
            url = playground.url.rstrip("/") + path
            async with http.post(url, data=body.encode(), headers=as_json) as response:
                assert response.status in {400, 404}, (path, body[:20], response.status)
    for wait in ("nan", "inf", "-1", "-inf", "1e400", "x", ""):
        got = await answer(playground.url, f"/person/1001/dialog?wait={wait}&since=x")
        assert status(got) in {200, 400}, wait
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_request_of_more_than_51_megabytes_is_refused(playground: Playground) -> None:
    url = f"{playground.url}person/1001/document"
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            url,
            data=io.BytesIO(bytes(52 * 1024 * 1024)),
            headers={"Content-Type": "application/json"},
        ) as response,
    ):
        assert response.status == 413
