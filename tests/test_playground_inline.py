"""Inline queries in the playground: typed over HTTP, answered by the bot."""

import asyncio
from typing import Any

import aiohttp
import pytest

from bot.playground import Playground
from tests.playground_client import Person

ARTICLE = {
    "type": "article",
    "id": "1",
    "title": "Rome",
    "input_message_content": {"message_text": "Hotels in Rome"},
}


async def call(playground: Playground, method: str, **parameters: Any) -> tuple[int, Any]:
    url = f"{playground.url}bot{playground.token}/{method}"
    async with aiohttp.ClientSession() as http, http.post(url, json=parameters) as response:
        answer = await response.json()
        return response.status, answer.get("result", answer.get("description"))


async def test_what_is_typed_is_answered_once() -> None:
    async with Playground(port=0) as playground, Person(playground.url) as anna:
        typing = asyncio.create_task(anna.type("hotels", "20"))
        _, [update] = await call(playground, "getUpdates", timeout=10)
        query = update["inline_query"]
        assert (query["query"], query["offset"], query["from"]["id"]) == ("hotels", "20", 1001)
        given = {"results": [ARTICLE], "cache_time": 5, "is_personal": True, "next_offset": "40"}
        answered = {"inline_query_id": query["id"], **given}
        assert await call(playground, "answerInlineQuery", **answered) == (200, True)
        assert await typing == answered
        status, why = await call(playground, "answerInlineQuery", **answered)
        assert status == 400
        assert "query is too old" in why


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"results": [{**ARTICLE, "id": str(n)} for n in range(51)]}, "RESULTS_TOO_MUCH"),
        ({"results": [ARTICLE, ARTICLE]}, "RESULT_ID_DUPLICATE"),
        ({"next_offset": "я" * 33}, "NEXT_OFFSET_INVALID"),
        ({"button": {"text": "Open", "start_parameter": "a b"}}, "START_PARAM_INVALID"),
        ({"results": [{"type": "article", "id": "1"}]}, "results"),
        ({"inline_query_id": "7"}, "query is too old"),
    ],
)
async def test_what_telegram_would_refuse(wrong: dict[str, Any], why: str) -> None:
    async with Playground(port=0) as playground, Person(playground.url) as anna:
        typing = asyncio.create_task(anna.type("hotels"))
        _, [update] = await call(playground, "getUpdates", timeout=10)
        right = {"inline_query_id": update["inline_query"]["id"], "results": []}
        status, told = await call(playground, "answerInlineQuery", **{**right, **wrong})
        assert (status, why in told) == (400, True), told
        await call(playground, "answerInlineQuery", **right)
        assert (await typing)["results"] == []
