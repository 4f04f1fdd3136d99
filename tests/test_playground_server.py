"""The playground as a program: it survives restarts, keeps strangers out, and ends at once."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import BotCommand, BufferedInputFile
from aiogram.utils.token import validate_token

from bot.playground import Playground
from bot.playground.dialogs import MAX_MESSAGES
from tests.playground_client import Person, client_of
from tests.waiting import PATIENCE


async def result_of(playground: Playground, method: str, **parameters: Any) -> Any:
    url = f"{playground.url}bot{playground.token}/{method}"
    async with aiohttp.ClientSession() as http, http.post(url, json=parameters) as response:
        answer = await response.json()
        assert answer["ok"], answer
        return answer["result"]


async def until_saved(path: Path, text: str) -> None:
    def saved() -> str:
        return path.read_text(encoding="utf-8") if path.exists() else ""

    async with asyncio.timeout(PATIENCE):
        while text not in await asyncio.to_thread(saved):
            pass


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_address_and_token(playground: Playground) -> None:
    assert validate_token(playground.token)
    assert playground.url.startswith("http://127.0.0.1:")
    expected = f"{playground.url}bot{playground.token}/getMe"
    assert playground.api.api_url(playground.token, "getMe") == expected
    assert Playground(port=0).token != playground.token


async def test_a_taken_port_is_an_error(playground: Playground) -> None:
    port = int(playground.url.rsplit(":", 1)[1].rstrip("/"))

    with pytest.raises(OSError, match="address already in use"):
        await Playground(port=port).start()


async def test_closing_ends_streams_and_polls_at_once(http: aiohttp.ClientSession) -> None:
    before = asyncio.all_tasks()
    playground = Playground(port=0)
    await playground.start()
    async with http.get(f"{playground.url}person/1001/events") as stream:
        await stream.content.readline()
        poll = asyncio.create_task(result_of(playground, "getUpdates", timeout=50))
        await playground.wait_for_call("getUpdates")

        async with asyncio.timeout(30):  # the poll itself would go on for 50
            await playground.close()

        assert await poll == []
        assert (await stream.content.read()).strip() == b""
    await playground.close()
    assert asyncio.all_tasks() == before


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "playground.json"
    async with Playground(port=0, state_path=path) as first, Person(first.url) as anna:
        await anna.send("first")
        await result_of(first, "getUpdates", allowed_updates=["message"])
        bot = client_of(first)
        await bot.send_document(1001, BufferedInputFile(b"milk", "list.txt"), caption="here")
        await bot.set_my_commands([BotCommand(command="new", description="New")])
        await bot.session.close()
        before = await anna.dialog()

    async with Playground(port=0, state_path=path) as second, Person(second.url) as anna:
        after = await anna.dialog()
        assert after["messages"] == before["messages"]
        assert after["bot"]["commands"] == [{"command": "new", "description": "New"}]
        assert await anna.download(after["messages"][1]) == b"milk"
        [first_update] = await result_of(second, "getUpdates")
        assert first_update["message"]["text"] == "first"
        assert (await result_of(second, "getWebhookInfo"))["allowed_updates"] == ["message"]
        sent = await anna.send("second")
        assert sent["message_id"] == 3
        [_, update] = await result_of(second, "getUpdates")
        assert update["update_id"] == first_update["update_id"] + 1


async def test_a_change_is_on_disk_soon_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "playground.json"
    async with Playground(port=0, state_path=path) as playground, Person(playground.url) as anna:
        await anna.send("remember me")

        await until_saved(path, "remember me")

        # As after a kill: another one starts from what is on disk, while nothing was closed.
        async with Playground(port=0, state_path=path) as other, Person(other.url) as again:
            assert [m["text"] for m in (await again.dialog())["messages"]] == ["remember me"]
    assert names(tmp_path) == ["playground.json"]


async def test_a_full_disk_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    path = tmp_path / "playground.json"
    async with Playground(port=0, state_path=path) as playground, Person(playground.url) as anna:
        with monkeypatch.context() as disk:
            disk.setattr(Path, "write_text", full)
            await anna.send("kept in memory")
            async with asyncio.timeout(PATIENCE):
                while "No space left on device" not in caplog.text:
                    await anna.dialog()
    assert "kept in memory" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"version": 99}', b"null"],
)
async def test_a_broken_state_is_put_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "playground.json"
    path.write_bytes(content)
    (tmp_path / "playground.json.broken-1").write_bytes(b"older")

    async with Playground(port=0, state_path=path) as playground, Person(playground.url) as anna:
        assert (await anna.dialog())["messages"] == []
        await anna.send("new")

    assert (tmp_path / "playground.json.broken-1").read_bytes() == b"older"
    assert (tmp_path / "playground.json.broken-2").read_bytes() == content
    assert "playground.json.broken-2" in caplog.text
    assert "new" in path.read_text(encoding="utf-8")


async def test_a_half_broken_state_is_not_half_taken(tmp_path: Path) -> None:
    path = tmp_path / "playground.json"
    async with Playground(port=0, state_path=path) as first, Person(first.url) as anna:
        await anna.send("x")
        await result_of(first, "setMyName", name="Old")
    state = json.loads(path.read_text(encoding="utf-8"))
    state["dialogs"]["1002"]["messages"] = [{"message_id": 1}]
    path.write_text(json.dumps(state), encoding="utf-8")

    async with Playground(port=0, state_path=path) as second, Person(second.url) as anna:
        dialog = await anna.dialog()

    assert (dialog["messages"], dialog["bot"]["first_name"]) == ([], "Playground bot")


async def test_old_messages_and_their_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.playground.dialogs.MAX_MESSAGES", 3)
    async with (
        Playground(port=0, state_path=tmp_path / "p.json") as playground,
        Person(playground.url) as anna,
    ):
        await anna.document("a.txt", b"a")
        for number in range(3):
            await anna.send(str(number))

        assert [m["message_id"] for m in (await anna.dialog())["messages"]] == [2, 3, 4]
    assert names(tmp_path / "p_files") == []
    assert MAX_MESSAGES == 2000


@pytest.mark.parametrize("path", ["", "person", "person/1001/dialog", "page/app.js"])
async def test_other_hosts_are_refused(
    playground: Playground, http: aiohttp.ClientSession, path: str
) -> None:
    port = playground.url.rsplit(":", 1)[1].rstrip("/")
    for host, status in [
        ("evil.example", 403),
        (f"evil.example:{port}", 403),
        ("127.0.0.1", 403),
        (f"127.0.0.1:{port}", 200),
        (f"localhost:{port}", 200),
    ]:
        async with http.get(playground.url + path, headers={"Host": host}) as response:
            assert response.status == status, host


async def test_other_sites_and_forms_are_refused(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    send = f"{playground.url}person/1001/send"
    bot = f"{playground.url}bot{playground.token}/sendMessage"
    own = playground.url.rstrip("/")
    body = json.dumps({"text": "x"})
    plain, as_json = {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}
    for url, headers, status in [
        (send, {**as_json, "Origin": "https://evil.example"}, 403),
        (send, {**as_json, "Origin": "null"}, 403),
        (bot, {**as_json, "Origin": "https://evil.example"}, 403),
        (send, plain, 415),
        (send, {**as_json, "Origin": own}, 200),
    ]:
        async with http.post(url, data=body, headers=headers) as response:
            assert response.status == status, headers


async def test_security_headers_are_on_every_answer(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    for path in ("", "person", "page/style.css", "nowhere", "person/1001/events"):
        async with http.get(playground.url + path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self'"), path
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_file_is_downloaded_never_shown(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    async with Person(playground.url) as anna:
        sent = await anna.document("../evil.html", b"<script>alert(1)</script>")
    assert sent["document"]["file_name"] == "evil.html"
    url = f"{playground.url}person/1001/files/{sent['document']['file_id']}"
    async with http.get(url) as response:
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert response.content_type == "application/octet-stream"
    async with http.get(url.replace("1001", "1002")) as response:
        assert response.status == 404


async def test_a_document_of_more_than_50_megabytes_is_refused(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    form = aiohttp.FormData({"chat_id": "1001"})
    form.add_field("document", io.BytesIO(bytes(52 * 1024 * 1024)), filename="big")
    url = f"{playground.url}bot{playground.token}/sendDocument"
    async with http.post(url, data=form) as response:
        assert response.status == 413
        assert await response.json() == {
            "ok": False,
            "error_code": 413,
            "description": "Request Entity Too Large",
        }


async def test_strangers_and_unknown_paths(
    playground: Playground, http: aiohttp.ClientSession
) -> None:
    for path in ("person/7/dialog", "person/1001/files/x", "page/../server.py", "page/"):
        async with http.get(playground.url + path) as response:
            assert response.status in {403, 404}, path


async def test_faults_on_demand(playground: Playground, api: Bot) -> None:
    playground.faults.add(method="sendMessage", error=429, retry_after=7)
    with pytest.raises(TelegramRetryAfter) as flood:
        await api.send_message(1001, "x")
    assert flood.value.retry_after == 7
    playground.faults.add(method="sendMessage", error=400, description="no", times=2)
    for _ in range(2):
        with pytest.raises(TelegramBadRequest, match="Bad Request: no"):
            await api.send_message(1001, "x")
    playground.faults.add(method="sendMessage", error=403)
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await api.send_message(1001, "x")
    playground.faults.add(method="sendMessage", error=500)
    with pytest.raises(TelegramServerError):
        await api.send_message(1001, "x")

    assert (await api.send_message(1001, "x")).message_id == 1


async def test_a_dropped_connection_before_and_after_the_deed(
    playground: Playground, api: Bot
) -> None:
    playground.faults.add(method="sendMessage", drop=True)
    with pytest.raises(TelegramNetworkError):
        await api.send_message(1001, "never sent")
    playground.faults.add(method="sendMessage", drop=True, done=True)
    with pytest.raises(TelegramNetworkError):
        await api.send_message(1001, "sent, but the bot does not know")

    async with Person(playground.url) as anna:
        texts = [message["text"] for message in (await anna.dialog())["messages"]]
    assert texts == ["sent, but the bot does not know"]


async def test_a_delay_and_a_change_of_mind(playground: Playground, api: Bot) -> None:
    playground.faults.add(method="getMe", delay=30, times=5)
    with pytest.raises(TelegramNetworkError):
        await api.get_me(request_timeout=0.05)  # type: ignore[arg-type]
    playground.faults.clear()

    assert (await api.get_me()).is_bot


async def test_calls_are_remembered(playground: Playground, api: Bot) -> None:
    await api.send_message(1001, "x")

    [call] = playground.calls
    assert call.method == "sendMessage"
    assert dict(call.parameters) == {"chat_id": "1001", "text": "x"}
